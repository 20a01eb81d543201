"""A wire that does not do as it should, between two who speak TCP."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

Fate = Callable[[bytes], Iterator[bytes]]
"""What becomes of the bytes that come from one side: those that go on, piece by piece. Raises WireCut."""
_RESET = struct.pack("ii", 1, 0)


class WireCut(Exception):
    """Both sides lose the connection."""


def passing(data: bytes) -> Iterator[bytes]:
    yield data


def dropped(data: bytes) -> Iterator[bytes]:
    """Taken, and never passed on."""
    yield from ()


def trickled(size: int) -> Fate:
    """So many bytes in each packet."""

    def fate(data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]

    return fate


def delayed(seconds: float) -> Fate:
    def fate(data: bytes) -> Iterator[bytes]:
        time.sleep(seconds)
        yield data

    return fate


class Frozen:
    """Nothing is taken until it thaws; then it goes on where it was."""

    def __init__(self) -> None:
        self._thawed = threading.Event()

    def __call__(self, data: bytes) -> Iterator[bytes]:
        self._thawed.wait()
        yield data

    def thaw(self) -> None:
        self._thawed.set()


class Cut:
    """Behind so many bytes, the last of which still arrive."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __call__(self, data: bytes) -> Iterator[bytes]:
        passed, self._left = data[: self._left], self._left - len(data)
        if passed:
            yield passed
        if self._left <= 0:
            raise WireCut


class Proxy:
    """Listens on a port of 127.0.0.1, and connects whoever comes to another.

    there, back: what becomes of the bytes, in each direction; may be changed while they flow. reset: a wire that is cut
    says so by a reset, else as if the other side had closed.
    """

    def __init__(self, to: int, port: int = 0) -> None:
        """Raises OSError."""
        self.there: Fate = passing
        self.back: Fate = passing
        self.reset = False
        self._to = to
        self._server = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            near.close()
            return
        with near, far:
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._pass, args=(far, near, lambda: self.back), daemon=True)
            back.start()
            self._pass(near, far, lambda: self.there)
            back.join()

    def _pass(self, source: socket.socket, sink: socket.socket, fate: Callable[[], Fate]) -> None:
        """Until either closes, or the wire is cut; then the other direction ends, too."""
        try:
            while data := source.recv(65536):
                for piece in fate()(data):
                    sink.sendall(piece)
        except WireCut:
            if self.reset:
                for one in (source, sink):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            pass
        for one in (source, sink):
            with contextlib.suppress(OSError):
                reset = one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET
                one.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)  # the one says nothing yet: closing does

    def close(self) -> None:
        """No more connections; those that are there go on."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
