"""All faults, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.trials.faults import endings, exhaustion, mapper, peers, strangers, wire
from scripts.trials.faults.fault import Fault

FAULTS = (*wire.FAULTS, *peers.FAULTS, *strangers.FAULTS, *mapper.FAULTS, *exhaustion.FAULTS, *endings.FAULTS)


class UnknownFault(ValueError):
    """A name that no fault has."""


def named(names: Sequence[str]) -> list[Fault]:
    """In their order, whatever that of the names; all when there are none. Raises UnknownFault."""
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        known = ", ".join(fault.name for fault in FAULTS)
        raise UnknownFault(f"nothing is called {sorted(unknown)[0]}; there are {known}")
    return [fault for fault in FAULTS if not names or fault.name in names]
