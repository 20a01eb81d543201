"""What is measured: a module for each family, in the order in which they run.

A new one is a module with its Workload, a place in WORKLOADS, and a heading with markers in docs/benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from scripts.bench.turns import Workload
from scripts.bench.workloads import (
    api,
    bgapi,
    calls,
    events,
    executes,
    foreign,
    groups,
    growth,
    latency,
    logs,
    lookups,
    memory,
    rtp,
    sip,
    subscriptions,
)

WORKLOADS: tuple[Workload, ...] = (
    api.API,
    bgapi.BGAPI,
    events.EVENTS,
    latency.LATENCY,
    latency.LIMIT,
    foreign.FOREIGN,
    calls.CALLS,
    sip.SIP,
    lookups.LOOKUPS,
    logs.LOGS,
    memory.MEMORY,
    rtp.RTP,
    growth.GROWTH,
    subscriptions.SUBSCRIPTIONS,
    executes.EXECUTES,
    groups.GROUPS,
)


class UnknownWorkload(ValueError):
    """A name that no workload has."""


def named(names: Sequence[str]) -> list[Workload]:
    """In the order in which they run; all when there are no names. Raises UnknownWorkload."""
    unknown = set(names) - {workload.name for workload in WORKLOADS}
    if unknown:
        known = ", ".join(workload.name for workload in WORKLOADS)
        raise UnknownWorkload(f"nothing is called {sorted(unknown)[0]}; there are {known}")
    return [workload for workload in WORKLOADS if not names or workload.name in names]
