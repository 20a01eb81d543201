"""Calls by SIP, with RTP: dialled by sipp, answered and hung up by an Erlang process, or by the dialplan."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import ALONE, COMPILED, THEIRS
from scripts.bench.peers import sipp
from scripts.bench.results import Measured, Unit
from scripts.bench.shared import Shared
from scripts.bench.turns import Turn, Workload

AT_ONCE = {1: 40, 20: 300}
"""Calls at a time, and how many of them are made."""
_POLLED = {1: 20, 20: 120}


def no_sofia(shared: Shared) -> str | None:
    module = shared.found.mod_dir / "mod_sofia.so"
    return None if module.exists() else f"no {module}"


def rate(at_once: int) -> str:
    return f"{at_once} at a time"


def measure(turn: Turn) -> Iterator[Measured]:
    assert turn.switch.sip_port is not None
    port, extension = turn.switch.sip_port, "alone"
    turn.switch.api("fsctl loglevel err")
    if turn.contender is not ALONE:
        peer, extension = turn.shared.erlang(), "sip"
        peer.measure("answer")
        turn.switch.api(f"global_setvar bench_node={peer.name}")
    sipp.call(port, extension, 10, 1)
    for at_once in AT_ONCE:
        count = turn.requests(AT_ONCE[at_once], polled=_POLLED[at_once])
        took, found = turn.switch.cpu_of(lambda: sipp.call(port, extension, count, at_once))  # noqa: B023
        yield Measured(rate(at_once), Unit.RATE, count / found.seconds)
        yield Measured(f"{rate(at_once)}, CPU of the switch", Unit.MICROSECONDS, took / count * 1e6)
        yield Measured(f"{rate(at_once)}, INVITE to 200, p50", Unit.MILLISECONDS, found.p50)
        yield Measured(f"{rate(at_once)}, INVITE to 200, p99", Unit.MILLISECONDS, found.p99)


SIP = Workload(
    "sip",
    "SIP calls by sipp, answered and hung up",
    measure,
    (ALONE, COMPILED, THEIRS),
    sip=True,
    lacks=lambda shared: no_sofia(shared) or sipp.lacks(),
)
