"""The processor time that a process took, with all of its threads, those that have ended too."""

from __future__ import annotations

import ctypes
import time

_SETTLE_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_BUSY_SHARE = 0.1
"""Of a processor: an idle FreeSWITCH takes less than 0.01."""


class ProcessorClock:
    """pid: the operating system's."""

    def __init__(self, pid: int) -> None:
        """Raises OSError when there is no such process."""
        clock = ctypes.c_int()
        if error := ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
            raise OSError(error, f"no process {pid}")
        self._clock = clock.value

    def seconds(self) -> float:
        return time.clock_gettime(self._clock)

    def settled(self) -> float:
        """The same, once the process has done what it still had to do: what it took in 20 ms is next to nothing."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        before = self.seconds()
        while time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            now = self.seconds()
            if now - before < _BUSY_SHARE * _LOOK_SECONDS:
                return now
            before = now
        return before
