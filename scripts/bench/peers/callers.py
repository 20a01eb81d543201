"""Makes calls by mod_event_socket, where there is no Erlang: as bench.erl does, one for each that has ended."""

from __future__ import annotations

import re
import time

from scripts.bench.peers.event_socket import EventSocket
from scripts.bench.peers.received import percentile

_SECONDS = 20.0
_DIALLED = re.compile(rb"Caller-Destination-Number: \w+-(\d+)")
_UUID = re.compile(rb"\nUnique-ID: ([^\n]+)")
_ANSWER = "sendmsg {uuid}\ncall-command: execute\nexecute-app-name: answer\nevent-lock: true"
_HANG_UP = "sendmsg {uuid}\ncall-command: hangup\nhangup-cause: NORMAL_CLEARING"


def answered_and_hung_up(
    port: int, password: str, count: int, at_once: int, handled: bool
) -> tuple[float, int, list[float]]:
    """Seconds, how many ended, and, where they were handled, p50 and p99 of the microseconds from dialling until the
    client has the call. handled: by this client; else the dialplan answers them and hangs up."""
    with EventSocket(port, password) as client:
        client.ask("event plain CHANNEL_HANGUP" + (" CHANNEL_PARK" if handled else ""))
        client.ask("filter Call-Direction inbound")
        client.sock.settimeout(_SECONDS)
        delays: list[float] = []
        dialled = ended = 0
        began = time.monotonic()
        while dialled < min(count, at_once):
            _dial(client, handled)
            dialled += 1
        try:
            while ended < count:
                _, body = client.message()
                if body.startswith(b"Event-Name: CHANNEL_PARK"):
                    _take(client, body, delays)
                elif body.startswith(b"Event-Name: CHANNEL_HANGUP"):
                    ended += 1
                    if dialled < count:
                        _dial(client, handled)
                        dialled += 1
        except TimeoutError:
            began += _SECONDS  # the rest is lost, and was waited for
        seconds = time.monotonic() - began
    delays.sort()
    return seconds, ended, [percentile(delays, 0.5), percentile(delays, 0.99)] if delays else []


def _dial(client: EventSocket, handled: bool) -> None:
    extension = "parked" if handled else "alone"
    client.send(f"bgapi originate loopback/{extension}-{time.time_ns() // 1000}/bench &park()")


def _take(client: EventSocket, body: bytes, delays: list[float]) -> None:
    now = time.time_ns() // 1000
    dialled, uuid = _DIALLED.search(body), _UUID.search(body)
    if dialled and uuid:
        delays.append(now - int(dialled[1]))
        for command in (_ANSWER, _HANG_UP):
            client.send(command.format(uuid=uuid[1].decode()))
