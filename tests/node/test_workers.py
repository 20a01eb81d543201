"""Workers: jobs at the same time, up to a number; then in turn."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from mod_erlang_py.errors import Exhausted
from mod_erlang_py.node.threads import Threads
from mod_erlang_py.node.workers import Workers
from tests.waiting import DEADLINE, wait_until


class Jobs:
    """Jobs that wait for go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.started: list[int] = []
        self.done: list[int] = []

    def run(self, number: int) -> None:
        self.started.append(number)
        assert self.go.wait(DEADLINE)
        self.done.append(number)


@pytest.fixture
def workers(threads: Threads) -> Iterator[Workers]:
    workers = Workers(threads, 128, 10_000, 10_000)
    yield workers
    workers.stop()


def submit(workers: Workers, jobs: Jobs, *numbers: int) -> None:
    for number in numbers:
        workers.submit(partial(jobs.run, number), 100)


def test_jobs_run_at_the_same_time(workers: Workers) -> None:
    jobs = Jobs()
    submit(workers, jobs, *range(20))
    wait_until(lambda: len(jobs.started) == 20)
    assert jobs.done == []
    jobs.go.set()
    wait_until(lambda: len(jobs.done) == 20)


def test_more_than_the_most_wait_their_turn(workers: Workers, threads: Threads) -> None:
    workers.configure(3, 10, 10_000)
    jobs = Jobs()
    submit(workers, jobs, *range(10))
    wait_until(lambda: len(jobs.started) == 3)
    assert len(threads.join(0)) == 3
    jobs.go.set()
    wait_until(lambda: len(jobs.done) == 10)
    assert sorted(jobs.started) == list(range(10))
    assert len(threads.join(0)) == 3


def test_one_after_the_other_they_share_a_thread(workers: Workers) -> None:
    used: queue.SimpleQueue[int] = queue.SimpleQueue()
    idents = set()
    for _ in range(20):
        workers.submit(lambda: used.put(threading.get_ident()), 100)
        idents.add(used.get(timeout=DEADLINE))
        wait_until(lambda: workers._unfinished == 0)
    assert len(idents) == 1


def fail() -> None:
    raise ZeroDivisionError


def test_a_job_that_raises_is_logged_and_its_thread_goes_on(workers: Workers, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    workers.submit(fail, 100)
    wait_until(lambda: workers._unfinished == 0)
    workers.submit(done.set, 100)
    assert done.wait(DEADLINE)
    assert "a background job failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert workers._started == 1


def test_stop_lets_running_jobs_end_and_starts_no_more(threads: Threads) -> None:
    workers = Workers(threads, 2, 1, 10_000)
    jobs = Jobs()
    submit(workers, jobs, 1, 2, 3)
    wait_until(lambda: len(jobs.started) == 2)
    workers.stop()
    submit(workers, jobs, 4)
    jobs.go.set()
    assert threads.join(DEADLINE) == []
    assert sorted(jobs.done) == [1, 2]


def test_without_a_thread_the_job_is_refused(workers: Workers, missing: set[str]) -> None:
    done = threading.Event()
    missing.add("worker")
    for _ in range(3):
        with pytest.raises(Exhausted, match="can't start new thread"):
            workers.submit(done.set, 100)
    assert (workers._unfinished, workers._started) == (0, 0)
    missing.clear()
    workers.submit(done.set, 100)
    assert done.wait(DEADLINE)
    wait_until(lambda: workers._unfinished == 0)
    assert workers._started == 1


def test_without_another_thread_the_job_waits_for_one(workers: Workers, missing: set[str]) -> None:
    jobs = Jobs()
    submit(workers, jobs, 1)
    wait_until(lambda: jobs.started == [1])
    missing.add("worker")
    submit(workers, jobs, 2, 3)
    assert workers._started == 1
    missing.clear()
    submit(workers, jobs, 4)
    wait_until(lambda: len(jobs.started) == 2)
    jobs.go.set()
    wait_until(lambda: sorted(jobs.done) == [1, 2, 3, 4])
    assert workers._started == 2


def test_more_than_may_wait_are_refused(workers: Workers) -> None:
    workers.configure(2, 3, 10_000)
    jobs = Jobs()
    submit(workers, jobs, 1, 2)
    wait_until(lambda: len(jobs.started) == 2)
    submit(workers, jobs, 3, 4, 5)
    with pytest.raises(Exhausted, match="3 jobs wait already"):
        submit(workers, jobs, 6)
    jobs.go.set()
    wait_until(lambda: len(jobs.done) == 5)
    submit(workers, jobs, 7)
    wait_until(lambda: sorted(jobs.done) == [1, 2, 3, 4, 5, 7])


def test_fewer_threads_are_allowed_from_now_on(workers: Workers, threads: Threads) -> None:
    jobs = Jobs()
    submit(workers, jobs, 1, 2, 3)
    wait_until(lambda: len(jobs.started) == 3)
    workers.configure(1, 10, 10_000)
    submit(workers, jobs, 4, 5)
    jobs.go.set()
    wait_until(lambda: len(jobs.done) == 5)
    wait_until(lambda: len(threads.join(0)) == 1)
    submit(workers, jobs, 6)
    wait_until(lambda: len(jobs.done) == 6)
