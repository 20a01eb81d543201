"""The event handler that each node may have: what register_event_handler, event, nixevent, setevent, noevents and
filter change (handle_msg_atom, handle_msg_event and their neighbours in handle_msg.c)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mod_erlang_py.etf import Pid
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Form

from .filters import Filters
from .interest import NOTHING, Interest
from .subscription import Subscription
from .subscriptions import Subscriptions


class EventHandlers:
    """One subscription a node, which lasts as long as its link. form: of its events."""

    def __init__(self, subscriptions: Subscriptions, form: Form) -> None:
        self._subscriptions = subscriptions
        self._form = form
        self._lock = threading.Lock()  # requests of one node's processes run side by side
        self._handlers: dict[Link, Subscription] = {}
        self._listening: set[Link] = set()

    def register(self, link: Link, to: Pid | str) -> None:
        """The process becomes the handler of its node, in place of the one before, which gets nothing more."""
        with self._lock:
            handler = self._of(link)
            if handler is not None:
                target = Target(link, to)
                cut = handler.target is not None and handler.target != target
                self._subscriptions.change(handler, cut=cut, target=target)
                self._listening.add(link)

    def change(self, link: Link, change: Callable[[Interest], Interest]) -> None:
        """Change what the node's handler wants; in force when this returns."""
        with self._lock:
            handler = self._of(link)
            if handler is not None:
                self._subscriptions.change(handler, interest=change(handler.interest))
                self._listening.add(link)

    def nix(self, link: Link, change: Callable[[Interest], Interest]) -> None:
        """The same, but who never listened does not begin to."""
        with self._lock:
            handler = self._of(link)
            if handler is not None:
                self._subscriptions.change(handler, interest=change(handler.interest))

    def noevents(self, link: Link) -> bool:
        """Nothing more, from now on. False when nobody was listening."""
        with self._lock:
            handler = self._handlers.get(link)
            if handler is None or link not in self._listening:
                return False
            self._listening.discard(link)
            self._subscriptions.change(handler, cut=True, interest=NOTHING)
            return True

    def filter(self, link: Link, change: Callable[[Filters], Filters]) -> None:
        """Change what an event must pass for the node's handler to get it. Raises TooMuch."""
        with self._lock:
            handler = self._of(link)
            if handler is not None:
                self._subscriptions.change(handler, filters=change(handler.filters))

    def of(self, link: Link) -> Subscription | None:
        """Takes no lock: threads of the switch ask too, and it may be binding just now."""
        return self._handlers.get(link)

    def down(self, link: Link) -> None:
        """The node is gone."""
        with self._lock:
            handler = self._handlers.pop(link, None)
            self._listening.discard(link)
        if handler is not None:
            self._subscriptions.end(handler)

    def _of(self, link: Link) -> Subscription | None:
        """With the lock held. None when the link has ended: `down` has been, or will be, here."""
        if link.ended:
            return None
        handler = self._handlers.get(link)
        if handler is None:
            handler = self._handlers[link] = Subscription(self._form, lambda _: self._exited(link))
            self._subscriptions.add(handler)
        return handler

    def _exited(self, link: Link) -> None:
        """The handler's process has ended, or its node: nobody listens."""
        with self._lock:
            handler = self._handlers.get(link)
            if handler is not None:
                self._listening.discard(link)
                self._subscriptions.change(handler, cut=True, target=None, interest=NOTHING)
