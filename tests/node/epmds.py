"""An epmd that does as a test says."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable

from mod_erlang_py.distribution.epmd import (
    AliveRequest,
    EpmdEntry,
    PortPleaseRequest,
    Request,
    alive2_response,
    decode_request,
    port2_response,
)

Answer = Callable[[Request], "bytes | None"]
"""What to answer; None leaves the asker waiting, b"" closes."""


class FakeEpmd:
    """Listens on 127.0.0.1; keeps registrations open, as epmd does. May be closed and opened again.

    creations: the registrations' answers, one after the other. entries: who is found by PORT_PLEASE2. answer: in place
    of the usual, from the first request on.
    """

    def __init__(self, port: int = 0, answer: Answer | None = None) -> None:
        self.creations = [1000, 1001, 1002, 1003]
        self.entries: dict[str, EpmdEntry] = {}
        self.registered: queue.SimpleQueue[EpmdEntry] = queue.SimpleQueue()
        self.left: queue.SimpleQueue[EpmdEntry] = queue.SimpleQueue()
        self.answer: Answer = answer or self.usual
        self.port = port
        self._server: socket.socket | None = None
        self._open: list[socket.socket] = []
        self.start()

    def start(self) -> None:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", self.port))
        server.listen()
        self.port = int(server.getsockname()[1])
        self._server = server
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def stop(self) -> None:
        """As when epmd is killed: every connection is closed."""
        if self._server is not None:
            self._server.shutdown(socket.SHUT_RDWR)
            self._server = None
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def usual(self, request: Request) -> bytes | None:
        if isinstance(request, AliveRequest):
            return alive2_response(request.entry, self.creations.pop(0))
        if isinstance(request, PortPleaseRequest):
            return port2_response(self.entries.get(request.name))
        return b""

    def _accept(self, server: socket.socket) -> None:
        with server, contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            data = b""
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
                chunk = connection.recv(4096)
                if not chunk:
                    return
                data += chunk
            request = decode_request(data[2:])
            answer = self.answer(request)
            connection.sendall(answer or b"")
            registered = isinstance(request, AliveRequest) and answer is not None and len(answer) > 3 and not answer[1]
            if isinstance(request, AliveRequest) and registered:
                self.registered.put(request.entry)
                connection.recv(1)
                self.left.put(request.entry)
            elif answer is None:
                connection.recv(1)
