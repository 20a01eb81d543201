"""Threads of which one runs at a time, so that a test decides who, and when.

The objects under test are the real ones, in real threads. What they find as `threading`, `queue` and `time` is made
here: each taking and letting go of a lock, each waiting, each call into the switch is a point where another thread may
go on. A schedule (schedules.py) says at each point who does. Time passes while somebody sleeps, and by
`pass_time`; and when nobody can run it moves on to when the next one can who does not serve.

It fails when nobody can run and somebody waits for ever; when a lock is held while the switch is called; and when two
locks are taken in one order here and in the other there, in whatever runs of one process.
"""

from __future__ import annotations

import concurrent.futures._base
import linecache
import math
import queue
import re
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType, ModuleType, TracebackType
from typing import Any, ClassVar, NoReturn

from tests.models.order import ORDER
from tests.models.touched import name_of, touch, touch_clock, touch_lock

PACKAGE = "mod_erlang_py"
MAX_POINTS = 20_000
"""Of a run; with more something goes round for ever."""


class Schedule:
    def choose(self, able: list[Task], goes_on: bool) -> Task | None:
        """Who runs, of those who can; None for nobody, now. goes_on: whether the first of them runs already."""
        raise NotImplementedError

    def begins(self, task: Task) -> None:
        """A thread has been started."""

    def stepped(self) -> None:
        """Who ran has come to a point."""

    def rest(self, tasks: list[Task]) -> None:
        """Nobody can go on. Time moves now, or all is over."""


class Wrong(AssertionError):
    """What the objects did must not be."""


class Abandoned(BaseException):
    """The run is over: a thread that still waits is to leave."""


class Task:
    """What one thread does. serves: for as long as there is something to do; else it must come to its end."""

    def __init__(self, name: str, run: Callable[[], object], serves: bool) -> None:
        self.name = name
        self.run = run
        self.serves = serves
        self.worker: Worker | None = None
        self.done = False
        self.held: list[Lock] = []
        self.at = "its beginning"
        self.ready: Callable[[], bool] | None = None
        self.deadline = math.inf
        self.leaving = False
        self.key: tuple[object, ...] = ()
        """Who started it, and as the how manyth: the same in each run."""
        self.children = 0

    def __repr__(self) -> str:
        return self.name


class Worker(threading.Thread):
    """A thread that is used again, since a test makes a hundred thousand."""

    idle: ClassVar[list[Worker]] = []

    def __init__(self) -> None:
        super().__init__(daemon=True, name="scheduled")
        self.turn = threading.Lock()
        self.turn.acquire()
        self.job: Callable[[], None] = lambda: None

    @classmethod
    def get(cls) -> Worker:
        if cls.idle:
            return cls.idle.pop()
        worker = cls()
        worker.start()
        return worker

    def run(self) -> None:
        while True:
            self.turn.acquire()
            self.job()


