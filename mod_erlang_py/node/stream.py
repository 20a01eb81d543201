"""The bytes of a link: plain TCP here; anything else that can do the same (TLS) fits too."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Sequence
from typing import Protocol


class Stream(Protocol):
    def recv(self, size: int) -> bytes:
        """Wait for bytes; b"" at the end. Raises OSError."""

    def send(self, buffers: Sequence[bytes | memoryview]) -> int:
        """How many bytes the stream took, at once and without waiting; 0 when it is full. Raises OSError."""

    def wait_writable(self) -> None:
        """Wait until send may take something, or the stream was shut down."""

    def shut_down(self) -> None:
        """End both directions: whoever waits in recv or wait_writable returns."""

    def close(self) -> None:
        """Give the descriptor back, once nobody waits on the stream any more."""


class TcpStream:
    """A connected TCP socket, in blocking mode."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._sock = sock
        self.recv = sock.recv

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

    def shut_down(self) -> None:
        with contextlib.suppress(OSError):  # the peer was first
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._sock.close()
