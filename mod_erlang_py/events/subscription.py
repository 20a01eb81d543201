"""Somebody who receives events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mod_erlang_py.etf import VERSION, Term
from mod_erlang_py.etf.event import EVENT
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Batch, Form, Received

from .counts import Counts
from .filters import NO_FILTERS, Filters
from .interest import NOTHING, Interest
from .shape import Shape

PLAIN = VERSION + EVENT
"""The wrap of `{event, Event}`."""

MAX_HELD = 2_000
MAX_HELD_BYTES = 16 * 1024 * 1024
"""Events that are held back for one target; further ones are lost."""

Gone: TypeAlias = Callable[[Term], None]
"""What is done once the target's process, or its node, is gone, with the reason."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is done about some events of a call, whether or not its target gets them.

    take: in the pump's thread, once all that comes before is on its way. names: of event types.
    """

    names: frozenset[str]
    take: Callable[[Received], None]


class Held:
    """Events, wrapped, that wait until their target is ready. lost: for want of room. By one thread at a time."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.lost = 0
        self._bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether the target was ready once."""
        return False

    def add(self, payload: bytes) -> None:
        """payload: wrapped."""
        if len(self.payloads) >= MAX_HELD or self._bytes + len(payload) > MAX_HELD_BYTES:
            self.lost += 1
        else:
            self.payloads.append(payload)
            self._bytes += len(payload)

    def open(self, target: Target, counts: Counts) -> Held | None:
        """The target is ready, and gets what waits. Returns what holds events back from now on."""
        for payload in self.payloads:
            target.put(payload)
        counts.took(len(self.payloads), len(self.payloads) + self.lost)
        return None

    def close(self) -> None:
        """Nobody is ready any more."""
        self.payloads.clear()


@dataclass(eq=False, slots=True)
class Subscription:
    """A target, and what it is to get. Once it was added, Subscriptions alone changes it, under its lock.

    form: of the events. wrap: what stands before each, so that a whole term results. target: None as long as nobody
    receives. call: the Unique-ID of the call whose events they are; None for everybody's. since: the number of the
    first event that counts; 0 once that has come. held: what waits until the subscription is opened; then None, but for
    what waits to be acknowledged. shape: of the events, where they are not as they usually are.
    """

    form: Form
    gone: Gone
    wrap: bytes = PLAIN
    target: Target | None = None
    interest: Interest = NOTHING
    filters: Filters = NO_FILTERS
    call: bytes | None = None
    since: int = 0
    held: Held | None = None
    shape: Shape | None = None
    notice: Notice | None = None
    ended: bool = False
    cuts: int = 0
    """How often what was gathered for it, but not sent yet, was taken back."""

    def wants(self, batch: Batch) -> bool:
        """Whether the target is to get events of its call like these."""
        return self.interest.wants(batch.name, batch.subclass)

    @property
    def is_open(self) -> bool:
        """Whether the target has been sent anything."""
        return self.held is None or self.held.is_open

    @property
    def looks_at_each(self) -> bool:
        """Whether it depends on the single event."""
        return bool(self.since or self.filters or self.shape)

    def passes(self, received: Received) -> bool:
        """Whether the target is to get this one, of those that it wants."""
        if self.since:
            number = received.sequence
            if number >= self.since:
                self.since = 0
            elif number:
                return False
        return self.filters.passes(received)
