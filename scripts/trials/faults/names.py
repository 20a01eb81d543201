"""A name in an epmd, of a node that is somewhere else."""

from __future__ import annotations

import socket
from types import TracebackType

from mod_erlang_py.distribution.epmd import EpmdEntry, alive2_request


class Registered:
    """As long as the block."""

    def __init__(self, epmd_port: int, entry: EpmdEntry) -> None:
        """Raises OSError."""
        self._connection = socket.create_connection(("127.0.0.1", epmd_port), timeout=10)
        self._connection.sendall(alive2_request(entry))
        self._connection.recv(16)

    def __enter__(self) -> Registered:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
