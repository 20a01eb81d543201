"""A process's processor time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from scripts.bench.cpu import ProcessorClock

BURN = """
import sys, threading, time

def burn():
    began = time.thread_time()
    while time.thread_time() - began < 0.1:
        pass

sys.stdin.readline()
for _ in range(2):
    thread = threading.Thread(target=burn)
    thread.start()
    thread.join()
print("done", flush=True)
sys.stdin.readline()
"""


def test_all_threads_count_and_those_that_have_ended() -> None:
    command = [sys.executable, "-c", BURN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        clock = ProcessorClock(process.pid)
        before = clock.settled()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        assert 0.2 <= clock.settled() - before < 0.3
        process.stdin.close()


def test_what_it_takes_anyway_does_not_keep_it_from_having_settled() -> None:
    ended = threading.Event()

    def half() -> None:
        while not ended.wait(0.002):
            began = time.thread_time()
            while time.thread_time() - began < 0.002:
                pass

    busy = threading.Thread(target=half)
    busy.start()
    try:
        clock = ProcessorClock(0)  # this process
        clock.look_at_idle()
        assert 0.1 < clock.idle < 0.9
    finally:
        ended.set()
        busy.join()


def test_no_such_process() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(OSError, match="no process"):
        ProcessorClock(process.pid)
