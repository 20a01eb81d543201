"""Who goes on, at each point: all that is possible within a bound, or what hypothesis draws."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st

from tests.models.scheduler import Schedule, Scheduler, Task, Wrong

DEPTH = int(os.environ.get("DEPTH", "0"))
"""How much deeper than in an ordinary run: that many more changes; and so many times as many examples."""

Scenario: TypeAlias = Callable[[Scheduler], Callable[[], None]]
"""Makes the objects and the threads; returns what looks at the objects when all is over."""


@dataclass(slots=True)
class Choice:
    """of: so many. made: its number; 0 is whose turn it is."""

    of: int
    made: int = 0


class Exhaustive(Schedule):
    """Depth first. Whose turn it is: who runs, for as long as he can; then the next in the order in which they were
    started. changes: how often at most another one goes on than whose turn it is."""

    def __init__(self, changes: int, begin: Sequence[int] = ()) -> None:
        self._changes = changes
        self._choices: list[Choice] = []
        self._begin = list(begin)
        self._at = 0

    def choose(self, able: list[Task], goes_on: bool) -> Task:
        if len(able) == 1:
            return able[0]
        if self._at == len(self._choices):
            self._choices.append(Choice(len(able), self._begin.pop(0) if self._begin else 0))
        choice = self._choices[self._at]
        assert choice.of == len(able), "the scenario is not the same each time"
        self._at += 1
        return able[choice.made]

    def next(self) -> bool:
        """The next schedule; False when that was the last."""
        self._at = 0
        used = sum(choice.made > 0 for choice in self._choices)
        while self._choices:
            last = self._choices[-1]
            used -= last.made > 0
            if last.made + 1 < last.of and used < self._changes:
                last.made += 1
                return True
            self._choices.pop()
        return False

    @property
    def made(self) -> list[int]:
        """The choices, for `replay`."""
        return [choice.made for choice in self._choices]


def explore(scenario: Scenario, changes: int, most: int | None = None) -> int:
    """Every schedule with so many changes at most; how many there were. most: then it is given up."""
    schedule = Exhaustive(changes)
    count = 0
    while True:
        try:
            once(scenario, schedule)
        except AssertionError as error:
            raise Wrong(f"{error}\nthe {count + 1}. schedule; replay(..., {schedule.made})") from error
        count += 1
        if not schedule.next():
            return count
        assert most is None or count < most, f"more than {most} schedules"


def replay(scenario: Scenario, choices: Sequence[int]) -> None:
    """The schedule that a failure has told of."""
    once(scenario, Exhaustive(0, choices))


def once(scenario: Scenario, schedule: Schedule, lines: bool = False) -> None:
    scheduler = Scheduler(schedule, lines)
    with scheduler.instead():
        look = scenario(scheduler)
        scheduler.finish()
        try:
            look()
        except AssertionError as error:
            raise Wrong(scheduler.picture(error)) from error


class InTurn(Schedule):
    """Nobody is stopped."""

    def choose(self, able: list[Task], goes_on: bool) -> Task:
        return able[0]


class Drawn(Schedule):
    """switches: (points that are passed, who goes on then), one after the other."""

    def __init__(self, switches: Sequence[tuple[int, int]]) -> None:
        self._switches = list(reversed(switches))
        self._left = self._switches[-1][0] if self._switches else 0

    def choose(self, able: list[Task], goes_on: bool) -> Task:
        if not self._switches or (goes_on and len(able) == 1):
            return able[0]
        if self._left:
            self._left -= 1
            return able[0]
        _, who = self._switches.pop()
        self._left = self._switches[-1][0] if self._switches else 0
        return able[who % len(able)]


class Some(Schedule):
    """Of another schedule so many points; then nobody goes on until the next run."""

    def __init__(self, schedule: Drawn, points: int) -> None:
        self._schedule = schedule
        self._points = points

    def choose(self, able: list[Task], goes_on: bool) -> Task | None:
        if goes_on and len(able) == 1:
            return able[0]
        self._points -= 1
        return self._schedule.choose(able, goes_on) if self._points >= 0 else None


def drawn() -> st.SearchStrategy[Drawn]:
    return st.lists(st.tuples(st.integers(0, 60), st.integers(0, 7)), max_size=30).map(Drawn)
