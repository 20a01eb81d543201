"""How long a process was ready and got no processor: what others take, be it the fuzzer or another program."""

from __future__ import annotations

from contextlib import suppress
from heapq import nlargest
from pathlib import Path

THREADS = 3
"""That have their part in an answer; each may have to wait for the one before, which keeps Python's lock."""


class Waits:
    """Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/PID/task/TID/schedstat."""

    def __init__(self, pid: int, proc: Path = Path("/proc")) -> None:
        self._tasks = proc / str(pid) / "task"
        self._before: dict[str, int] = {}
        self.take()

    def take(self) -> float:
        """Seconds since it was last asked, of those THREADS together that waited longest."""
        now: dict[str, int] = {}
        with suppress(OSError):  # threads come and go
            for task in self._tasks.iterdir():
                with suppress(OSError):
                    now[task.name] = int((task / "schedstat").read_text().split()[1])
        longest = nlargest(THREADS, (waited - self._before.get(name, 0) for name, waited in now.items()))
        self._before = now
        return sum(longest) / 1e9
