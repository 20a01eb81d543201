"""Plain TCP."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Sequence

from .stream import Stream


class TcpStream(Stream):
    """A connected TCP socket, in blocking mode."""

    protocol = "TCP"

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        prepare(sock)
        self._sock = sock
        self._timeout: float | None = None

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
        wait_writable(self._sock, self._timeout)

    def set_timeout(self, seconds: float | None) -> None:
        self._timeout = seconds
        self._sock.settimeout(seconds)

    def _shut_down(self) -> None:
        shut_down(self._sock)

    def close(self) -> None:
        self._sock.close()


def prepare(sock: socket.socket) -> None:
    """Make it blocking, and its messages go out at once."""
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def wait_writable(sock: socket.socket, seconds: float | None) -> None:
    """Wait until it takes something, or is shut down. Raises TimeoutError."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    if not poll.poll(None if seconds is None else seconds * 1000):
        raise TimeoutError("timed out")


def shut_down(sock: socket.socket) -> None:
    """Whoever waits on it wakes."""
    with contextlib.suppress(OSError):  # the peer was first
        sock.shutdown(socket.SHUT_RDWR)
