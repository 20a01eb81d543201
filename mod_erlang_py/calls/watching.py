"""Handlers of events and of log lines that go by their registered names: noticing that they are gone.

A pid is linked, and a link is there once; so a name is monitored once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from mod_erlang_py.etf import Pid, Term
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.processes import NOPROC, Processes
from mod_erlang_py.node.target import Target

from .asking import Asking, Found
from .waiting import Waiting


class Watching:
    """exited: told of the end of a process, as of that of a linked one."""

    def __init__(self, processes: Processes, asking: Asking, exited: Callable[[Link, Pid | str, Term], None]) -> None:
        self._processes = processes
        self._asking = asking
        self._exited = exited
        self._lock = threading.Lock()
        self._names: dict[Target, Found] = {}

    def register(self, target: Target, register: Callable[[], None]) -> None:
        """Have a process be a handler, and hear of its end. Raises NoAnswer where no process has the name,
        NotConnected, Exhausted; then it is none."""
        if isinstance(target.to, Pid):
            self._processes.link(target.link, target.to)
            register()
            if not self._processes.is_linked(target.link, target.to):  # it ended meanwhile
                self._exited(target.link, target.to, NOPROC)
        else:
            found = self._asking.named(Waiting(), target)
            register()
            self._watch(found)

    def _watch(self, found: Found) -> None:
        with self._lock:
            before = self._names.get(found.target)
            self._names[found.target] = found
        if before is not None:
            self._asking.leave(before)
        if not self._asking.watch(found, lambda reason: self._lost(found, reason)):
            self._lost(found, NOPROC)

    def _lost(self, found: Found, reason: Term) -> None:
        with self._lock:
            if self._names.get(found.target) is not found:
                return
            del self._names[found.target]
        self._exited(found.target.link, found.target.to, reason)

    def down(self, link: Link) -> None:
        """A node is gone."""
        with self._lock:
            for target in [target for target in self._names if target.link is link]:
                del self._names[target]
