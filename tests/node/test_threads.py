"""Threads: what they raise is logged, and the end waits for them no longer than it may."""

from __future__ import annotations

import queue
import threading

import pytest

from mod_erlang_py.errors import Exhausted
from mod_erlang_py.node.threads import Threads


def fail() -> None:
    raise ZeroDivisionError


def test_join_waits_for_all() -> None:
    threads = Threads()
    go = threading.Event()
    ended: list[int] = []

    def work() -> None:
        go.wait(10)
        ended.append(1)

    for _ in range(5):
        threads.start("work", work)
    threading.Timer(0.05, go.set).start()
    assert threads.join(10) == []
    assert len(ended) == 5


def test_join_names_those_that_still_run() -> None:
    threads = Threads()
    go = threading.Event()

    def work() -> None:
        go.wait(10)

    threads.start("stuck", work)
    assert threads.join(0.01) == ["erlang:stuck"]
    go.set()
    assert threads.join(10) == []


def test_a_thread_may_join_the_others() -> None:
    threads = Threads()
    left: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    threads.start("stop", lambda: left.put(threads.join(10)))
    assert left.get(timeout=5) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [(RuntimeError("can't start new thread"), "can't start new thread"), (MemoryError(), "no memory for a thread")],
)
def test_one_that_is_not_to_be_had(monkeypatch: pytest.MonkeyPatch, error: Exception, told: str) -> None:
    def start(_: threading.Thread) -> None:
        raise error

    threads = Threads()
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", start)
        with pytest.raises(Exhausted, match=told):
            threads.start("work", fail)
        assert not threads.serve("serving", fail)
    assert threads.failed == ("serving",)
    assert threads.join(0) == []


def test_they_hold_up_no_interpreter_that_ends() -> None:
    threads = Threads()
    daemon: list[bool] = []
    threads.start("work", lambda: daemon.append(threading.current_thread().daemon))
    assert threads.join(10) == []
    assert daemon == [True]


def test_what_they_raise_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    threads = Threads()
    threads.start("faulty", fail)
    assert threads.join(10) == []
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "thread erlang:faulty failed")
    assert "ZeroDivisionError" in caplog.text


def test_one_that_cannot_be_started_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = Threads()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        threads.start("work", lambda: None)
    assert threads.join(5) == []


def test_those_that_are_started_meanwhile_are_waited_for(missing: set[str]) -> None:
    threads = Threads()
    go, ended = threading.Event(), threading.Event()

    def second() -> None:
        assert go.wait(10)
        ended.set()

    def first() -> None:
        threads.start("second", second)
        threading.Timer(0.05, go.set).start()

    threads.start("first", first)
    assert threads.join(10) == []
    assert ended.is_set()


def test_a_serving_thread_that_cannot_be_started_is_told_once(
    missing: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    threads = Threads()
    served = threading.Event()
    missing.add("pump")
    assert [threads.serve("pump", served.set), threads.serve("pump", served.set)] == [False, False]
    assert list(threads.failed) == ["pump"]
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "thread erlang:pump is missing: can't start new thread")
    missing.clear()
    assert threads.serve("pump", served.set)
    assert threads.join(10) == []
    assert served.is_set()
    assert list(threads.failed) == []


def test_a_serving_thread_that_ends_by_an_error_is_known(caplog: pytest.LogCaptureFixture) -> None:
    threads = Threads()
    assert threads.serve("pump", fail)
    threads.start("faulty", fail)
    threads.serve("done", lambda: None)
    assert threads.join(10) == []
    assert threads.failed == ("pump",)
    assert sorted(record.levelname for record in caplog.records) == ["ERROR", "ERROR"]
    assert "thread erlang:pump failed, which served everybody" in caplog.text


def test_one_that_fails_late_does_not_count_for_the_next_of_its_name() -> None:
    """It may have been replaced before its last error is told."""
    threads = Threads()
    replaced = threading.Event()

    def fail_late() -> None:
        assert replaced.wait(10)
        fail()

    threads.serve("pump", fail_late)
    threads.serve("pump", lambda: None)
    replaced.set()
    assert threads.join(10) == []
    assert threads.failed == ()
