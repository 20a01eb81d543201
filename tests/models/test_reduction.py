"""That the reduction loses nothing: small programs end in all the ways in which they do when all schedules are run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.models.reduction import explore_all
from tests.models.scheduler import Condition, Event, Lock, Scheduler, SimpleQueue, Time
from tests.models.schedules import DEPTH, explore

ALL = 1_000_000
"""Changes of threads: any number."""

Act: TypeAlias = tuple[str, int]
Program: TypeAlias = tuple[tuple[Act, ...], ...]
"""What each thread does. The number says with which of two things."""


class TooMany(Exception):
    """Schedules, to run them all."""


class Shared:
    """What the threads of a program have in common."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.first = self.second = 0
        self.table: dict[int, int] = {}
        self.locks = Lock(scheduler, "program.outer"), Lock(scheduler, "program.inner")
        self.queues = SimpleQueue(scheduler), SimpleQueue(scheduler)
        self.event = Event(scheduler, "program.event")
        self.told = Condition(scheduler, Lock(scheduler, "program.told"))
        self.time = Time(scheduler)

    def read(self, which: int) -> int:
        return self.second if which else self.first

    def write(self, which: int, value: int) -> None:
        if which:
            self.second = value
        else:
            self.first = value


class Thread:
    """seen: what it has read, one after the other."""

    def __init__(self, shared: Shared, name: str) -> None:
        self.shared = shared
        self.name = name
        self.seen: list[object] = []

    def run(self, acts: tuple[Act, ...]) -> None:
        for act, which in acts:
            getattr(self, act)(which)

    def add(self, which: int) -> None:
        """One, to what was read a moment ago."""
        before = self.shared.read(which)
        self.shared.scheduler.point("between")
        self.shared.write(which, before + 1)
        self.seen.append(before)

    def add_locked(self, which: int) -> None:
        with self.shared.locks[which]:
            self.add(which)

    def add_at_once(self, which: int) -> None:
        with self.shared.locks[0]:
            self.shared.write(which, self.shared.read(which) + 1)

    def both_locks(self, which: int) -> None:
        with self.shared.locks[0], self.shared.locks[1]:
            self.seen.append(self.shared.read(which))

    def try_lock(self, which: int) -> None:
        if self.shared.locks[which].acquire(blocking=False):
            self.shared.scheduler.point("has it")
            self.shared.locks[which].release()
            self.seen.append("taken")

    def keep(self, which: int) -> None:
        self.shared.table[which] = len(self.shared.table)

    def look(self, which: int) -> None:
        self.shared.scheduler.point("looks")
        self.seen.append(tuple(self.shared.table.items()))

    def put(self, which: int) -> None:
        self.shared.queues[which].put(self.name)

    def get(self, which: int) -> None:
        self.seen.append(self.shared.queues[which].get())

    def get_in_time(self, which: int) -> None:
        try:
            self.seen.append(self.shared.queues[which].get(timeout=1 + which))
        except Exception as error:
            self.seen.append(type(error).__name__)

    def sleep(self, which: int) -> None:
        self.shared.time.sleep(1 + which)
        self.seen.append(self.shared.time.monotonic())

    def signal(self, which: int) -> None:
        if which:
            self.shared.event.clear()
        else:
            self.shared.event.set()

    def wait(self, which: int) -> None:
        self.seen.append(self.shared.event.wait(1 if which else None))

    def tell(self, which: int) -> None:
        with self.shared.told:
            self.shared.told.notify(1 + which)

    def be_told(self, which: int) -> None:
        with self.shared.told:
            self.seen.append(self.shared.told.wait(1 + which))

    def start(self, which: int) -> None:
        other = Thread(self.shared, f"{self.name}{which}")
        self.shared.scheduler.start(other.name, partial(other.add, which), serves=True)


ACTS = [name for name in vars(Thread) if name not in ("run",) and not name.startswith("__")]


@dataclass
class Ends:
    """of: the ends of all schedules that were run; each is what is shared then, and what each thread has seen."""

    program: Program

    def scenario(self, ends: set[object], most: int) -> Callable[[Scheduler], Callable[[], None]]:
        count = [0]

        def begin(scheduler: Scheduler) -> Callable[[], None]:
            count[0] += 1
            if count[0] > most:
                raise TooMany
            shared = Shared(scheduler)
            threads = [Thread(shared, "abc"[number]) for number in range(len(self.program))]
            tasks = [
                scheduler.start(thread.name, partial(thread.run, acts), serves=True)
                for thread, acts in zip(threads, self.program, strict=True)
            ]

            def look() -> None:
                seen = tuple((tuple(thread.seen), task.done) for thread, task in zip(threads, tasks, strict=True))
                table = tuple(shared.table.items())
                ends.add((shared.first, shared.second, table, scheduler.clock, seen))

            return look

        return begin


def ends_of(program: Program, reduced: bool, most: int) -> tuple[set[object], int]:
    """And how many schedules were run."""
    ends: set[object] = set()
    scenario = Ends(program).scenario(ends, most)
    count = explore_all(scenario).runs if reduced else explore(scenario, ALL)
    return ends, count


acts = st.tuples(st.sampled_from(ACTS), st.integers(0, 1))
programs = st.one_of(
    st.tuples(st.lists(acts, min_size=1, max_size=4).map(tuple), st.lists(acts, min_size=1, max_size=4).map(tuple)),
    st.tuples(*(st.lists(acts, min_size=1, max_size=2).map(tuple) for _ in range(3))),
)


@settings(max_examples=25 * (1 + 20 * DEPTH), deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs)
def test_no_end_is_lost(program: Program) -> None:
    try:
        every, schedules = ends_of(program, False, 300 * (1 + 5 * DEPTH))
    except TooMany:
        return
    reduced, runs = ends_of(program, True, schedules)
    assert reduced == every
    assert runs <= schedules


def test_steps_that_have_nothing_to_do_with_each_other() -> None:
    program: Program = ((("add_locked", 0), ("keep", 0)), (("add_locked", 1), ("put", 1)))
    every, schedules = ends_of(program, False, 10_000)
    reduced, runs = ends_of(program, True, 10)
    assert reduced == every
    assert runs == 1 < schedules
