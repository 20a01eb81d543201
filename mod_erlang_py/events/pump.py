"""Takes events from the switch, and hands them to those who are to get them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from mod_erlang_py.etf import Atom
from mod_erlang_py.node import traffic
from mod_erlang_py.node.threads import prefer_this_thread
from mod_erlang_py.switch.port import EventSource, Form, Received

from .filters import passes
from .subscription import Subscription
from .subscriptions import Subscriptions

log = logging.getLogger(__name__)

IDLE = 3600.0
"""Seconds after which a pump without events looks around; nothing depends on it."""
GATHER = 0.0005
"""Seconds: events that follow each other faster are left to gather for as long, which costs the switch's threads, the
pump and the peer less than being woken for each."""
PAUSE = 0.1
"""Seconds after a round that failed: one that fails at once, again and again, must not keep a core busy."""


class Pump:
    """bulk: the most events of one round, which are sent to a node in one write. after_loss: called when events were
    lost before they came here.

    failures: rounds, and events, that failed.
    """

    def __init__(
        self, source: EventSource, subscriptions: Subscriptions, bulk: int, after_loss: Callable[[], None]
    ) -> None:
        self._source = source
        self._subscriptions = subscriptions
        self._bulk = bulk
        self._after_loss = after_loss
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running = False
        self.failures = 0

    @property
    def source(self) -> str:
        """Which implementation events come from."""
        return self._source.implementation

    def configure(self, bulk: int) -> None:
        self._bulk = bulk

    def run(self) -> None:
        """The pump's thread. Whatever goes wrong costs what it went wrong with; the source is closed in any case."""
        with self._lock:
            if self._stopping.is_set():
                return
            self._running = True
        try:
            prefer_this_thread()
            while not self._stopping.is_set():
                try:
                    self._round()
                except Exception:
                    self.failures += 1
                    log.exception("a round of events failed")
                    self._stopping.wait(PAUSE)
        finally:
            self._source.close()

    def _round(self) -> None:
        try:
            left = self._bulk
            batch = self._first()
            while batch:
                for received in batch:
                    self._hand_out(received)
                left -= len(batch)
                batch = self._source.take(0, left) if left > 0 else ()
        finally:
            self._subscriptions.flush_all()
        lost = self._source.lost()
        if lost:
            self._subscriptions.missed(lost)
        self._subscriptions.report()
        if lost:
            self._after_loss()

    def _first(self) -> Sequence[Received]:
        """Wait for events."""
        batch = self._source.take(0, self._bulk)
        if batch:
            return batch
        began = time.monotonic()
        batch = self._source.take(IDLE, self._bulk)
        if batch and time.monotonic() - began < GATHER:
            time.sleep(GATHER)
        return batch

    def _hand_out(self, received: Received) -> None:
        try:
            payloads: dict[tuple[Form, bytes], bytes] = {}
            for one, cuts in self._subscriptions.route(received):
                self._give(one, cuts, received, payloads)
            for one in self._subscriptions.of_call(received):
                if one.notice is not None and received.name in one.notice.names:
                    self._notify(one, received)
        except Exception:
            self.failures += 1
            log.exception("event %s could not be handed out", received.name)

    def _give(
        self, one: Subscription, cuts: int, received: Received, payloads: dict[tuple[Form, bytes], bytes]
    ) -> None:
        """payloads: those of this event that were made already."""
        if one.filters and not passes(one.filters, received):
            return
        if traffic.is_shown() and one.target is not None:
            traffic.sent(one.target.link.name, one.target.to, (Atom(received.name), list(received.headers())))
        key = (one.form, one.wrap)
        payload = payloads.get(key)
        if payload is None:
            payload = payloads[key] = one.wrap + received.encoded(one.form)
        self._subscriptions.gather(one, cuts, payload, received.name)

    def _notify(self, one: Subscription, received: Received) -> None:
        """What comes of it goes out in one write with what was gathered before."""
        assert one.notice is not None
        if one.target is None:
            one.notice.take(received)
            return
        link = one.target.link
        with link.outbox.gathering():
            self._subscriptions.flush(link)
            one.notice.take(received)

    def stop(self) -> None:
        """`run` returns. The source of one that never ran is closed here."""
        with self._lock:
            self._stopping.set()
            if not self._running:
                self._source.close()
                return
        self._source.wake()
