"""What a process can be kept from having, while it runs."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

_PIDS = Path("/sys/fs/cgroup/pids")


class NoLimit(Exception):
    """Why this machine cannot limit it, in a line."""


@contextlib.contextmanager
def without_threads(pid: int) -> Iterator[None]:
    """The process has those threads that it has, and gets no more. Raises NoLimit.

    By a cgroup: the limit of a user's processes does not hold for root.
    """
    group = _PIDS / f"mod_erlang_py_{pid}"
    try:
        group.mkdir()
        (group / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        raise NoLimit(f"no pids cgroup to be had: {error}") from None
    try:
        (group / "pids.max").write_text("1")
        yield
    finally:
        (group / "pids.max").write_text("max")
        with contextlib.suppress(ProcessLookupError):
            (_PIDS / "cgroup.procs").write_text(str(pid))
        while (group / "tasks").read_text():
            time.sleep(0.01)  # the kernel moves thread after thread
        group.rmdir()


@contextlib.contextmanager
def without_descriptors(pid: int) -> Iterator[None]:
    """The process gets none with a higher number than those that it has: but for gaps between these, no more."""
    highest = max(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir())
    yield from _limited(pid, resource.RLIMIT_NOFILE, highest + 1)


@contextlib.contextmanager
def without_memory(pid: int, room: int) -> Iterator[None]:
    """The process gets no more than so many bytes of address space beside what it has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    yield from _limited(pid, resource.RLIMIT_AS, pages * resource.getpagesize() + room)


def _limited(pid: int, what: int, most: int) -> Iterator[None]:
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, what, before)
