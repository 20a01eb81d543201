"""The scheduler finds what is wrong, and says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.models.order import LockOrder
from tests.models.scheduler import Condition, Event, Lock, Scheduler, SimpleQueue, Wrong
from tests.models.schedules import Exhaustive, explore, replay


def test_all_orders_are_tried() -> None:
    seen = set()

    def scenario(scheduler: Scheduler) -> Callable[[], None]:
        order: list[str] = []

        def run(name: str) -> None:
            for number in range(2):
                order.append(f"{name}{number}")
                scheduler.point("")

        scheduler.start("a", lambda: run("a"))
        scheduler.start("b", lambda: run("b"))
        return lambda: seen.add(" ".join(order))

    explore(scenario, 3)
    assert len(seen) == 6, seen


@pytest.mark.parametrize("changes", [0, 1])
def test_an_update_that_is_lost(changes: int) -> None:
    def scenario(scheduler: Scheduler) -> Callable[[], None]:
        count = [0]

        def add() -> None:
            before = count[0]
            scheduler.point("between")
            count[0] = before + 1

        def look() -> None:
            assert count == [2]

        scheduler.start("one", add)
        scheduler.start("two", add)
        return look

    if not changes:
        assert explore(scenario, 0) == 1
        return
    with pytest.raises(Wrong, match="one: between") as failed:
        explore(scenario, changes)
    choices = str(failed.value).rpartition("replay(..., ")[2].rstrip(")")
    with pytest.raises(Wrong, match="one: between"):
        replay(scenario, [int(choice) for choice in choices.strip("[]").split(",")])


def test_a_deadlock() -> None:
    def scenario(scheduler: Scheduler) -> Callable[[], None]:
        first, second = Lock(scheduler, "deadlock.first"), Lock(scheduler, "deadlock.second")
        told = Event(scheduler, "deadlock.told")

        def one() -> None:
            with first:
                told.wait()

        def two() -> None:
            with second, first:
                told.set()

        scheduler.start("one", one)
        scheduler.start("two", two)
        return lambda: None

    with pytest.raises(Wrong, match="nobody can go on") as failed:
        explore(scenario, 1)
    assert "one: waits for deadlock.told; holds deadlock.first" in str(failed.value)
    assert "two: waits for lock deadlock.first; holds deadlock.second" in str(failed.value)


def test_a_circle_of_locks() -> None:
    order = LockOrder()
    order.add("a", "b")
    order.add("b", "c")
    order.add("a", "c")
    assert order.add("c", "a") in ("a circle of locks: c -> a -> c", "a circle of locks: c -> a -> b -> c")
    assert order.add("a", "a") == "a circle of locks: a -> a"


def test_a_lock_that_is_held_while_the_switch_is_called() -> None:
    def scenario(scheduler: Scheduler) -> Callable[[], None]:
        lock = Lock(scheduler, "held.lock")

        def call() -> None:
            with lock:
                scheduler.calling("locate")

        scheduler.start("one", call)
        return lambda: None

    with pytest.raises(Wrong, match=r"held\.lock held while the switch is called: locate"):
        explore(scenario, 0)


def test_a_wake_up_that_is_lost() -> None:
    def scenario(scheduler: Scheduler) -> Callable[[], None]:
        lock = Lock(scheduler, "told.lock")
        changed = Condition(scheduler, lock)
        there = [False]

        def wait() -> None:
            if not there[0]:  # not looked at with the lock held
                with changed:
                    changed.wait()

        def tell() -> None:
            with changed:
                there[0] = True
                changed.notify()

        scheduler.start("waits", wait)
        scheduler.start("tells", tell)
        return lambda: None

    with pytest.raises(Wrong, match=r"waits: waits for told\.lock to be notified"):
        explore(scenario, 1)


def test_time_passes_when_nobody_can_run() -> None:
    scheduler = Scheduler(Exhaustive(0))
    items = SimpleQueue(scheduler)
    times: list[float] = []

    def late() -> None:
        scheduler.block(lambda: False, "5 s to pass", 5)
        items.put("x")

    def wait() -> None:
        times.append(scheduler.clock)
        assert items.get(timeout=6) == "x"
        times.append(scheduler.clock)

    scheduler.start("late", late)
    scheduler.start("waits", wait)
    with scheduler.instead():
        scheduler.finish()
    assert times == [0, 5]
