"""Stalls: a line when somebody kept Python's lock, and none when the time went elsewhere."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mod_erlang_py.node.stalls import LONG, Stalls
from mod_erlang_py.node.threads import Threads
from tests.waiting import DEADLINE, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


class Looked(Stalls):
    """Counts the looks. thread: of the operating system, that looks."""

    looks = 0
    thread = 0

    def run(self) -> None:
        self.thread = threading.get_native_id()
        super().run()

    def _look(self, late: float, waited: float) -> None:
        super()._look(late, waited)
        self.looks += 1

    def wait(self) -> None:
        """Until it has looked at all that was."""
        looks = self.looks
        wait_until(lambda: self.looks > looks + 1)


@pytest.fixture
def stalls(threads: Threads) -> Iterator[Looked]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # as in the switch
    stalls = Looked()
    threads.start("stalls", stalls.run)
    stalls.wait()
    yield stalls
    stalls.stop()
    sys.setswitchinterval(interval)


def keep_the_lock(seconds: float, watcher: int) -> None:
    """As the bindings of FreeSWITCH do: until that thread has waited for it for so long, which on a busy machine takes
    it longer. Another process reads how often it had its turn, and ends; then its pipe does."""
    status = f"/proc/{os.getpid()}/task/{watcher}/status"
    turns = f"$(sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' {status})"
    enough = f"$(({turns} + {int(seconds / sys.getswitchinterval())}))"
    wait = f'enough={enough}; while [ "{turns}" -lt "$enough" ]; do sleep 0.1; done'
    with subprocess.Popen(["sh", "-c", wait], stdout=subprocess.PIPE) as waiting:
        assert waiting.stdout is not None
        ctypes.PyDLL(None).read(waiting.stdout.fileno(), ctypes.create_string_buffer(1), 1)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "mod_erlang_py.node.stalls"]


def test_the_lock_is_kept(stalls: Looked, caplog: pytest.LogCaptureFixture) -> None:
    for times in (1, 2):
        keep_the_lock(1.2 * LONG, stalls.thread)
        stalls.wait()
        assert len(lines(caplog)) == times
        assert "Python's lock was kept: by another script" in lines(caplog)[-1]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_it_is_kept_for_a_moment_or_the_time_went_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    stalls = Stalls()
    for late, waited in [(LONG * 0.9, LONG * 0.9), (LONG * 0.9, 5.0), (5.0, LONG * 0.9)]:
        stalls._look(late, waited)
    assert lines(caplog) == []


def test_one_line_for_as_long_as_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    stalls = Stalls()
    for late, waited in [(2.0, 2.0), (3.0, 3.0), (0.0, 0.0), (2.0, 2.0)]:
        stalls._look(late, waited)
    assert [line[:40] for line in lines(caplog)] == ["nothing of ours could run for 2.0 s, Pyt"] * 2


def test_threads_that_are_busy(stalls: Looked, caplog: pytest.LogCaptureFixture) -> None:
    end = time.monotonic() + 2 * LONG

    def run() -> None:
        while time.monotonic() < end:
            sum(range(1000))

    running = [threading.Thread(target=run) for _ in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    stalls.wait()
    assert lines(caplog) == []


STOPPED = f"""
import logging, os, subprocess, sys, threading, time
sys.setswitchinterval(0.0005)
logging.basicConfig(stream=sys.stdout)
from mod_erlang_py.node.stalls import Stalls
late = threading.Event()
class Looked(Stalls):
    def _look(self, seconds, waited):
        super()._look(seconds, waited)
        if seconds > {LONG}:
            late.set()
stalls = Looked()
thread = threading.Thread(target=stalls.run)
thread.start()
again = subprocess.Popen(["sh", "-c", f"kill -STOP {{os.getpid()}}; sleep {2 * LONG}; kill -CONT {{os.getpid()}}"])
print("late", late.wait(60))
stalls.stop()
thread.join()
again.wait()
"""


def test_a_process_that_was_stopped() -> None:
    """As a suspended machine is: the time went by, and nobody had the lock."""
    done = subprocess.run([sys.executable, "-c", STOPPED], capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert (done.stdout, done.stderr) == ("late True\n", "")


def test_it_ends(threads: Threads) -> None:
    stalls = Stalls()
    threads.start("stalls", stalls.run)
    stalls.stop()
    assert threads.join(DEADLINE) == []
