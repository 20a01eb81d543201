"""A plain client of mod_event_socket."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterator
from types import TracebackType

from scripts.bench.errors import BenchError
from scripts.bench.peers.received import Received

SUBSCRIBE = "CUSTOM erlang_py::bench"
_SECONDS = 30.0
_CHUNK = 1 << 20
_LENGTH = b"Content-Length: "
_LAST_TWO = re.compile(rb'Number(?:: |":")(\d+)(?:\n|",")Sent(?:: |":")(\d+)')
_TAIL = 120
_FIRST_EVENT_SECONDS = 60.0


class Wire:
    """What came of a connection, as messages: headers, an empty line, and as much of a body as they say."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def add(self, chunk: bytes) -> None:
        self._waiting += chunk

    def cut(self) -> Iterator[tuple[bytes, bytes]]:
        """The headers and the body of each that is whole."""
        waiting, at = self._waiting, 0
        try:
            while (end := waiting.find(b"\n\n", at)) >= 0:
                headers = bytes(waiting[at:end])
                begin = headers.find(_LENGTH)
                size = int(headers[begin + len(_LENGTH) :].split(b"\n", 1)[0]) if begin >= 0 else 0
                if len(waiting) < end + 2 + size:
                    break
                at = end + 2 + size
                yield headers, bytes(waiting[end + 2 : at])
        finally:
            del waiting[:at]


class EventSocket:
    """One connection, logged in."""

    def __init__(self, port: int, password: str) -> None:
        """Raises BenchError, OSError."""
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wire = Wire()
        self.message()
        if not self.ask(f"auth {password}").startswith("+OK"):
            raise BenchError("mod_event_socket refuses the password")

    def __enter__(self) -> EventSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def api(self, command: str) -> str:
        """What it returned."""
        self.send(f"api {command}")
        while True:
            headers, body = self.message()
            if b"api/response" in headers:
                return body.decode(errors="replace")

    def ask(self, command: str) -> str:
        """The Reply-Text of a command that is no api."""
        self.send(command)
        while True:
            headers, _ = self.message()
            if found := re.search(rb"Reply-Text: ([^\n]*)", headers):
                return found[1].decode(errors="replace")

    def send(self, command: str) -> None:
        self.sock.sendall(f"{command}\n\n".encode())

    def message(self) -> tuple[bytes, bytes]:
        """The next one's headers and body. Raises BenchError when the switch hangs up, OSError when none comes."""
        while True:
            for found in self.cut():
                return found
            self.fill()

    def cut(self) -> Iterator[tuple[bytes, bytes]]:
        """The messages that are there."""
        return self._wire.cut()

    def fill(self) -> None:
        """Read once. Raises BenchError when the switch hangs up, OSError when nothing comes."""
        chunk = self.sock.recv(_CHUNK)
        if not chunk:
            raise BenchError("mod_event_socket has hung up")
        self._wire.add(chunk)

    def close(self) -> None:
        self.sock.close()


class SocketPeers:
    """Clients that receive events, all of them served by one thread."""

    def __init__(self, port: int, password: str, *, clients: int, events: int, kind: str, idle: float = 5.0) -> None:
        """kind: "event plain" or "event json". events: how many each is to get. idle: seconds without one after which
        the rest counts as lost. Raises BenchError, OSError."""
        self._events, self._idle = events, idle
        self._clients = [EventSocket(port, password) for _ in range(clients)]
        self._numbers = dict.fromkeys(self._clients, 0)
        self._delays: list[float] = []
        self._first = self._last = 0
        self._disordered = 0
        for client in self._clients:
            client.ask(f"{kind} {SUBSCRIBE}")

    def end(self) -> Received:
        """Once all have all, or nothing comes any more. Raises BenchError when the switch hangs up."""
        try:
            self._receive()
        finally:
            for client in self._clients:
                client.close()
        expected = self._events * len(self._clients)
        return Received.of(expected, (self._last - self._first) / 1e9, self._delays, self._disordered)

    def _receive(self) -> None:
        unfinished = len(self._clients)
        with selectors.DefaultSelector() as selector:
            for client in self._clients:
                selector.register(client.sock, selectors.EVENT_READ, client)
                unfinished -= self._take(client)
            while unfinished and (ready := selector.select(self._idle if self._first else _FIRST_EVENT_SECONDS)):
                for key, _ in ready:
                    key.data.fill()
                    unfinished -= self._take(key.data)

    def _take(self, client: EventSocket) -> bool:
        """What is there; whether the last one was."""
        number = 0
        for _, body in client.cut():
            if found := _LAST_TWO.search(body, max(0, len(body) - _TAIL)):
                self._last = time.time_ns()
                number, sent = int(found[1]), int(found[2])
                self._first = self._first or sent
                self._delays.append(max(0.0, (self._last - sent) / 1000))
                self._disordered += number != self._numbers[client] + 1
                self._numbers[client] = number
        return number == self._events


def requests(port: int, password: str, count: int) -> list[float]:
    """Round trips of `api echo hello`, one after the other, in microseconds."""
    times = []
    with EventSocket(port, password) as client:
        for _ in range(count):
            began = time.perf_counter()
            client.api("echo hello")
            times.append((time.perf_counter() - began) * 1e6)
    return times


def request_rate(port: int, password: str, clients: int, seconds: float) -> float:
    """The same a second, of so many clients, each with one request under way."""
    opened = [EventSocket(port, password) for _ in range(clients)]
    try:
        return _request_rate(opened, seconds)
    finally:
        for client in opened:
            client.close()


def _request_rate(clients: list[EventSocket], seconds: float) -> float:
    answered = 0
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
            client.send("api echo hello")
        while time.perf_counter() - began < seconds:
            for key, _ in selector.select(_SECONDS):
                key.data.fill()
                for _ in key.data.cut():
                    answered += 1
                    key.data.send("api echo hello")
    return answered / (time.perf_counter() - began)


class LogLines:
    """A client that has asked for the log at its level DEBUG."""

    def __init__(self, port: int, password: str) -> None:
        """Raises BenchError, OSError."""
        self._client = EventSocket(port, password)
        self._client.ask("log 7")

    def end(self, count: int, idle: float) -> tuple[float, int]:
        """Seconds from the first line to the last, and how many of them did not come until nothing came for so long."""
        received, began, last = 0, 0.0, 0.0
        try:
            while received < count:
                headers, _ = self._client.message()
                if b"Log-File: bench.c" in headers:
                    received += 1
                    last = time.perf_counter()
                    if received == 1:
                        began = last
                        self._client.sock.settimeout(idle)
        except TimeoutError:
            pass  # the rest is lost
        finally:
            self._client.close()
        return last - began, count - received
