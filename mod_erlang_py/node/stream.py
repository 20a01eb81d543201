"""The bytes of a link: plain TCP here; anything else that can do the same (TLS) fits too."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence


class Stream(ABC):
    """why: the reason for which it was shut down; "" while it was not."""

    def __init__(self) -> None:
        self.why = ""
        self._lock = threading.Lock()

    @abstractmethod
    def recv(self, size: int) -> bytes:
        """Wait for bytes; b"" at the end. Raises OSError."""

    @abstractmethod
    def send(self, buffers: Sequence[bytes | memoryview]) -> int:
        """How many bytes the stream took, at once and without waiting; 0 when it is full. Raises OSError."""

    @abstractmethod
    def wait_writable(self) -> None:
        """Wait until send may take something, or the stream was shut down."""

    def shut_down(self, reason: str) -> None:
        """End both directions, from any thread: whoever waits in recv or wait_writable returns. The first reason
        counts."""
        with self._lock:
            if self.why:
                return
            self.why = reason
        self._shut_down()

    @abstractmethod
    def _shut_down(self) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Give the descriptor back, once nobody waits on the stream any more."""


class TcpStream(Stream):
    """A connected TCP socket, in blocking mode."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._sock = sock

    def recv(self, size: int) -> bytes:
        return self._sock.recv(size)

    def send(self, buffers: Sequence[bytes | memoryview]) -> int:
        try:
            if len(buffers) == 1:
                return self._sock.send(buffers[0], socket.MSG_DONTWAIT)
            return self._sock.sendmsg(buffers, (), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def wait_writable(self) -> None:
        poll = select.poll()
        poll.register(self._sock, select.POLLOUT)
        poll.poll()

    def _shut_down(self) -> None:
        with contextlib.suppress(OSError):  # the peer was first
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()
