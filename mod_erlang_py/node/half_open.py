"""The connections that are in their handshake, and which of them makes way when there are too many."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from dataclasses import dataclass


@dataclass(slots=True)
class _Connection:
    """address: "ip:port". silent: whether it has not said yet which node it is, nor begun with TLS."""

    address: str
    ip: str
    silent: bool = True


class HalfOpen:
    """Those that have said nothing make way first, of these one of the IP address that has most, of these the oldest.
    So whoever only connects, however often, keeps no node out: a node gives its name, or begins with TLS, at once.
    most: may be changed."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, _Connection] = {}

    def add(self, connection: socket.socket, address: str, ip: str) -> tuple[socket.socket, str] | None:
        """Returns the one that makes way for it, and its address, if there are too many already."""
        with self._lock:
            makes_way = None
            if len(self._connections) >= self.most:
                other = self._first_to_go()
                makes_way = other, self._connections.pop(other).address
            self._connections[connection] = _Connection(address, ip)
            return makes_way

    def _first_to_go(self) -> socket.socket:
        known = self._connections
        among = [one for one, about in known.items() if about.silent] or [*known]
        counts = Counter(known[one].ip for one in among)
        return max(among, key=lambda one: counts[known[one].ip])  # the first of several

    def spoke(self, connection: socket.socket) -> None:
        """It has said which node it is, or begun with TLS."""
        with self._lock:
            about = self._connections.get(connection)
            if about is not None:
                about.silent = False

    def done(self, connection: socket.socket) -> None:
        """It is no longer half open."""
        with self._lock:
            self._connections.pop(connection, None)

    def all(self) -> list[socket.socket]:
        with self._lock:
            return [*self._connections]