class Scheduler:
    """story: who went on where, for the picture of a failure. lines: whether each line is a point, too."""

    def __init__(self, schedule: Schedule, lines: bool = False) -> None:
        self.schedule = schedule
        self.tasks: list[Task] = []
        self.current: Task | None = None
        self.clock = 0.0
        self.story: list[str] = []
        self.wrong: list[BaseException] = []
        self.points = 0
        self._lines = lines
        self._over = False
        self._turn = threading.Lock()
        self._turn.acquire()

    # what a test does

    def start(self, name: str, run: Callable[[], object], serves: bool = False) -> Task:
        """A thread; it begins when it is chosen."""
        task = Task(name, run, serves)
        if self.current is None:
            task.key = (len(self.tasks),)
        else:
            self.current.children += 1
            task.key = (self.current.key, self.current.children)
        self.tasks.append(task)
        self.schedule.begins(task)
        return task

    def run(self) -> None:
        """Until nobody can go on, or the schedule has nobody go on. Raises what went wrong."""
        self.points = 0
        chosen = self._next()
        if chosen is not None:
            self._hand_to(chosen)
            self._turn.acquire()
        self.current = None
        if self.wrong:
            raise Wrong(self.picture(self.wrong[0])) from self.wrong[0]

    def finish(self) -> None:
        """Run, and see that everybody has come to his end."""
        self.run()
        self.check_all_ended()

    def check_all_ended(self) -> None:
        stuck = [task for task in self.tasks if not task.done and (not task.serves or task.held or _wants_lock(task))]
        if stuck:
            raise Wrong(self.picture(Wrong("nobody can go on")))

    def picture(self, why: BaseException) -> str:
        """What happened, and who is where."""
        lines = [f"{type(why).__name__}: {why}", "who went on, and where he stood then:", *self.story, "who is where:"]
        frames = sys._current_frames()
        for task in self.tasks:
            if task.done:
                continue
            lines.append(f"  {task.name}: {task.at}; holds {', '.join(lock.name for lock in task.held) or 'nothing'}")
            ident = task.worker.ident if task.worker is not None else None
            if ident is not None and (frame := frames.get(ident)) is not None and task.worker is not None:
                ours = [one for one in traceback.extract_stack(frame) if f"/{PACKAGE}/" in one.filename]
                lines += [f"    {one.filename.rpartition(PACKAGE)[2]}:{one.lineno} {one.line}" for one in ours]
        return "\n".join(lines)

    @contextmanager
    def instead(self) -> Iterator[Scheduler]:
        """The modules of the package find our locks, queues and clock; at the end all threads are gone."""
        fakes = {
            "threading": Threading(self),
            "queue": Queue(self),
            "time": Time(self),
        }
        places = _places()
        for module, name in places:
            setattr(module, name, fakes[name])
        try:
            yield self
        finally:
            self.abandon()
            for module, name in places:
                setattr(module, name, _REAL[name])

    def abandon(self) -> None:
        """Have those who still wait leave."""
        self._over = True
        for task in self.tasks:
            if not task.done and task.worker is not None:
                self.current = task
                task.worker.turn.release()
                self._turn.acquire()
        self.current = None

    # what threads do

    def point(self, at: str) -> None:
        """Another thread may go on."""
        task = self.current
        if task is None or task.leaving:
            return
        task.at = at
        self._switch(task)

    def block(self, ready: Callable[[], bool], what: str, seconds: float | None = None) -> bool:
        """Wait. Whether it is ready; else the seconds are over."""
        task = self.current
        if task is None:
            if not ready():
                raise Wrong(f"the test itself would wait for {what}")
            return True
        if task.leaving:
            raise Abandoned
        task.at = f"waits for {what}"
        task.ready = ready
        if seconds:
            touch_clock(False)
        task.deadline = self.clock + (math.inf if seconds is None else seconds)
        self._switch(task)
        task.ready = None
        if seconds:
            touch_clock(False)
        return ready()

    def pass_time(self, seconds: float) -> None:
        touch_clock(True)
        self.clock += seconds
        self.point(f"{seconds} s have passed")

    def calling(self, what: str, may_hold: Collection[str] = ()) -> None:
        """The switch is called. may_hold: the locks that may be held then."""
        task = self.current
        if task is not None and not task.leaving:
            held = [lock.name for lock in task.held if lock.name not in may_hold]
            if held:
                self.fail(f"{', '.join(held)} held while the switch is called: {what}")
        self.point(what)

    def fail(self, why: str) -> NoReturn:
        """The run is over, also when somebody catches this."""
        self.wrong.append(Wrong(why))
        raise self.wrong[-1]

    def _switch(self, task: Task) -> None:
        self.points += 1
        if self.points > MAX_POINTS * (50 if self._lines else 1):
            self.fail(f"{task.name} goes round for ever")
        chosen = self._next()
        if chosen is not task:
            assert task.worker is not None
            self._hand_to(chosen)
            task.worker.turn.acquire()
            if self._over:
                task.leaving = True
                raise Abandoned

    def _next(self) -> Task | None:
        if self._over or self.wrong:
            return None
        self.schedule.stepped()
        while True:
            able = [task for task in self.tasks if not task.done and self._is_able(task)]
            if able:
                break
            self.schedule.rest(self.tasks)
            waiting = [task for task in self.tasks if not task.done and task.ready]
            clock = min((task.deadline for task in waiting if not task.serves), default=math.inf)
            if clock == math.inf:
                return None
            self.clock = clock
        goes_on = self.current in able
        if goes_on and able[0] is not self.current:
            able.remove(self.current)  # type: ignore[arg-type]
            able.insert(0, self.current)  # type: ignore[arg-type]
        return self.schedule.choose(able, goes_on)

    def _is_able(self, task: Task) -> bool:
        return task.ready is None or self.clock >= task.deadline or task.ready()

    def _hand_to(self, task: Task | None) -> None:
        """The calling thread goes no further."""
        if self.current is not None:
            self.story.append(f"  {self.current.name}: {'is done' if self.current.done else self.current.at}")
        self.current = task
        if task is None:
            self._turn.release()
            return
        if task.worker is None:
            task.worker = Worker.get()
            task.worker.job = lambda: self._work(task)
        task.worker.turn.release()

    def _work(self, task: Task) -> None:
        """In a thread of its own."""
        try:
            if self._lines:
                sys.settrace(self._trace)
            task.run()
        except Abandoned:
            pass
        except BaseException as error:
            if not self._over:
                self.wrong.append(error)
        finally:
            sys.settrace(None) if self._lines else None
        if task.held and not self._over:
            self.wrong.append(Wrong(f"{task.name} has left {task.held[0].name} locked"))
        task.done = True
        assert task.worker is not None
        Worker.idle.append(task.worker)
        self._hand_to(None if self.wrong else self._next())

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if f"/{PACKAGE}/" not in frame.f_code.co_filename:
            return None

        def line(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line":
                self.point(f"line {frame.f_lineno} of {frame.f_code.co_name}")
            return line

        return line


def _wants_lock(task: Task) -> bool:
    return task.at.startswith("waits for lock")


# --- what the modules find ------------------------------------------------------------------------------------------


class Lock:
    """threading.Lock. One taken without waiting for it counts for no order: nobody ever waits for that one."""

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self.name = name
        self._scheduler = scheduler
        self._locked = False
        self._holder: Task | None = None
        name_of(self)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        scheduler = self._scheduler
        scheduler.point(f"before {self.name}")
        touch_lock(self)
        task = scheduler.current
        if self._locked and task is not None and not task.leaving:
            if not blocking:
                return False
            if self._holder is task:
                scheduler.fail(f"{task.name} waits for {self.name}, which it holds")
            scheduler.block(self._is_free, f"lock {self.name}")
        self._locked = True
        self._holder = task
        if blocking and task is not None:
            for held in task.held:
                if circle := ORDER.add(held.name, self.name):
                    scheduler.fail(circle)
            task.held.append(self)
        return True

    def _is_free(self) -> bool:
        touch_lock(self)
        return not self._locked

    def release(self) -> None:
        touch_lock(self)
        self._locked = False
        if self._holder is not None and self in self._holder.held:
            self._holder.held.remove(self)
        self._scheduler.point(f"behind {self.name}")

    def locked(self) -> bool:
        touch_lock(self)
        return self._locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock(Lock):
    """threading.RLock, which a Condition has of its own."""

    _depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._depth and self._holder is self._scheduler.current:
            self._depth += 1
            return True
        taken = super().acquire(blocking, timeout)
        self._depth += taken
        return taken

    def release(self) -> None:
        self._depth -= 1
        if not self._depth:
            super().release()


class Condition:
    """threading.Condition. Not to be waited for by who holds its lock twice."""

    def __init__(self, scheduler: Scheduler, lock: Lock) -> None:
        self._scheduler = scheduler
        self._lock = lock
        self._waiting: deque[list[bool]] = deque()
        name_of(self)
        self.acquire, self.release = lock.acquire, lock.release

    def wait(self, timeout: float | None = None) -> bool:
        told = [False]
        if timeout:
            touch_clock(False)
        until = math.inf if timeout is None else self._scheduler.clock + timeout
        touch(self, "waiting", True)
        self._waiting.append(told)

        def is_told() -> bool:
            touch(self, "waiting", False)
            return told[0]

        self._lock.release()
        try:
            self._scheduler.block(is_told, f"{self._lock.name} to be notified", until - self._scheduler.clock)
        finally:
            if told in self._waiting:
                touch(self, "waiting", True)
                self._waiting.remove(told)
            self._lock.acquire()
        return told[0]

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        while not predicate():
            if not self.wait(timeout):
                return predicate()
        return True

    def notify(self, n: int = 1) -> None:
        if self._scheduler.current is not None and not self._lock.locked():
            self._scheduler.fail(f"{self._lock.name} is notified without being held")
        touch(self, "waiting", bool(self._waiting))
        for _ in range(min(n, len(self._waiting))):
            self._waiting.popleft()[0] = True

    def notify_all(self) -> None:
        self.notify(len(self._waiting))

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._lock.release()


class Event:
    """threading.Event."""

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self._scheduler = scheduler
        self._name = name
        self._set = False
        name_of(self)

    def is_set(self) -> bool:
        touch(self, "set", False)
        return self._set

    def set(self) -> None:
        touch(self, "set", True)
        self._set = True
        self._scheduler.point(f"{self._name} is set")

    def clear(self) -> None:
        touch(self, "set", True)
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        return self._scheduler.block(self.is_set, self._name, timeout)


class SimpleQueue:
    """queue.SimpleQueue."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._items: deque[Any] = deque()
        name_of(self)

    def put(self, item: object) -> None:
        touch(self, "items", True)
        self._items.append(item)
        self._scheduler.point("has put something into a queue")

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not block:
            timeout = 0
        if not self._scheduler.block(lambda: not self.empty(), "something in a queue", timeout):
            raise queue.Empty
        touch(self, "items", True)
        return self._items.popleft()

    def get_nowait(self) -> Any:
        return self.get(False)

    def empty(self) -> bool:
        touch(self, "items", False)
        return not self._items

    def qsize(self) -> int:
        touch(self, "items", False)
        return len(self._items)


class Threading:
    """The module `threading`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.Lock = lambda: Lock(scheduler, _name())
        self.RLock = lambda: RLock(scheduler, _name())
        self.Condition = lambda lock=None: Condition(scheduler, lock or RLock(scheduler, _name()))
        self.Event = lambda: Event(scheduler, _name())

    def __getattr__(self, name: str) -> Any:
        if name in ("Semaphore", "BoundedSemaphore", "Barrier", "Timer"):
            raise NotImplementedError(f"threading.{name}: nothing used it when this was written")
        return getattr(threading, name)


class Queue:
    """The module `queue`."""

    Empty = queue.Empty

    def __init__(self, scheduler: Scheduler) -> None:
        self.SimpleQueue = lambda: SimpleQueue(scheduler)


class Time:
    """The module `time`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.perf_counter = self.monotonic

    def monotonic(self) -> float:
        touch_clock(False)
        return self._scheduler.clock

    def sleep(self, seconds: float) -> None:
        self._scheduler.pass_time(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


_REAL = {"threading": threading, "queue": queue, "time": time}


@cache
def _places() -> list[tuple[ModuleType, str]]:
    """Where the package, as far as it is imported, has the modules that we stand in for. The switch is played."""
    ours = [
        module
        for name, module in sys.modules.items()
        if name.startswith(f"{PACKAGE}.") and not name.startswith(f"{PACKAGE}.switch.")
    ]
    found = [(module, name) for module in ours for name, real in _REAL.items() if vars(module).get(name) is real]
    return [*found, (concurrent.futures._base, "threading")]


_names: dict[tuple[str, int], str] = {}


def _name() -> str:
    """Of the lock that is made: "Calls._lock"."""
    frame = sys._getframe(2)
    place = frame.f_code.co_filename, frame.f_lineno
    if place not in _names:
        attribute = re.search(r"self\.(\w+)", linecache.getline(*place))
        owner = type(frame.f_locals["self"]).__mro__ if "self" in frame.f_locals else (object,)
        defined = next((one for one in owner if frame.f_code in map(_code, vars(one).values())), owner[0])
        _names[place] = f"{defined.__name__}.{attribute.group(1) if attribute else frame.f_lineno}"
    return _names[place]


def _code(member: object) -> object:
    return getattr(member, "__code__", None)
