"""Threads: what they raise is logged, and the end waits for them no longer than it may."""

from __future__ import annotations

import queue
import threading

import pytest

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
    assert threads.join(1) == []
