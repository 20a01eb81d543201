"""The links of the node by the names of its peers, and the attempts to make one."""

from __future__ import annotations

import threading
from collections import Counter

from mod_erlang_py.errors import HandshakeError, NotConnected

from .left_behind import LeftBehind
from .link import Link

STOPS = "the node stops"


class Attempt:
    """An attempt to connect to a node, shared by all who want it; whoever is first settles it.

    yields_to: the IP address of the peer, once ours has made way for an attempt of its own.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.yields_to: str | None = None
        self._settled = threading.Event()
        self._outcome: Link | str = ""

    def settle(self, outcome: Link | str) -> None:
        """outcome: the link, or the reason why there is none. With the lock of Links held."""
        if not self._settled.is_set():
            self._outcome = outcome
            self._settled.set()

    def wait(self, timeout: float) -> None:
        """Until it is settled, or for `timeout` seconds."""
        self._settled.wait(timeout)

    def result(self, timeout: float) -> Link:
        """The link. Raises NotConnected, also after `timeout` seconds."""
        if not self._settled.wait(timeout):
            raise NotConnected(self.name, f"no answer within {timeout:g} s")
        if isinstance(self._outcome, str):
            raise NotConnected(self.name, self._outcome)
        return self._outcome


class Links:
    """A link that has ended counts for nothing here, but that its reader has still to take it down.

    most, of_address: nodes that may be connected at once, and of these those from one IP address; those that we dial
    are not refused for their address. running: requests that a node may have left behind when it connects anew. Who has
    any counts as connected.
    """

    def __init__(self, most: int, of_address: int, running: int) -> None:
        self.configure(most, of_address, running)
        self._left = LeftBehind()
        self._lock = threading.Lock()
        self._by_name: dict[str, Link] = {}
        self._standing: dict[Link, None] = {}  # those that are not taken down yet, also such as were replaced
        self._attempts: dict[str, Attempt] = {}
        self._greeted: Counter[tuple[str, str]] = Counter()  # names and IP addresses of those that shake hands with us
        self._past_requests = 0
        self.closed = False

    def configure(self, most: int, of_address: int, running: int) -> None:
        """Those that are up stay."""
        self._most = most
        self._of_address = of_address
        self._running = running

    def up(self) -> list[Link]:
        """Those that are up, the oldest first."""
        with self._lock:
            return [link for link in self._by_name.values() if not link.ended]

    def get(self, name: str) -> Link | None:
        with self._lock:
            return self._get(name)

    def known(self, name: str) -> Link | Attempt | None:
        """The link to a node, or the attempt to make one that is under way."""
        with self._lock:
            return self._get(name) or self._attempts.get(name)

    def greet(self, name: str, ip: str) -> None:
        """A connection from that address says that it is the node of that name. Until `greeted`, the peer may have
        the link before we do."""
        with self._lock:
            self._greeted[name, ip] += 1

    def greeted(self, name: str, ip: str) -> None:
        """Its handshake is over, and if that went well the link is up."""
        with self._lock:
            self._greeted[name, ip] -= 1
            if not self._greeted[name, ip]:
                del self._greeted[name, ip]

    def is_dead(self, attempt: Attempt, ip: str) -> bool:
        """Whether the link that the peer, at that address, still has is none of ours: not one that was made since the
        attempt began, nor one that may be up in a moment."""
        with self._lock:
            return self._attempts.get(attempt.name) is attempt and (attempt.name, ip) not in self._greeted

    def too_many(self, name: str, ip: str) -> str | None:
        """Why a node that connects from that address makes one too many; None when it does not."""
        with self._lock:
            return self._too_many(name, ip)

    def requests(self) -> int:
        """How many came so far, over links that are down included."""
        with self._lock:
            return self._past_requests + sum(link.requests for link in self._standing)

    def left_behind(self, name: str) -> int:
        """How many requests run that came over connections which the node has no more."""
        return self._left.of(name)

    def add(self, link: Link, made_by: Attempt | None = None) -> None:
        """The link is up, in place of one that the peer had before.

        made_by: our own attempt, unless the peer has given up its own for it; when it is settled already, by a link
        that the peer has made meanwhile, nobody waits for this one, and the peer may have ended that one on purpose.
        Raises HandshakeError then, when it is one too many, and when the node stops.
        """
        with self._lock:
            if self.closed:
                raise HandshakeError("link", STOPS)
            if made_by is not None and self._attempts.get(link.name) is not made_by:
                raise HandshakeError("link", "the peer connected to us meanwhile")
            too_many = self._too_many(link.name, link.ip)
            if too_many:
                raise HandshakeError("link", too_many)
            replaced = self._by_name.pop(link.name, None)
            if replaced is not None:
                self._left.add(replaced)
            self._by_name[link.name] = link
            self._standing[link] = None
            attempt = self._attempts.pop(link.name, None)
            if attempt is not None:
                attempt.settle(link)
        if replaced is not None:
            replaced.end("replaced by a new connection of the same node")

    def remove(self, link: Link) -> None:
        """The link is taken down."""
        with self._lock:
            del self._standing[link]
            self._left.add(link)
            self._past_requests += link.requests
            if self._by_name.get(link.name) is link:
                del self._by_name[link.name]

    def reach(self, attempt: Attempt) -> Link | Attempt:
        """The link to a node, else the attempt that is under way, which is the one given if there was none.
        Raises NotConnected."""
        with self._lock:
            link = self._get(attempt.name)
            if link is not None:
                return link
            if self.closed:
                raise NotConnected(attempt.name, "the node is not running")
            too_many = self._too_many(attempt.name)
            if too_many:
                raise NotConnected(attempt.name, too_many)
            return self._attempts.setdefault(attempt.name, attempt)

    def fail(self, attempt: Attempt, reason: str) -> None:
        """The attempt has failed, unless it is settled."""
        with self._lock:
            self._fail(attempt, reason)

    def make_way(self, attempt: Attempt, ip: str, timeout: float) -> None:
        """The peer's own attempt, from that address, is the one that counts: wait for its end."""
        with self._lock:
            attempt.yields_to = ip
        attempt.wait(timeout)

    def came_to_nothing(self, name: str, ip: str, reason: str) -> None:
        """A connection from that address, of a node that says it has the name, has failed in its handshake."""
        with self._lock:
            attempt = self._attempts.get(name)
            if attempt is not None and attempt.yields_to == ip:
                self._fail(attempt, reason)

    def close(self) -> None:
        """No more of them: whoever waits for one hears so at once."""
        with self._lock:
            self.closed = True
            for attempt in tuple(self._attempts.values()):
                self._fail(attempt, STOPS)

    def end(self) -> None:
        """End them all."""
        with self._lock:
            standing = tuple(self._standing)
        for link in standing:
            link.end(STOPS)

    def _too_many(self, name: str, ip: str = "") -> str | None:
        """ip: of a node that we do not dial. Whoever is connected may connect anew. With the lock held."""
        self._left.forget()
        before = self._by_name.get(name)
        running = self._left.of(name) + (before.long_requests if before is not None else 0)
        if running >= self._running:
            return f"max-running-requests: {running} requests of its earlier connections still run"
        if self._get(name) is not None:
            return None
        up = {link.name: link for link in self._by_name.values() if not link.ended}
        nodes = {*up, *self._left.nodes()} - {name}
        if len(nodes) >= self._most:
            return f"max-nodes: {len(nodes)} nodes are connected{_and_gone(len(nodes) - len(up))}"
        here = {one for one, link in up.items() if link.ip == ip}
        nodes = {*here, *self._left.nodes(ip)} - {name}
        if len(nodes) >= self._of_address and name not in self._attempts:
            gone = _and_gone(len(nodes) - len(here))
            return f"max-nodes-per-address: {len(nodes)} nodes are connected from {ip}{gone}"
        return None

    def _get(self, name: str) -> Link | None:
        link = self._by_name.get(name)
        return None if link is None or link.ended else link

    def _fail(self, attempt: Attempt, reason: str) -> None:
        if self._attempts.get(attempt.name) is attempt:
            del self._attempts[attempt.name]
        attempt.settle(reason)


def _and_gone(number: int) -> str:
    return f" ({number} of them gone, with requests that still run)" if number else ""
