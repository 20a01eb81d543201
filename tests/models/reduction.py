"""All that threads can do, without trying two orders of steps that have nothing to do with each other.

A step is what one thread does from one point of the scheduler to the next. Two steps are in conflict when one writes
what the other touches (touched.py); of schedules in which all steps in conflict have the same order one is enough,
since all ends are the same. This is dynamic partial-order reduction with source sets and sleep sets (Abdulla,
Aronis, Jonsson, Sagonas: Optimal dynamic partial order reduction, 2014), made simpler where it costs little: each
conflict is looked at, and not only those that follow each other; and where a thread could not have run, all who could
are tried. A moment at which nobody can go on, so that time moves, has everything that was before it behind it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from tests.models.scheduler import Schedule, Scheduler, Task, Wrong
from tests.models.schedules import Scenario
from tests.models.touched import CLOCK, Now, Touches, begin_run, conflict, take_touches, watched

Name = tuple[object, ...]
"""Of a thread: who started it, and as the how manyth."""


@dataclass(eq=False)
class Step:
    """And the state before it. able: who could run. chosen: who ran. asleep: whose next step was tried before, with
    nothing in conflict with it since. tried: whose were tried here. wanted: who are to be tried. clock: how many steps
    of each thread come before it, itself included, in every order that has the same conflicts."""

    able: list[Name]
    asleep: dict[Name, Touches]
    chosen: Name
    number: int
    tried: dict[Name, Touches] = field(default_factory=dict)
    wanted: set[Name] = field(default_factory=set)
    touches: Touches = field(default_factory=dict)
    clock: dict[Name, int] = field(default_factory=dict)


class Reduced(Schedule):
    """runs: schedules to the end. cut: those that would have repeated one."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.is_cut = False
        self._history: dict[object, list[tuple[int, bool]]] = defaultdict(list)
        self._of: dict[Name, list[int]] = defaultdict(list)
        self._born: dict[Name, int] = {}
        self._depth = 0
        self._since = 0
        self._rests = False

    def begin(self) -> None:
        """A run."""
        self._depth = self._since = 0
        self._rests = self.is_cut = False

    # while it runs

    def choose(self, able: list[Task], goes_on: bool) -> Task | None:
        by_name = {task.key: task for task in able}
        if self._rests:
            self._since, self._rests = self._depth, False
        if self._depth == len(self.steps) and not self._go_further(list(by_name)):
            self.is_cut = True
            return None
        step = self.steps[self._depth]
        assert step.able == list(by_name), "the scenario is not the same each time"
        self._depth += 1
        Now.maker = step.chosen
        Now.touches = {} if self._depth == len(self.steps) else None
        return by_name[step.chosen]

    def _go_further(self, able: list[Name]) -> bool:
        """False when whatever is done now was done before."""
        asleep: dict[Name, Touches] = {}
        if self._depth > self._since:
            last = self.steps[-1]
            before = {**last.asleep, **last.tried}.items()
            asleep = {name: touches for name, touches in before if not conflict(touches, last.touches)}
            asleep.pop(last.chosen, None)
        chosen = next((name for name in able if name not in asleep), None)
        if chosen is None:
            return False
        self.steps.append(Step(able, asleep, chosen, len(self._of[chosen]), wanted={chosen}))
        self._of[chosen].append(self._depth)
        return True

    def begins(self, task: Task) -> None:
        self._born[task.key] = self._depth - 1

    def stepped(self) -> None:
        touches = take_touches()
        if touches is None:
            return
        index = len(self.steps) - 1
        step = self.steps[index]
        before = self._before(step.chosen, index)
        conflicts = self._conflicts(touches)
        self._races(step.chosen, before, conflicts, index)
        clock = dict(before)
        for at in conflicts:
            _join(clock, self.steps[at].clock)
        clock[step.chosen] = step.number + 1
        step.touches, step.clock = touches, clock
        for key, write in touches.items():
            self._history[key].append((index, write))

    def rest(self, tasks: list[Task]) -> None:
        """Who still waits would perhaps not, had others gone on in another order."""
        if self._depth == len(self.steps) and not self._rests:
            for task in tasks:
                if not task.done and task.ready is not None:
                    Now.touches = {CLOCK: False} if task.deadline < math.inf else {}
                    task.ready()
                    touches = take_touches() or {}
                    before = self._before(task.key, len(self.steps))
                    self._races(task.key, before, self._conflicts(touches), len(self.steps))
        self._rests = True

    # what is to be tried

    def _before(self, name: Name, index: int) -> dict[Name, int]:
        """What is behind a thread before its step of that index."""
        own = [at for at in self._of[name][-2:] if at < index]
        at = own[-1] if own else self._born.get(name, -1)
        return self.steps[at].clock if at >= 0 else {}

    def _conflicts(self, touches: Touches) -> list[int]:
        """The steps in conflict with one that touches these, since nobody could go on."""
        found = set()
        for key, write in touches.items():
            for at, wrote in reversed(self._history.get(key, ())):
                if at < self._since:
                    break
                if write or wrote:
                    found.add(at)
        return sorted(found)

    def _races(self, name: Name, before: dict[Name, int], conflicts: list[int], index: int) -> None:
        """A thread's step conflicts with these: have it tried before each that nothing keeps behind it."""
        for at in conflicts:
            step = self.steps[at]
            if step.chosen != name and before.get(step.chosen, 0) <= step.number:
                self._want(at, name, before, conflicts, index)

    def _want(self, at: int, name: Name, before: dict[Name, int], conflicts: list[int], index: int) -> None:
        """At that step, one who can be first of all that does not come behind it, and the step of that thread."""
        first = self.steps[at]
        between = [step for step in self.steps[at + 1 : index] if step.clock.get(first.chosen, 0) <= first.number]
        clock = dict(before)
        for one in conflicts:
            if one > at and self.steps[one] in between:
                _join(clock, self.steps[one].clock)
        initials: list[Name] = []
        seen: set[Name] = set()
        for position, (who, behind) in enumerate([*((one.chosen, one.clock) for one in between), (name, clock)]):
            if who not in seen:
                seen.add(who)
                if all(behind.get(one.chosen, 0) <= one.number for one in between[:position]):
                    initials.append(who)
        if any(one in first.wanted or one in first.asleep for one in initials):
            return
        possible = [one for one in initials if one in first.able]
        first.wanted.update([name] if name in possible else possible[:1] or first.able)

    def next(self) -> bool:
        """The next schedule; False when that was the last."""
        while self.steps:
            step = self.steps[-1]
            for key in step.touches:
                self._history[key].pop()
            self._of[step.chosen].pop()
            step.tried[step.chosen] = step.touches
            left = [one for one in step.able if one in step.wanted and one not in {**step.tried, **step.asleep}]
            if left:
                step.chosen, step.number = left[0], len(self._of[left[0]])
                step.touches, step.clock = {}, {}
                self._of[left[0]].append(len(self.steps) - 1)
                return True
            self.steps.pop()
        return False

    @property
    def made(self) -> list[int]:
        """The choices, for `replay`."""
        return [step.able.index(step.chosen) for step in self.steps if len(step.able) > 1]


