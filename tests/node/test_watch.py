"""Watch: it looks while something runs, and only then."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import pytest

from mod_erlang_py.node.threads import Threads
from mod_erlang_py.node.watch import IDLE_LOOKS, Watch
from tests.waiting import DEADLINE, wait_until


class Running:
    """A link whose request runs for some looks."""

    def __init__(self) -> None:
        self.looks = 0
        self.left = 0
        self.done = threading.Event()

    def overtake(self, now: float) -> bool:
        self.looks += 1
        if not self.left:
            self.done.set()
            return False
        self.left -= 1
        return True


@pytest.fixture
def watch(threads: Threads) -> Iterator[Watch]:
    watch = Watch()
    threads.start("watch", watch.run)
    yield watch
    watch.stop()


def test_it_looks_as_long_as_something_runs(watch: Watch) -> None:
    link = Running()
    watch.add(link)
    for _ in range(3):
        link.left = 2 * IDLE_LOOKS
        link.done.clear()
        watch.started()
        assert link.done.wait(DEADLINE)
        wait_until(lambda: not watch._looking)
        assert link.left == 0


def test_it_does_not_look_when_nothing_runs(watch: Watch) -> None:
    link = Running()
    watch.add(link)
    watch.started()
    assert link.done.wait(DEADLINE)
    wait_until(lambda: not watch._looking)
    wait_until(lambda: link.looks == IDLE_LOOKS + 1)  # the last one after it had stopped looking


def test_one_that_was_removed_is_left_alone(watch: Watch) -> None:
    kept, removed = Running(), Running()
    watch.add(kept)
    watch.add(removed)
    watch.remove(removed)
    watch.remove(removed)
    watch.started()
    assert kept.done.wait(DEADLINE)
    assert removed.looks == 0


def test_it_stops_while_it_looks(threads: Threads) -> None:
    watch = Watch()
    link = Running()
    link.left = 1 << 30
    watch.add(link)
    threads.start("watch", watch.run)
    watch.started()
    wait_until(lambda: link.looks)
    watch.stop()
    assert threads.join(DEADLINE) == []


def test_one_that_fails_costs_the_others_nothing(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Running):
        def overtake(self, now: float) -> bool:
            super().overtake(now)
            raise ZeroDivisionError

    broken, link = Broken(), Running()
    watch.add(broken)
    watch.add(link)
    for _ in range(2):
        link.left = 2 * IDLE_LOOKS
        link.done.clear()
        watch.started()
        assert link.done.wait(DEADLINE)
        wait_until(lambda: not watch._looking)
    assert broken.looks
    assert "ZeroDivisionError" in caplog.text


def test_its_last_look_overtakes_whatever_runs(threads: Threads) -> None:
    """So that no request keeps its link from being read to its end, when nobody looks any more."""

    class Seen(Running):
        def overtake(self, now: float) -> bool:
            self.last = now
            return super().overtake(now)

    watch, link = Watch(), Seen()
    watch.add(link)
    threads.start("watch", watch.run)
    watch.stop()
    assert threads.join(DEADLINE) == []
    assert link.last == math.inf
