"""What an epmd knows, and what it answers: bytes in, bytes out, for each connection.

The rules are those of OTP's epmd (seen with 25's), which is run without relaxed_command_check: no name can be stopped,
and none is killed away. It differs in what no node does: a name that is not UTF-8 is closed upon, instead of called
taken, and names that are gone are not dumped.
"""

from __future__ import annotations

from dataclasses import dataclass

from mod_erlang_py.distribution import epmd
from mod_erlang_py.distribution.epmd import (
    AliveRequest,
    DumpRequest,
    EpmdEntry,
    KillRequest,
    NamesRequest,
    PortPleaseRequest,
    Request,
)
from mod_erlang_py.errors import EpmdError

MAX_NAME = 255
"""Characters of a name."""
MAX_EXTRA = 4 * MAX_NAME
"""Bytes of what a node registers besides."""
MAX_REQUEST = 13 + 4 * MAX_NAME + MAX_EXTRA
"""Bytes of a request: the longest ALIVE2_REQ; a character has 4 at most."""
MAX_NAMES = 1000
"""Names at once; one more is refused."""

_SMALLEST_CREATION = 4
"""1 to 3 are those of ALIVE2_RESP."""
_CREATIONS = 2**32 - _SMALLEST_CREATION
_REFUSED = 1
_REFUSED_CREATION = 99


@dataclass(frozen=True, slots=True)
class _Registered:
    entry: EpmdEntry
    fd: int


class PortMapper:
    """The nodes that are registered, and the creations they got.

    port: where the epmd itself is. creation: what the next node gets; each one after it has the next.
    """

    def __init__(self, port: int, creation: int) -> None:
        self.port = port
        self.killed = False
        """A KILL_REQ was granted: the epmd ends."""
        self._next = creation % _CREATIONS
        self._names: dict[str, _Registered] = {}

    def register(self, entry: EpmdEntry, fd: int) -> int | None:
        """The creation, or None when the name is taken or too long. fd: shown by DUMP_REQ."""
        too_long = len(entry.name) > MAX_NAME or len(entry.extra) > MAX_EXTRA
        if too_long or entry.name in self._names or len(self._names) >= MAX_NAMES:
            return None
        self._names[entry.name] = _Registered(entry, fd)
        creation = self._next + _SMALLEST_CREATION
        self._next = (self._next + 1) % _CREATIONS
        return creation

    def unregister(self, name: str) -> None:
        del self._names[name]

    def look_up(self, name: str) -> EpmdEntry | None:
        found = self._names.get(name)
        return found.entry if found else None

    def entries(self) -> list[tuple[EpmdEntry, int]]:
        """What is registered, the latest first, with the descriptor of each."""
        return [(found.entry, found.fd) for found in reversed(self._names.values())]


class Conversation:
    """One connection. local: it comes from this machine, and so may register, dump and kill. fd: its descriptor.

    One request is answered, and then it ends; but for ALIVE2_REQ, after which it lasts until it says anything more.
    """

    def __init__(self, mapper: PortMapper, local: bool, fd: int) -> None:
        self.over = False
        """It is to be closed, once the answer is out."""
        self.name: str | None = None
        """What it has registered."""
        self._mapper = mapper
        self._local = local
        self._fd = fd
        self._data = b""
        self._answered = False

    def receive_data(self, data: bytes) -> bytes:
        """What to send, b"" for nothing. No data at all: the other side has closed."""
        if not data or self._answered:
            self.end()
            return b""
        self._data += data
        if len(self._data) < 2:
            return b""
        end = 2 + int.from_bytes(self._data[:2], "big")
        if end > 2 + MAX_REQUEST or len(self._data) > end:
            self.end()
            return b""
        if len(self._data) < end:
            return b""
        try:
            request = epmd.decode_request(self._data[2:])
        except EpmdError:
            self.end()
            return b""
        self._data = b""
        self._answered = True
        return self._answer(request)

    def _answer(self, request: Request) -> bytes:
        if isinstance(request, AliveRequest) and self._local:
            return self._register(request.entry)
        self.over = True
        match request:
            case PortPleaseRequest(name) if len(name) <= MAX_NAME:
                return epmd.port2_response(self._mapper.look_up(name))
            case NamesRequest():
                return epmd.names_response(self._mapper.port, (entry for entry, _ in self._mapper.entries()))
            case DumpRequest() if self._local:
                return epmd.dump_response(self._mapper.port, self._mapper.entries())
            case KillRequest() if self._local:
                self._mapper.killed = not self._mapper.entries()
                return epmd.KILL_OK if self._mapper.killed else epmd.KILL_NO
            case _:
                return b""

    def _register(self, entry: EpmdEntry) -> bytes:
        creation = self._mapper.register(entry, self._fd)
        if creation is None:
            return epmd.alive2_response(entry, _REFUSED_CREATION, _REFUSED)
        self.name = entry.name
        return epmd.alive2_response(entry, creation if entry.highest >= 6 else creation % 3 + 1)

    def end(self) -> None:
        """It is closed: what it has registered is gone."""
        self.over = True
        if self.name is not None:
            self._mapper.unregister(self.name)
            self.name = None
