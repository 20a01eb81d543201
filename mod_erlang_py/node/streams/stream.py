"""What a stream does, whatever carries it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence


class Stream(ABC):
    """protocol: what carries it, as "TCP". why: the reason for which it was shut down; "" while it was not."""

    protocol: str

    def __init__(self) -> None:
        self.why = ""
        self._ending = threading.Lock()

    @abstractmethod
    def recv(self, size: int) -> bytes:
        """Wait for bytes; b"" at the end. Raises OSError; TimeoutError see set_timeout."""

    @abstractmethod
    def send(self, buffers: Sequence[bytes | memoryview]) -> int:
        """How many bytes the stream took, at once and without waiting; 0 when it is full. Raises OSError.

        From any thread, but one at a time; what was not taken must be what is sent next.
        """

    @abstractmethod
    def wait_writable(self) -> None:
        """Wait until send may take something, or the stream was shut down. Raises TimeoutError, see set_timeout."""

    @abstractmethod
    def set_timeout(self, seconds: float | None) -> None:
        """How long recv and wait_writable wait from now on, each; None, as from the start: without an end."""

    def refuses(self, host: str) -> str:
        """Why the peer is not on that host, as its name says; "" when it may be."""
        return ""

    def shut_down(self, reason: str) -> None:
        """End both directions, from any thread: whoever waits in recv or wait_writable returns. The first reason
        counts."""
        with self._ending:
            if self.why:
                return
            self.why = reason
        self._shut_down()

    @abstractmethod
    def _shut_down(self) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Give the descriptor back, once nobody waits on the stream any more."""
