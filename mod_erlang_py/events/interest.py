"""Which events somebody wants: event types, and subclasses of CUSTOM (event_list and event_hash of the C module)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

ALL = "ALL"
CUSTOM = "CUSTOM"


@dataclass(frozen=True, slots=True)
class Names:
    """What a request names: event types, and after CUSTOM the subclasses."""

    types: frozenset[str] = frozenset()
    subclasses: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Subscription:
    """everything: all events, but those of the types in `without`."""

    types: frozenset[str] = frozenset()
    subclasses: frozenset[bytes] = frozenset()
    everything: bool = False
    without: frozenset[str] = frozenset()

    def add(self, names: Names) -> Subscription:
        subclasses = self.subclasses | names.subclasses
        if ALL in names.types:
            return Subscription(self.types, subclasses, everything=True)
        return replace(self, types=self.types | names.types, subclasses=subclasses, without=self.without - names.types)

    def nix(self, names: Names) -> Subscription:
        """After CUSTOM only its subclasses are nixed, not CUSTOM itself, as in the C module."""
        subclasses = self.subclasses - names.subclasses
        if ALL in names.types:
            return Subscription(subclasses=subclasses)
        types = names.types - {CUSTOM}
        if self.everything:
            return replace(self, types=self.types - types, subclasses=subclasses, without=self.without | types)
        return replace(self, types=self.types - types, subclasses=subclasses)

    def wants(self, event_type: str, subclass: bytes | None) -> bool:
        if self.everything:
            return event_type not in self.without
        if event_type not in self.types:
            return False
        return event_type != CUSTOM or not subclass or subclass in self.subclasses

    @property
    def bindings(self) -> frozenset[str]:
        """The event types that the switch has to deliver for this."""
        return frozenset({ALL}) if self.everything else self.types


NOTHING = Subscription()


def union(subscriptions: Iterable[Subscription]) -> frozenset[str]:
    """The event types that at least one of them needs."""
    return frozenset().union(*(subscription.bindings for subscription in subscriptions))
