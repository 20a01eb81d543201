"""{api, echo, "hello"}, beside the same between two Erlang nodes in the same minute."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import ERLANG, SOCKET, Speaks
from scripts.bench.peers import event_socket
from scripts.bench.peers.received import percentile
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

PROCESSES = (1, 20, 200)
FLOOD = 10_000
"""Events a second beside which requests are made."""
P50, P99 = "one at a time, p50", "one at a time, p99"
OTP_P50, OTP_P99 = "between two OTP nodes, p50", "between two OTP nodes, p99"
FLOOD_P50, FLOOD_P99 = (f"beside {FLOOD:,} events a second, {part}" for part in ("p50", "p99"))
FLOOD_EVENTS = f"events beside which these requests were made, of {FLOOD:,}"


def rate(processes: int) -> str:
    return f"from {processes} process{'es' if processes > 1 else ''}"


def otp_rate(processes: int) -> str:
    return f"between two OTP nodes, {rate(processes)}"


def measure(turn: Turn) -> Iterator[Measured]:
    return _erlang(turn) if turn.contender.speaks is Speaks.ERLANG else _socket(turn)


def _erlang(turn: Turn) -> Iterator[Measured]:
    peer, other, node = turn.shared.erlang(), turn.shared.erlang(1), f"'{turn.switch.node}'"
    count, milliseconds = turn.requests(4000, polled=150), int(turn.seconds(1) * 1000)
    peer.measure("requests", node, turn.requests(500, polled=20))
    p50, p99 = peer.measure("requests", node, count)
    yield Measured(P50, Unit.MICROSECONDS, p50)
    yield Measured(P99, Unit.MICROSECONDS, p99)
    for processes in PROCESSES:
        (found,) = peer.measure("rate", node, processes, milliseconds)
        yield Measured(rate(processes), Unit.RATE, found)
    other.measure("echo")
    p50, p99 = peer.measure("otp", f"'{other.name}'", turn.requests(4000, polled=4000))
    yield Measured(OTP_P50, Unit.MICROSECONDS, p50)
    yield Measured(OTP_P99, Unit.MICROSECONDS, p99)
    for processes in PROCESSES:
        (found,) = peer.measure("otp_rate", f"'{other.name}'", processes, milliseconds // 2)
        yield Measured(otp_rate(processes), Unit.RATE, found)
    if not turn.contender.polls_events:
        yield from _beside_events(turn)


def _beside_events(turn: Turn) -> Iterator[Measured]:
    peer, seconds = turn.shared.erlang(), turn.seconds(2)
    peer.begin("under_events", f"'{turn.switch.node}'", int(seconds * 1000))
    peer.wait_until_listening()
    turn.switch.fire(int(FLOOD * (seconds + 1)), FLOOD)
    p50, p99, events = peer.end()
    yield Measured(FLOOD_P50, Unit.MICROSECONDS, p50)
    yield Measured(FLOOD_P99, Unit.MICROSECONDS, p99)
    yield Measured(FLOOD_EVENTS, Unit.RATE, events / seconds)


def _socket(turn: Turn) -> Iterator[Measured]:
    port, password = turn.switch.event_socket
    event_socket.requests(port, password, 50)
    found = sorted(event_socket.requests(port, password, turn.requests(4000, polled=150)))
    yield Measured(P50, Unit.MICROSECONDS, percentile(found, 0.5))
    yield Measured(P99, Unit.MICROSECONDS, percentile(found, 0.99))
    for clients in PROCESSES:
        yield Measured(rate(clients), Unit.RATE, event_socket.request_rate(port, password, clients, turn.seconds(1)))


API = Workload("api", '`{api, echo, "hello"}`', measure, (*ERLANG, SOCKET))
