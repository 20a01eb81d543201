"""Takes events from the switch, and hands them to those who are to get them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from mod_erlang_py.etf import Atom
from mod_erlang_py.node import traffic
from mod_erlang_py.node.threads import prefer_this_thread
from mod_erlang_py.switch.port import Batch, EventSource, Received

from .budget import Budget
from .shape import Shape
from .subscription import Notice, Subscription
from .subscriptions import Subscriptions

log = logging.getLogger(__name__)

IDLE = 3600.0
"""Seconds after which a pump without events looks around; nothing depends on it."""
GATHER = 0.0005
"""Seconds: events that follow each other faster are left to gather for as long, which costs the switch's threads, the
pump and the peer less than being woken for each."""
PAUSE = 0.1
"""Seconds after a round that failed: one that fails at once, again and again, must not keep a core busy."""

Shaped: TypeAlias = dict[tuple[Shape, Received], bytes]


class Pump:
    """bulk: the most events of one round, which are sent to a node in one write. regexes: milliseconds of each second
    for the regular expressions of filters. after_loss: called when events were lost before they came here.

    failures: rounds, and events, that failed.
    """

    def __init__(
        self,
        source: EventSource,
        subscriptions: Subscriptions,
        bulk: int,
        regexes: int,
        after_loss: Callable[[], None],
    ) -> None:
        self._source = source
        self._subscriptions = subscriptions
        self._bulk = bulk
        self._regexes = Budget(regexes / 1000)
        self._after_loss = after_loss
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running = False
        self.failures = 0

    @property
    def source(self) -> EventSource:
        """Where events come from."""
        return self._source

    def configure(self, bulk: int, regexes: int) -> None:
        self._bulk = bulk
        self._regexes.limit = regexes / 1000

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
            batches = self._first()
            self._subscriptions.gave_up(self._regexes.next_window())
            while batches:
                for batch in batches:
                    self._hand_out(batch)
                    left -= batch.count
                batches = self._source.take(0, left) if left > 0 else ()
        finally:
            self._subscriptions.flush_all()
        lost = self._source.lost()
        if lost:
            self._subscriptions.missed(lost)
        self._subscriptions.report()
        if lost:
            self._after_loss()

    def _first(self) -> Sequence[Batch]:
        """Wait for events."""
        batches = self._source.take(0, self._bulk)
        if batches or self._stopping.is_set():  # this take may have been the one that was woken
            return batches
        began = time.monotonic()
        batches = self._source.take(self._regexes.patience(IDLE), self._bulk)
        if batches and time.monotonic() - began < GATHER:
            time.sleep(GATHER)
        return batches

    def _hand_out(self, batch: Batch) -> None:
        try:
            of_call = self._subscriptions.of_call(batch)
            events: Sequence[Received] = ()
            shaped: Shaped = {}
            for one, cuts in self._subscriptions.route(batch, of_call):
                if one.looks_at_each or traffic.is_shown():
                    events = events or batch.events()
                    payloads = self._chosen(one, events, shaped)
                else:
                    payloads = batch.payloads(one.form)
                if payloads:
                    self._subscriptions.gather(one, cuts, payloads, batch.name)
            for one in of_call:
                if one.notice is not None and batch.name in one.notice.names:
                    for received in batch.events():
                        self._notify(one, one.notice, received)
        except Exception:
            self.failures += 1
            log.exception("event %s could not be handed out", batch.name)

    def _chosen(self, one: Subscription, events: Sequence[Received], shaped: Shaped) -> Sequence[bytes]:
        """Those that it is to get, encoded. shaped: those of this batch that were made already."""
        if one.filters.has_regexes and one.target is not None:
            chosen = self._regexes.passing(one.target.link, events, one.passes)
        else:
            chosen = [received for received in events if one.passes(received)]
        if traffic.is_shown() and one.target is not None:
            for received in chosen:
                traffic.sent(one.target.link.name, one.target.to, (Atom(received.name), list(received.headers())))
        shape = one.shape
        if shape is None:
            return [received.encoded(one.form) for received in chosen]
        for received in chosen:
            if (shape, received) not in shaped:
                shaped[shape, received] = shape.encoded(received)
        return [shaped[shape, received] for received in chosen]

    def _notify(self, one: Subscription, notice: Notice, received: Received) -> None:
        """What comes of it goes out in one write with what was gathered before."""
        if one.target is None:
            notice.take(received)
            return
        link = one.target.link
        with link.outbox.gathering():
            self._subscriptions.flush(link)
            notice.take(received)

    def stop(self) -> None:
        """`run` returns. The source of one that never ran is closed here."""
        with self._lock:
            self._stopping.set()
            if not self._running:
                self._source.close()
                return
        self._source.wake()
