"""Says when somebody kept Python's lock, so that nothing of ours could run: another script inside a function of
FreeSWITCH's, mostly, since its bindings do not let go of the lock.

Every LOOK seconds this thread wakes, and waits for the lock like all others. A wait for it is cut into turns, of
sys.getswitchinterval() at least, each a voluntary context switch of the thread. So turns are counted, not seconds:
where the machine was busy, stopped or suspended the seconds pass too, but without turns.
"""

from __future__ import annotations

import logging
import resource
import sys
import threading
import time
from types import FrameType

log = logging.getLogger(__name__)

LOOK = 0.25
LONG = 1.0
"""Seconds that the lock may be kept without a word."""
BINDINGS = "/freeswitch.py"
"""Of mod_python3."""


class Stalls:
    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._stalled = False

    def run(self) -> None:
        began, turns = time.monotonic(), _turns()
        while not self._stopping.wait(LOOK):
            now, then = time.monotonic(), _turns()
            self._look(now - began - LOOK, (then - turns) * sys.getswitchinterval())
            began, turns = now, then

    def _look(self, late: float, waited: float) -> None:
        """late: seconds that it woke too late. waited: those, at least, that it waited for the lock. One line for as
        long as every look finds it kept."""
        stalled = min(late, waited) >= LONG
        if stalled and not self._stalled:
            scripts = ", ".join(_in_the_bindings()) or "another script in freeswitch.msleep, API().executeString, ...?"
            log.warning("nothing of ours could run for %.1f s, Python's lock was kept: by %s", late, scripts)
        self._stalled = stalled

    def stop(self) -> None:
        self._stopping.set()


def _turns() -> int:
    """Voluntary context switches of the calling thread, so far."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def _in_the_bindings() -> list[str]:
    """Where scripts are that call FreeSWITCH now: one that kept the lock has not come far since."""
    found = []
    for frame in sys._current_frames().values():
        caller: FrameType | None = frame
        while caller is not None and caller.f_code.co_filename.endswith(BINDINGS):
            caller = caller.f_back
        if caller is not None and caller is not frame:
            found.append(f"{caller.f_code.co_filename}, line {caller.f_lineno}")
    return found
