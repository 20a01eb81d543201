"""Who receives which events, and the way to each of them.

Everybody who is interested in events has a Subscription here: a node's event handler, a call's process. `end` is the
one arbiter of every ending: a call that ends, a process that exits, a node that goes down and another process that
takes over may all come at once, and one of them is told that it was the one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mod_erlang_py.distribution.connection import Frames
from mod_erlang_py.etf import Atom, Pid, Term
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Batch, Event, EventSource, Form

from .counts import Counts, Tally
from .demand import Demand
from .flow import Flow
from .subscription import PLAIN, Subscription

MAX_ROUTES = 2000
MAX_SUBCLASS = 256
"""Of types and subclasses; and bytes of a subclass whose route is remembered: anybody may fire an event of any."""
NOBODY: tuple[Subscription, ...] = ()
NOCONNECTION = Atom("noconnection")

Routed: TypeAlias = tuple[Subscription, int]
"""Who is to get some events, and how often he had been cut when that was so."""


@dataclass(slots=True)
class Gathered:
    """Frames for one node that wait for the end of a round, and whose they are."""

    frames: list[Frames] = field(default_factory=list)
    owners: list[Routed] = field(default_factory=list)


class Subscriptions:
    """source: is told what somebody wants, and nothing else. fire: fires an event in the switch.

    The lock is never held across a call into the switch. It is held while frames are handed to outboxes, which do not
    wait: so nothing follows the end of a subscription.
    """

    def __init__(self, source: EventSource, fire: Callable[[Event], None]) -> None:
        self._source = source
        self._fire = fire
        self._lock = threading.Lock()
        self._binding = threading.Lock()
        self._general: dict[Subscription, None] = {}  # in the order in which they came
        self._of_calls: dict[bytes, tuple[Subscription, ...]] = {}
        self._forms_of_calls: frozenset[Form] = frozenset()  # those there ever were
        self._by_target: dict[Target, dict[Subscription, None]] = {}
        self._routes: dict[tuple[str, bytes | None], tuple[Routed, ...]] = {}
        self._demand = Demand()  # of those; with the binding lock held
        self._counts: dict[Link, Counts] = {}
        self._past = Tally()
        self._gathered: dict[Link, Gathered] = {}  # by the pump's thread alone

    # who receives

    def add(self, one: Subscription) -> bool:
        """In force when this returns. False when its target's node is gone already."""
        with self._lock:
            if one.target is not None and one.target.link.ended:
                return False  # `down` has been, or will be, here
            if one.call is None:
                self._general[one] = None
            else:
                self._of_calls[one.call] = (*self._of_calls.get(one.call, NOBODY), one)
            self._aim(one, one.target)
            self._routes.clear()
        self._bind(one)
        return True

    def change(self, one: Subscription, cut: bool = False, **changes: Any) -> bool:
        """Change fields of it; in force when this returns. False when it has ended.

        cut: what was gathered for it, but not sent yet, is not sent any more.
        """
        with self._lock:
            if one.ended:
                return False
            if "target" in changes:
                target = changes["target"]
                if target is not None and target.link.ended:
                    return False
                self._aim(one, target)
            for name, value in changes.items():
                setattr(one, name, value)
            one.cuts += cut
            self._routes.clear()
        self._bind(one)
        return True

    def open(self, one: Subscription, target: Target, first: bytes = b"") -> bool:
        """The target gets `first`, then what was held back, and from now on each event as it comes. False, and it gets
        nothing, when the subscription has ended, or the target's node has. first: an encoded term."""
        with target.link.outbox.gathering(), self._lock:
            held = one.held
            if one.ended or held is None or target.link.ended:
                return False
            self._aim(one, target)
            one.target = target
            if first:
                target.put(first)
            one.held = held.open(target, self._counts_of(target.link))
        return True

    def acknowledge(self, one: Subscription, count: int) -> bool:
        """So many of its events need to be waited for no longer. False when it waits for none, or has ended."""
        with self._lock:
            if one.ended or not isinstance(one.held, Flow):
                return False
            told = one.held.acknowledge(count)
        if told:
            self._source.wake()  # the next report is the pump's
        return True

    def end(self, one: Subscription, last: bytes = b"") -> bool:
        """Nothing more, but `last`, an encoded term, if the target has had anything. Whether you are the one who ended
        it."""
        with self._lock:
            if one.ended:
                return False
            one.ended = True
            one.cuts += 1
            self._aim(one, None)
            if one.call is None:
                del self._general[one]
                unwatched = False
            else:
                left = tuple(other for other in self._of_calls[one.call] if other is not one)
                unwatched = not left
                if left:
                    self._of_calls[one.call] = left
                else:
                    del self._of_calls[one.call]
            self._routes.clear()
            if last and one.target is not None and one.is_open:
                one.target.put(last)
            if one.held is not None:
                one.held.close()
        if one.call is None or unwatched:
            self._bind(one)
        return True

    def exited(self, link: Link, to: Pid | str, reason: Term) -> None:
        """A process has ended."""
        with self._lock:
            known = list(self._by_target.get(Target(link, to), ()))
        for one in known:
            one.gone(reason)

    def down(self, link: Link) -> None:
        """A node is gone."""
        with self._lock:
            known = [one for target, ones in self._by_target.items() if target.link is link for one in ones]
        for one in known:
            one.gone(NOCONNECTION)
        with self._lock:
            counts = self._counts.pop(link, None)
            if counts is not None:
                self._past = self._past.plus([counts])

    def of(self, target: Target) -> list[Subscription]:
        with self._lock:
            return list(self._by_target.get(target, ()))

    def counts(self, link: Link) -> Counts:
        """What a node was sent, and what it lost."""
        with self._lock:
            return self._counts_of(link)

    def tally(self) -> Tally:
        """Of all nodes, those that are gone included."""
        with self._lock:
            return self._past.plus(self._counts.values())

    def _aim(self, one: Subscription, target: Target | None) -> None:
        """Have `exited` and `down` find it by its new target; with the lock held."""
        if one.target is not None:
            known = self._by_target.get(one.target, {})
            known.pop(one, None)
            if not known:
                self._by_target.pop(one.target, None)
        if target is not None:
            self._by_target.setdefault(target, {})[one] = None

    def _counts_of(self, link: Link) -> Counts:
        """With the lock held."""
        counts = self._counts.get(link)
        if counts is None:
            counts = Counts("events")
            if not link.ended:  # else nobody would take it away
                self._counts[link] = counts
        return counts

    def _bind(self, one: Subscription) -> None:
        """Have the switch deliver what somebody wants now. The binding lock keeps an older wish from coming last."""
        with self._binding:
            if one.call is None:
                with self._lock:
                    changed = self._demand.update(one)
            else:
                with self._lock:
                    watched = one.call in self._of_calls
                if watched:
                    self._source.watch(one.call)
                else:
                    self._source.unwatch(one.call)
                changed = one.form not in self._forms_of_calls
                self._forms_of_calls |= {one.form}
            if changed:
                self._source.want(self._demand.wanted(self._forms_of_calls))

    # the way to them, in the pump's thread

    def route(self, batch: Batch, of_call: Iterable[Subscription]) -> Sequence[Routed]:
        """Those who are to get events like these, as far as it does not depend on the single event. of_call: as
        `of_call` says."""
        found = self._route(batch.name, batch.subclass)
        for one in of_call:
            cuts = one.cuts  # looked at first: what it wanted before it was cut, or ended, must not be sent after
            if not one.ended and one.wants(batch):
                found = (*found, (one, cuts))
        return found

    def of_call(self, batch: Batch) -> tuple[Subscription, ...]:
        """Those that are about the event's call, and no other."""
        if not self._of_calls:
            return NOBODY
        uuid = batch.uuid
        return NOBODY if uuid is None else self._of_calls.get(uuid, NOBODY)

    def _route(self, name: str, subclass: bytes | None) -> tuple[Routed, ...]:
        route = self._routes.get((name, subclass))
        if route is None:
            with self._lock:
                route = tuple(
                    (one, one.cuts)
                    for one in self._general
                    if one.target is not None and one.interest.wants(name, subclass)
                )
                if len(self._routes) >= MAX_ROUTES:
                    self._routes.clear()
                if subclass is None or len(subclass) <= MAX_SUBCLASS:
                    self._routes[name, subclass] = route
        return route

    def gather(self, one: Subscription, cuts: int, payloads: Sequence[bytes], event_type: str) -> None:
        """Have events sent at the end of this round, unless they are cut until then; or hold them back. payloads: not
        wrapped. cuts: as the route had it."""
        if one.held is not None:
            with self._lock:
                if one.held is not None:
                    for payload in payloads if one.cuts == cuts else ():
                        one.held.add(one.wrap + payload)
                    return
        target = one.target
        if target is None:
            return
        gathered = self._gathered.get(target.link)
        if gathered is None:
            gathered = self._gathered[target.link] = Gathered()
        gathered.frames.append(target.frames(payloads, one.wrap))
        gathered.owners.append((one, cuts))
        if one.wrap is PLAIN and event_type in ("CHANNEL_CREATE", "CHANNEL_HANGUP_COMPLETE"):
            with self._lock:
                counts = self._counts_of(target.link)
            if event_type == "CHANNEL_CREATE":
                counts.creates += len(payloads)
            else:
                counts.hangups += len(payloads)

    def flush(self, link: Link) -> None:
        """Send what was gathered for a node."""
        gathered = self._gathered.pop(link, None)
        if gathered is None:
            return
        with self._lock:
            if link.ended:
                return
            frames = [
                frame for frame, (one, cuts) in zip(gathered.frames, gathered.owners, strict=True) if one.cuts == cuts
            ]
            if frames:
                self._counts_of(link).took(link.outbox.offer(frames), sum(some.number for some in frames))

    def flush_all(self) -> None:
        """Send all that was gathered."""
        for link in list(self._gathered):
            self.flush(link)

    def missed(self, count: int) -> None:
        """So many events never came here: everybody lost them."""
        with self._lock:
            links = {target.link for target in self._by_target}
            for link in links:
                self._counts_of(link).missed(count)

    def gave_up(self, lost: Mapping[Link, int]) -> None:
        """Each of these nodes lost so many, whatever else it gets."""
        with self._lock:
            for link, count in lost.items():
                self._counts_of(link).gave_up(count)

    def report(self) -> None:
        """Tell of losses, where delivery has resumed."""
        with self._lock:
            counts: Iterable[Counts] = list(self._counts.values())
        for one in counts:
            one.report(self._fire)