def _join(clock: dict[Name, int], other: dict[Name, int]) -> None:
    for name, number in other.items():
        if number > clock.get(name, 0):
            clock[name] = number


@dataclass(frozen=True)
class Covered:
    """runs: schedules, one for each order of what is in conflict. cut: begun, and given up as a repetition."""

    runs: int
    cut: int


def cover(scenario: Scenario) -> None:
    """Every schedule, and tell how many there were; with more than MOST it is to be said which are too many."""
    covered = explore_all(scenario, MOST)
    print(f"{covered.runs} schedules are all that differ; {covered.cut} more were begun")


MOST = 2_500
"""Schedules of a scenario that is covered as a whole, those that are cut included."""


def explore_all(scenario: Scenario, most: int | None = None) -> Covered:
    """Every schedule, but for what the reduction leaves out. most: then it is given up."""
    schedule = Reduced()
    runs = cut = 0
    with watched():
        while True:
            schedule.begin()
            begin_run()
            try:
                if _once(scenario, schedule):
                    runs += 1
                else:
                    cut += 1
            except AssertionError as error:
                raise Wrong(f"{error}\nthe {runs + 1}. schedule; replay(..., {schedule.made})") from error
            if not schedule.next():
                return Covered(runs, cut)
            assert most is None or runs + cut < most, f"more than {most} schedules"


def _once(scenario: Scenario, schedule: Reduced) -> bool:
    """False when it was cut."""
    scheduler = Scheduler(schedule)
    with scheduler.instead():
        look = scenario(scheduler)
        scheduler.run()
        if schedule.is_cut:
            return False
        scheduler.check_all_ended()
        try:
            look()
        except AssertionError as error:
            raise Wrong(scheduler.picture(error)) from error
    return True
