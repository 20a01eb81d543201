"""Which events somebody wants: event types, and subclasses of CUSTOM (event_list and event_hash of the C module)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mod_erlang_py.errors import TooMuch
from mod_erlang_py.switch.port import ALL, CUSTOM

MAX_SUBCLASSES = 1000
"""In one interest."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a request names: event types, and after CUSTOM the subclasses."""

    types: frozenset[str] = frozenset()
    subclasses: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Interest:
    """everything: all events, but those of the types in `without`."""

    types: frozenset[str] = frozenset()
    subclasses: frozenset[bytes] = frozenset()
    everything: bool = False
    without: frozenset[str] = frozenset()

    def add(self, names: Names) -> Interest:
        """Raises TooMuch."""
        subclasses = self.subclasses | names.subclasses
        if len(subclasses) > MAX_SUBCLASSES:
            raise TooMuch("events", f"up to {MAX_SUBCLASSES} subclasses in all")
        if ALL in names.types:
            return Interest(self.types, subclasses, everything=True)
        return replace(self, types=self.types | names.types, subclasses=subclasses, without=self.without - names.types)

    def nix(self, names: Names) -> Interest:
        """After CUSTOM only its subclasses are nixed, not CUSTOM itself, as in the C module."""
        subclasses = self.subclasses - names.subclasses
        if ALL in names.types:
            return Interest(subclasses=subclasses)
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


NOTHING = Interest()
EVERYTHING = Interest(everything=True)
