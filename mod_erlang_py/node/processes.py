"""Our side of links and monitors (ERTS, "Protocol between Connected Nodes"; dist.c).

The node has one process with a pid, which lives as long as the node; every registered name leads to it. So a link or a
monitor that names it stands until the connection ends, which Erlang notices by itself; one that names another pid of
ours (of an earlier life, or invented) is told `noproc` at once, so that nobody waits. The monitors that stand are
known, since there are questions that nothing else could answer (refuse).
"""

from __future__ import annotations

import logging
import threading

from mod_erlang_py.distribution.control import (
    DemonitorP,
    Exit,
    MonitorP,
    MonitorPExit,
    Unlink,
    UnlinkId,
    UnlinkIdAck,
)
from mod_erlang_py.distribution.control import Link as LinkSignal
from mod_erlang_py.errors import Exhausted
from mod_erlang_py.etf import Atom, Pid, Reference
from mod_erlang_py.log_lines import about

from .link import Link

log = logging.getLogger(__name__)

NOPROC = Atom("noproc")
SYSTEM_LIMIT = Atom("system_limit")


class _Monitors:
    """The monitors of one peer that stand, the last of each process and what it monitors last."""

    def __init__(self) -> None:
        self.count = 0
        self._by_pair: dict[tuple[Pid, Pid | str], dict[Reference, None]] = {}  # in the order in which they came

    def add(self, pid: Pid, to: Pid | str, reference: Reference) -> None:
        references = self._by_pair.setdefault((pid, to), {})
        if reference not in references:
            references[reference] = None
            self.count += 1

    def discard(self, pid: Pid, to: Pid | str, reference: Reference) -> None:
        references = self._by_pair.get((pid, to), {})
        if reference in references:
            del references[reference]
            self._less(pid, to, references)

    def has(self, pid: Pid, to: Pid | str, reference: Reference) -> bool:
        return reference in self._by_pair.get((pid, to), ())

    def take_last(self, pid: Pid, to: Pid | str) -> Reference | None:
        references = self._by_pair.get((pid, to))
        if not references:
            return None
        reference, _ = references.popitem()
        self._less(pid, to, references)
        return reference

    def _less(self, pid: Pid, to: Pid | str, references: dict[Reference, None]) -> None:
        self.count -= 1
        if not references:
            del self._by_pair[pid, to]


class Processes:
    """The links between our pid and the processes of other nodes, and their monitors of us.

    links, monitors: that may stand at once, of one peer.
    """

    def __init__(self, links: int, monitors: int) -> None:
        self._most_links = links
        self._most_monitors = monitors
        self._lock = threading.Lock()
        self._links: dict[Link, set[Pid]] = {}
        self._monitors: dict[Link, _Monitors] = {}

    def configure(self, links: int, monitors: int) -> None:
        self._most_links = links
        self._most_monitors = monitors

    def link(self, link: Link, pid: Pid) -> None:
        """Link our pid to a process of the peer, so that we hear of its end. Raises Exhausted when it has too many."""
        with self._lock:
            if link.ended or pid in self._of(link):
                return
            if not self._add(link, pid):
                raise Exhausted(f"max-process-links: {self._most_links} processes of {link.name} are linked")
        link.signal(LinkSignal(link.local, pid))

    def is_linked(self, link: Link, pid: Pid) -> bool:
        """Not any more once the process has ended; always, of a connection that has."""
        with self._lock:
            return link.ended or pid in self._of(link)

    def linked(self, link: Link, message: LinkSignal) -> None:
        """LINK from a process of the peer. One too many is told so, which costs that process and not the peer."""
        if message.to_pid != link.local:
            link.signal(Exit(message.to_pid, message.from_pid, NOPROC))
            return
        with self._lock:
            if link.ended:
                return  # it is forgotten, or will be
            added = self._add(link, message.from_pid)
        if not added:
            told = "max-process-links: %d processes of %s are linked: %s is not"
            log.warning(told, self._most_links, link.name, message.from_pid, extra=about(link.name))
            link.signal(Exit(message.to_pid, message.from_pid, SYSTEM_LIMIT))

    def _of(self, link: Link) -> set[Pid]:
        return self._links.get(link, set())

    def _add(self, link: Link, pid: Pid) -> bool:
        known = self._links.setdefault(link, set())
        if pid in known:
            return True
        if len(known) >= self._most_links:
            return False
        known.add(pid)
        return True

    def unlinked(self, link: Link, message: Unlink | UnlinkId) -> None:
        """UNLINK or UNLINK_ID: the link is gone; UNLINK_ID is acknowledged in any case."""
        if message.to_pid == link.local:
            with self._lock:
                self._of(link).discard(message.from_pid)
        if isinstance(message, UnlinkId):
            link.signal(UnlinkIdAck(message.id, message.to_pid, message.from_pid))

    def exited(self, link: Link, message: Exit) -> bool:
        """EXIT: a process that we are linked to has ended. False when we were not (any more), or it is not for us."""
        with self._lock:
            known = self._of(link)
            if message.to_pid != link.local or message.from_pid not in known:
                return False
            known.discard(message.from_pid)
            return True

    def monitored(self, link: Link, message: MonitorP) -> None:
        """MONITOR_P: stands for a process that is there."""
        if isinstance(message.to, Pid) and message.to != link.local:
            reason = NOPROC
        else:
            with self._lock:
                if link.ended:
                    return  # it is forgotten, or will be
                known = self._monitors.setdefault(link, _Monitors())
                if known.count < self._most_monitors:
                    known.add(message.from_pid, message.to, message.ref)
                    return
            told = "max-monitors: processes of %s have %d: %s gets no further one"
            log.warning(told, link.name, self._most_monitors, message.from_pid, extra=about(link.name))
            reason = SYSTEM_LIMIT
        link.signal(MonitorPExit(message.to, message.from_pid, message.ref, reason))

    def demonitored(self, link: Link, message: DemonitorP) -> None:
        """DEMONITOR_P, also when the process that monitored has ended."""
        with self._lock:
            known = self._monitors.get(link)
            if known is not None:
                known.discard(message.from_pid, message.to, message.ref)

    def stands(self, link: Link, pid: Pid, to: Pid | str, reference: Reference) -> bool:
        """Whether a process has this monitor of whom it named, and has not taken it back."""
        with self._lock:
            known = self._monitors.get(link)
            return known is not None and known.has(pid, to, reference)

    def refuse(self, link: Link, sender: Pid, to: Pid | str) -> bool:
        """Tell a process that there is nobody there whom it monitors, by the last of its monitors: how it waits for an
        answer that we cannot give. False when it has none."""
        with self._lock:
            known = self._monitors.get(link)
            reference = known.take_last(sender, to) if known is not None else None
        if reference is None:
            return False
        link.signal(MonitorPExit(to, sender, reference, NOPROC))
        return True

    def monitor(self, link: Link, to: Pid | str, reference: Reference) -> None:
        """Have the peer tell us when a process ends, by its pid or its registered name: at once when there is none."""
        link.signal(MonitorP(link.local, to, reference))

    def demonitor(self, link: Link, to: Pid | str, reference: Reference) -> None:
        """No longer; the peer may hear of that later."""
        link.signal_later(DemonitorP(link.local, to, reference))

    def forget(self, link: Link) -> list[Pid]:
        """The connection ended. Returns the processes that were linked to us over it."""
        with self._lock:
            self._monitors.pop(link, None)
            return list(self._links.pop(link, ()))
