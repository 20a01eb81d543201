"""What is to be told of the rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.trials.fuzz.rounds import End, Outcome
from scripts.trials.usage import Usage
from scripts.trials.watcher import Kind, Watched

OTHERS = 0.1
"""Seconds in which everybody else is to be answered, beside what the machine itself delays."""
ANSWERS = (Kind.API, Kind.EVENTS, Kind.LOOKUP)
"""What one answer is waited for; a call has eight steps."""
GROWTH = 64 * 1024
"""KiB of memory that may be more afterwards: what is remembered, and the allocator's."""


@dataclass
class Report:
    """slow: in how many seconds others waited longer than OTHERS. late: in how many of them not for the machine.
    crashes, tracebacks: of the switch. faults: a line for each of what must not be."""

    rounds: int = 0
    frames: int = 0
    ends: Counter[tuple[str, End]] = field(default_factory=Counter)
    watched: Watched | None = None
    slow: int = 0
    late: int = 0
    crashes: int = 0
    tracebacks: int = 0
    lines: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.rounds += 1
        self.frames += outcome.frames
        self.ends[outcome.what, outcome.end] += 1

    def see(self, watched: Watched, waited: float, number: int) -> float:
        """What became of the others since they were last looked at; returns their worst delay, in seconds. waited: how
        long the switch has waited for a processor meanwhile, which delays an answer as much as the others' own wait.
        number: of the round."""
        slowest = max(watched.seen[kind].slowest for kind in ANSWERS)
        self.slow += slowest > OTHERS
        delayed = waited + watched.seen[Kind.MACHINE].slowest
        if slowest > OTHERS + delayed:
            self.late += 1
            late = f"others waited {slowest * 1000:.0f} ms, for the machine {delayed * 1000:.0f} at most"
            self.faults.append(f"around round {number}: {late}")
        self.watched = watched if self.watched is None else self.watched + watched
        return slowest

    def judge(self, before: Usage, after: Usage) -> None:
        """All but what was seen in a round."""
        assert self.watched is not None
        others = self.watched.others
        for count, what in (
            (others.lost, "lost replies, events or calls of others"),
            (others.doubled, "doubled ones of others"),
            (others.refused, "requests of others refused"),
            (others.told, "times others lost their link"),
            (max(0, after.threads - before.threads), "more threads afterwards"),
            (max(0, after.descriptors - before.descriptors), "more descriptors afterwards"),
            (after.memory - before.memory if after.memory - before.memory > GROWTH else 0, "KiB more afterwards"),
        ):
            if count:
                self.faults.append(f"{count} {what}")

    def tables(self, before: Usage | None, after: Usage | None) -> str:
        """In Markdown. before, after: None where the switch has ended."""
        rows = [
            ("connections", f"{self.rounds:,}"),
            ("frames, packets, requests sent", f"{self.frames:,}"),
            ("crashes", f"{self.crashes}"),
            ("tracebacks and ERR lines of the node", f"{self.tracebacks}"),
            ("lines of WARNING and above", f"{self.lines:,}"),
            (f"seconds with an answer to others after {OTHERS * 1000:.0f} ms", f"{self.slow}"),
            ("of these, not since the machine was busy", f"{self.late}"),
        ]
        if before is not None and after is not None:
            rows += [
                ("threads, before and afterwards", f"{before.threads}, {after.threads}"),
                ("descriptors", f"{before.descriptors}, {after.descriptors}"),
                ("memory, MiB", f"{before.memory // 1024}, {after.memory // 1024}"),
            ]
        return "\n\n".join((_table(("", ""), rows), self._ends(), self._others()))

    def _ends(self) -> str:
        kinds = sorted({what for what, _ in self.ends})
        rows = [(what, *(f"{self.ends[what, end]:,}" for end in End)) for what in kinds]
        return _table(("connections with", *(end.value for end in End)), rows)

    def _others(self) -> str:
        rows = []
        for kind, seen in self.watched.seen.items() if self.watched is not None else ():
            wrong = [f"{count:,}" for count in (seen.lost, seen.doubled, seen.refused)]
            rows.append(
                (
                    kind.value,
                    f"{seen.done:,}",
                    *(wrong if kind is not Kind.MACHINE else [""] * 3),
                    f"{seen.slowest * 1000:.0f} ms",
                )
            )
        return _table(("the others", "done", "lost", "doubled", "refused", "slowest"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    rule = ("---", *["---:"] * (len(head) - 1))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
