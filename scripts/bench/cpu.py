"""The processor time that a process took, with all of its threads, those that have ended too."""

from __future__ import annotations

import ctypes
import time

_SETTLE_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_BUSY_SHARE = 0.1
"""Of a processor: an idle FreeSWITCH takes less than 0.01."""
_IDLE_SECONDS = 1.0


class ProcessorClock:
    """pid: the operating system's. idle: the share of a processor that it takes anyway, with the calls that it has."""

    def __init__(self, pid: int) -> None:
        """Raises OSError when there is no such process."""
        clock = ctypes.c_int()
        if error := ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
            raise OSError(error, f"no process {pid}")
        self._clock = clock.value
        self.idle = 0.0

    def seconds(self) -> float:
        return time.clock_gettime(self._clock)

    def look_at_idle(self) -> None:
        """Find out what it takes anyway, for a second, when it has settled as far as it does."""
        self.idle = 0.0
        self.settled()
        before = self.seconds()
        time.sleep(_IDLE_SECONDS)
        self.idle = (self.seconds() - before) / _IDLE_SECONDS

    def settled(self) -> float:
        """The seconds, once the process has done what it still had to do: what it took in 20 ms is next to nothing."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        enough = (self.idle * 1.2 + _BUSY_SHARE) * _LOOK_SECONDS
        before = self.seconds()
        while time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            now = self.seconds()
            if now - before < enough:
                return now
            before = now
        return before
