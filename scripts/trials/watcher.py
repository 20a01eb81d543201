"""Everybody else's traffic during a trial, and what became of it: lost, doubled, how long the slowest took.

An Erlang node of its own (watch.erl) does one thing after the other of each kind, all the time, and connects again when
the switch was away.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType

from scripts.bench.peers.erlang import ErlangPeer
from scripts.trials.switch import COOKIE, Switch

SOURCE = Path(__file__).with_name("watch.erl")


class Kind(Enum):
    """What is done, in the order in which watch.erl tells of it."""

    API = "api"
    """`{api, echo, Number}`, every 2 ms."""
    EVENTS = "events"
    """Ten `sendevent`, and the ten events of a subscription to them."""
    CALL = "call"
    """Dialled by bgapi, handed to a process, answered, hung up by it, until its call_hangup."""
    LOOKUP = "look-up"
    """In the directory, by FreeSWITCH; answered by the watcher."""
    MACHINE = "machine"
    """A sleep of 10 ms, and how much too long it was: what the machine itself delays."""


TRAFFIC = (Kind.API, Kind.EVENTS, Kind.CALL, Kind.LOOKUP)


@dataclass(frozen=True)
class Seen:
    """Of one kind. lost: never came, though the link was up. doubled: answers and events that nobody awaited. refused:
    answered by an error. told: ended by a nodedown. slowest: seconds, of what is still under way too."""

    done: int
    lost: int
    doubled: int
    refused: int
    told: int
    slowest: float

    def __add__(self, later: Seen) -> Seen:
        return Seen(
            self.done + later.done,
            self.lost + later.lost,
            self.doubled + later.doubled,
            self.refused + later.refused,
            self.told + later.told,
            max(self.slowest, later.slowest),
        )


NOTHING = Seen(0, 0, 0, 0, 0, 0.0)


@dataclass(frozen=True)
class Watched:
    """By kind."""

    seen: dict[Kind, Seen]

    def __add__(self, later: Watched) -> Watched:
        return Watched({kind: self.seen[kind] + later.seen[kind] for kind in Kind})

    @property
    def others(self) -> Seen:
        """All kinds but the machine's, together."""
        found = NOTHING
        for kind, seen in self.seen.items():
            found = found if kind is Kind.MACHINE else found + seen
        return found


class Watcher:
    """Begins when it is made. folder: its home, where watch.erl is compiled to; may be that of others."""

    def __init__(self, switch: Switch, folder: Path) -> None:
        """Raises BenchError, OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._erlang = ErlangPeer(folder, switch.epmd_port, COOKIE, SOURCE)
        self.name = self._erlang.name
        self._erlang.measure("watch", f"'{switch.name}'")

    def take(self) -> Watched:
        """What was seen since it was last asked. Raises BenchError."""
        return watched(self._erlang.measure("take"))

    def finish(self) -> Watched:
        """The same, once nothing is under way any more, which may take as long as what is lost is waited for: 30 s."""
        return watched(self._erlang.measure("finish"))

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._erlang.close()


def watched(numbers: list[float]) -> Watched:
    """Of what watch.erl tells: six numbers for each kind."""
    rows = [numbers[at : at + 6] for at in range(0, len(numbers), 6)]
    return Watched(
        {
            kind: Seen(int(done), int(lost), int(doubled), int(refused), int(told), slowest / 1e6)
            for kind, (done, lost, doubled, refused, told, slowest) in zip(Kind, rows, strict=True)
        }
    )
