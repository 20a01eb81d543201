"""An epmd that answers what is not so, or nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from enum import Enum
from types import TracebackType

from mod_erlang_py.distribution.epmd import EpmdEntry, port2_response


class Lie(Enum):
    """How it answers, whatever it is asked."""

    NOTHING = "it answers nothing"
    CLOSES = "it closes"
    GARBAGE = "bytes that are no answer"
    ENDLESS = "an answer without an end"
    TRICKLE = "a byte a second"
    CLOSED_PORT = "a port on which nobody listens"
    OUR_PORT = "the switch's own port"
    VERSION = "a node of version 1"
    LONG = "a name of 60,000 bytes"


class LyingEpmd:
    """On that port of 127.0.0.1, until closed; with connections that stay open. ours: the port of the switch."""

    def __init__(self, port: int, lie: Lie, ours: int) -> None:
        """Raises OSError."""
        self._lie, self._ours = lie, ours
        self._server = socket.create_server(("127.0.0.1", port), backlog=128)
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            for piece in self._answer():
                connection.sendall(piece)
                if self._ended.is_set():
                    return

    def _answer(self) -> Iterator[bytes]:
        match self._lie:
            case Lie.NOTHING:
                self._ended.wait()
            case Lie.CLOSES:
                pass
            case Lie.GARBAGE:
                yield b"\xff\x00HTTP/1.1 400 Bad Request\r\n\r\n"
            case Lie.ENDLESS:
                yield b"w\x00"
                while True:
                    yield bytes(65536)
            case Lie.TRICKLE:
                for byte in port2_response(EpmdEntry("liar", self._ours)):
                    yield bytes([byte])
                    time.sleep(1)
            case Lie.CLOSED_PORT:
                yield port2_response(EpmdEntry("liar", 1))
            case Lie.OUR_PORT:
                yield port2_response(EpmdEntry("liar", self._ours))
            case Lie.VERSION:
                yield port2_response(EpmdEntry("liar", self._ours, highest=1, lowest=1))
            case Lie.LONG:
                yield port2_response(EpmdEntry("l" * 60_000, self._ours))

    def close(self) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def __enter__(self) -> LyingEpmd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
