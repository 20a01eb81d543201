"""Who is measured when. Contenders take turns, A B C A B C, each time in a new FreeSWITCH: so a minute in which the
machine is slow, or a process that happens to lie badly in memory, is nobody's alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from scripts.bench.contenders import ALONE, Contender
from scripts.bench.errors import BenchError
from scripts.bench.peers.erlang import ErlangPeer
from scripts.bench.results import Failure, Measured, Sample
from scripts.bench.shared import Shared
from scripts.bench.switch import Switch, started
from scripts.scratch import ScratchError

QUICK_SHARE = 20
SECONDS = 6
"""That a turn takes, more or less."""


@dataclass(frozen=True)
class Turn:
    """A contender's time with a workload. alone: what FreeSWITCH alone took in this round, by what it is of."""

    contender: Contender
    switch: Switch
    shared: Shared
    quick: bool = False
    alone: dict[str, float] = field(default_factory=dict)

    def erlang(self, number: int = 0) -> ErlangPeer:
        """An Erlang node that reaches the contender. Raises BenchError."""
        return self.shared.erlang(number, self.contender.tls)

    def requests(self, usual: int, polled: int) -> int:
        """How many to send. polled: to one that looks for them every 10 ms."""
        return self._volume(polled if self.contender.polls_requests else usual)

    def events(self, usual: int, polled: int) -> int:
        """How many to have fired. polled: for one that sends one every 10 ms."""
        return self._volume(polled if self.contender.polls_events else usual)

    def seconds(self, usual: float) -> float:
        """How long to go on."""
        return usual / 4 if self.quick else usual

    def _volume(self, usual: int) -> int:
        return max(usual // QUICK_SHARE, 20) if self.quick else usual


Measure = Callable[[Turn], Iterator[Measured]]


@dataclass(frozen=True)
class Workload:
    """name: on the command line and in the JSON. title: over its tables. contenders: those that can do it. rounds: the
    most; None for all. sip: whether mod_sofia is loaded for it. lacks: what is missing on this machine, in a few words,
    else None."""

    name: str
    title: str
    measure: Measure
    contenders: Sequence[Contender]
    rounds: int | None = None
    sip: bool = False
    lacks: Callable[[Shared], str | None] = lambda _: None


@dataclass(frozen=True)
class Place:
    """A turn that is to come."""

    workload: Workload
    contender: Contender
    round: int


def places(workloads: Sequence[Workload], contenders: Sequence[Contender], rounds: int) -> list[Place]:
    """All turns in their order: workload by workload, round by round, contender by contender."""
    return [
        Place(workload, contender, number)
        for workload in workloads
        for number in range(1, min(rounds, workload.rounds or rounds) + 1)
        for contender in contenders
        if contender in workload.contenders
    ]


def take(
    places: Sequence[Place], shared: Shared, quick: bool, told: Callable[[str], None]
) -> Iterator[Sample | Failure]:
    """Run them. told: gets a line for each turn as it ends."""
    began = time.monotonic()
    alone: dict[str, float] = {}
    alone_in = None
    for done, place in enumerate(places):
        where = (place.workload.name, place.contender.name, place.round)
        if (place.workload, place.round) != alone_in:
            alone, alone_in = {}, (place.workload, place.round)
        found: list[Sample | Failure] = []
        try:
            with started(place.contender, shared, place.workload.sip) as switch:
                for measured in place.workload.measure(Turn(place.contender, switch, shared, quick, alone)):
                    found.append(Sample(*where, measured))
        except (BenchError, ScratchError, OSError) as error:
            found.append(Failure(*where, " ".join(str(error).split())[:300]))
            told(f"{' '.join(map(str, where))}: {error}")
            shared.forget_erlang()
        for one in found:
            if isinstance(one, Sample) and place.contender is ALONE and one.measured.at is None:
                alone[one.measured.what] = one.measured.value
        yield from found
        left = (time.monotonic() - began) / (done + 1) * (len(places) - done - 1)
        told(f"{done + 1}/{len(places)} {' '.join(map(str, where))}; {left:.0f} s left")
