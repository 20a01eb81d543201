"""A real FreeSWITCH, asked through its event socket as fs_cli does, but to the byte."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from urllib.parse import unquote_to_bytes

from mod_erlang_py.switch.port import Event
from scripts.scratch import ScratchFreeSwitch

_SECONDS = 30.0
_NO_OUTPUT = b"-ERR no reply\n"
"""What the event socket says for a command that printed nothing."""


class EventSocket:
    """One connection. Raises AssertionError when FreeSWITCH does not answer as it should."""

    def __init__(self, switch: ScratchFreeSwitch) -> None:
        command = switch.fs_cli_command("")
        self._socket = socket.create_connection(("127.0.0.1", switch.event_socket_port), timeout=_SECONDS)
        self._read = b""
        assert self._block(_SECONDS) == {"Content-Type": "auth/request"}
        assert self._command(f"auth {command[command.index('-p') + 1]}")["Reply-Text"] == "+OK accepted"

    def __enter__(self) -> EventSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def api(self, command: str) -> bytes:
        """What the command printed."""
        self._send(f"api {command}")
        length = int(self._need(self._block(_SECONDS), "Content-Length"))
        printed = self._bytes(length, _SECONDS)
        return b"" if printed == _NO_OUTPUT else printed

    def subscribe(self, types: str) -> str:
        """The answer: "+OK event listener enabled plain"."""
        return self._command(f"event plain {types}")["Reply-Text"]

    def send_message(self, uuid: str, headers: dict[str, str]) -> str:
        """The answer: "+OK", "-ERR invalid session id ..."."""
        return self._command("\n".join([f"sendmsg {uuid}", *(f"{name}: {value}" for name, value in headers.items())]))[
            "Reply-Text"
        ]

    def take(self, timeout: float) -> Event | None:
        """The next event."""
        block = self._block(timeout)
        if not block:
            return None
        return _parsed(self._bytes(int(self._need(block, "Content-Length")), _SECONDS))

    def _command(self, line: str) -> dict[str, str]:
        self._send(line)
        return self._block(_SECONDS)

    def _send(self, line: str) -> None:
        self._socket.sendall(f"{line}\n\n".encode())

    @staticmethod
    def _need(block: dict[str, str], name: str) -> str:
        assert name in block, block
        return block[name]

    def _block(self, timeout: float) -> dict[str, str]:
        """The lines up to an empty one, as names and values; {} when they are not there in time."""
        deadline = time.monotonic() + timeout
        while b"\n\n" not in self._read:
            if not self._more(deadline - time.monotonic()):
                return {}
        lines, _, self._read = self._read.partition(b"\n\n")
        pairs = (line.partition(": ") for line in lines.decode().splitlines())
        return {name: value for name, _, value in pairs}

    def _bytes(self, count: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while len(self._read) < count:
            assert self._more(deadline - time.monotonic()), "FreeSWITCH said less than it announced"
        found, self._read = self._read[:count], self._read[count:]
        return found

    def _more(self, timeout: float) -> bool:
        self._socket.settimeout(max(timeout, 0.001))
        try:
            received = self._socket.recv(65536)
        except TimeoutError:
            return False
        assert received, "FreeSWITCH has closed the event socket"
        self._read += received
        return True


def _parsed(text: bytes) -> Event:
    """Of the form plain: names and values are URL-encoded, and the body comes behind an empty line."""
    lines, _, body = text.partition(b"\n\n")
    pairs = (line.partition(b": ") for line in lines.splitlines())
    headers = tuple((unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs)
    name = next(value for key, value in headers if key == b"Event-Name").decode()
    return Event(name, headers, body or None)
