"""Requests that still run, while their link is down or another one has its place: each keeps a thread, which whoever
reconnects is not to have anew each time."""

from __future__ import annotations

from .link import Link


class LeftBehind:
    """By one thread at a time, but for `of`."""

    def __init__(self) -> None:
        self._links: dict[str, tuple[Link, ...]] = {}

    def add(self, link: Link) -> None:
        """It is down, or was replaced."""
        known = self._links.get(link.name, ())
        if link.long_requests and link not in known:
            self._links[link.name] = (*known, link)

    def forget(self) -> None:
        """Those whose requests are done."""
        left = {name: tuple(one for one in links if one.long_requests) for name, links in self._links.items()}
        self._links = {name: links for name, links in left.items() if links}

    def of(self, name: str) -> int:
        """How many of that node's requests."""
        return sum(one.long_requests for one in self._links.get(name, ()))

    def nodes(self, ip: str | None = None) -> set[str]:
        """Those that have any; that were connected from that address."""
        return {name for name, links in self._links.items() if ip is None or any(one.ip == ip for one in links)}
