"""Finding the process that takes a call, and noticing that it is gone.

The dialplan names it in one of several ways (see dialplan.py), `handlecall` by its pid or its registered name. All but
the pid ask a node and wait for its answer, which the call's end, and the node's, end early.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from mod_erlang_py.errors import ErlangNodeError, NotConnected
from mod_erlang_py.etf import Atom, Pid, Reference, Term
from mod_erlang_py.etf.show import show
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.reader import step_aside
from mod_erlang_py.node.target import Target

from .dialplan import AskPid, Group, Named, Rpc, Spawn, Wish
from .waiting import NoAnswer, NoProcess, Question, Waiting

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A process that takes a call, or is served otherwise. monitor: what watches it, where its node knows monitors; a
    pid without one is linked."""

    target: Target
    monitor: Reference | None = None


Lost: TypeAlias = Callable[[Term], None]
"""What is done once a process is gone, with the reason."""


Order: TypeAlias = Callable[[Sequence[Pid]], Iterable[Pid]]
"""In which the members of a group are to be tried."""

MAX_TRIED = 100
"""Members of a group that are tried for one call."""
MAX_LATE = 10_000
"""Answers that nobody waits for any more, but that will be dealt with when they come."""


class Asking:
    """text: a text of the switch as a term. timeout: seconds that a node has to be reached, and to answer."""

    def __init__(self, node: Node, text: Callable[[bytes], Term], timeout: float) -> None:
        self._node = node
        self._text = text
        self._lock = threading.Lock()
        self._questions: dict[Reference, tuple[Link, Question]] = {}
        self._late: dict[Reference, tuple[Link, Callable[[Term], None]]] = {}
        self._monitors: dict[Reference, tuple[Link, Lost]] = {}
        self.timeout = timeout

    def configure(self, timeout: float) -> None:
        self.timeout = timeout

    def find(self, uuid: str, waiting: Waiting, wish: Wish, node: str, order: Order = iter) -> Found:
        """The process that takes a call at a node, or at another one that this one names. Raises NotConnected,
        NoAnswer, HungUp, Taken."""
        link = self._node.connect(node, self.timeout)
        match wish:
            case Named(name):
                return self.named(waiting, Target(link, name))
            case AskPid(name):
                pid = self._asked(uuid, waiting, Target(link, name))
            case Rpc(module, function):
                pid = self._from_rpc(waiting, link, module, function)
            case Spawn(module, function):
                pid = self._spawned(uuid, waiting, link, module, function)
            case Group(scope, name):
                return self._member(waiting, link, scope, name, order)
        return Found(self._target(link, pid))

    def _target(self, link: Link, pid: Pid) -> Target:
        """A process that a node has named, by a link to its own. Raises NotConnected."""
        return Target(link if pid.node == link.name else self._node.connect(pid.node, self.timeout), pid)

    def named(self, waiting: Waiting, target: Target) -> Found:
        """A process, once it is known to be there. Raises NotConnected, NoAnswer, HungUp, Taken.

        A monitor of one that is not there is answered at once, one of a process that is there not at all: so a ping
        goes after it, whose answer comes later than the monitor's would have. A C node or a Java node knows no
        monitors, and a C node no ping: it is taken at its word.
        """
        link = target.link
        if not link.knows_monitors:
            waiting.begin()
            return Found(target)
        reference, monitor = link.reference(), link.reference()
        ping = (Atom("$gen_call"), (link.local, reference), (Atom("is_auth"), Atom(self._node.name)))

        def ask(question: Question) -> None:
            self._monitor(target, monitor, _no_process(question))
            Target(link, "net_kernel").send(ping)

        found = Found(target, monitor)
        try:
            self._wait(waiting, link, reference, ask, late=lambda _: None)  # it comes even when the monitor's did
        except ErlangNodeError:
            self.leave(found)
            raise
        return found

    def _asked(self, uuid: str, waiting: Waiting, target: Target) -> Pid:
        """`{get_pid, UUID, Ref, Pid}` to a registered process, which answers `{Ref, NewPid}` to Pid."""
        link = target.link
        reference, monitor = link.reference(), link.reference() if link.knows_monitors else None

        def ask(question: Question) -> None:
            if monitor is not None:
                self._monitor(target, monitor, _no_process(question))
            target.send((Atom("get_pid"), self._text(uuid.encode()), reference, link.local))

        try:
            return _pid(self._wait(waiting, link, reference, ask))
        finally:
            self.leave(Found(target, monitor))

    def _from_rpc(self, waiting: Waiting, link: Link, module: str, function: str) -> Pid:
        """`module:function(Ref)`, run by the node's rpc server, which returns `{Ref, NewPid}`."""
        reference = link.reference()
        try:
            match self._rpc(waiting, link, module, function, [reference], reference):
                case (returned, pid) if Reference.of(returned) == reference:
                    return _pid(pid)
                case other if (pid := Pid.of(other)) is not None:
                    return pid
                case other:
                    raise NoAnswer(show(other, 200))
        finally:
            with self._lock:
                self._questions.pop(reference, None)

    def _spawned(self, uuid: str, waiting: Waiting, link: Link, module: str, function: str) -> Pid:
        """A process that begins with `module:function(UUID, Node)`, as proc_lib spawns it, its parent our pid.

        The node's rpc server spawns it, on all OTP releases alike: what it prints appears at its own node.
        """
        name = self._text(uuid.encode())
        arguments = [link.local, [], Atom(module), Atom(function), [name, Atom(self._node.name)]]

        def in_vain(answer: Term) -> None:
            pid = Pid.of(answer)
            if pid is not None:
                self._node.send(pid, (Atom("call_hangup" if waiting.hung_up else "call_taken"), name))

        spawn = [Atom("proc_lib"), Atom("init_p"), arguments]
        return _pid(self._rpc(waiting, link, "erlang", "spawn", spawn, late=in_vain))

    def _member(self, waiting: Waiting, link: Link, scope: str, name: str, order: Order) -> Found:
        """A member of a pg group that is there; those are left out that have ended, or whose nodes do not answer."""
        answer = self._rpc(waiting, link, "pg", "get_members", [Atom(scope), Atom(name)])
        if not isinstance(answer, list):
            raise NoAnswer(show(answer, 200))
        members = tuple(dict.fromkeys(map(_pid, answer)))
        silent: set[str] = set()
        for pid in islice(order(members), MAX_TRIED):
            if pid.node in silent:
                continue
            try:
                return self.named(waiting, self._target(link, pid))
            except NoProcess:
                log.debug("%s: %s has ended", name, pid)
            except (NoAnswer, NotConnected) as error:
                log.warning("%s: %s: %s", name, pid, error)
                silent.add(pid.node)
        raise NoAnswer(f"none of its {len(members)} members is there" if members else "it has no members")

    def _rpc(
        self,
        waiting: Waiting,
        link: Link,
        module: str,
        function: str,
        arguments: list[Term],
        also: Reference | None = None,
        late: Callable[[Term], None] | None = None,
    ) -> Term:
        """What a function returns. also: an answer under this reference counts too: the function may send it by
        itself."""
        tag = link.reference()
        request = (Atom("call"), Atom(module), Atom(function), arguments, Atom("user"))

        def ask(question: Question) -> None:
            if also is not None:
                with self._lock:
                    self._questions[also] = link, question
            Target(link, "rex").send((Atom("$gen_call"), (link.local, tag), request))

        return self._wait(waiting, link, tag, ask, late)

    def _wait(
        self,
        waiting: Waiting,
        link: Link,
        reference: Reference,
        ask: Callable[[Question], None],
        late: Callable[[Term], None] | None = None,
    ) -> Term:
        """Ask a node, and wait for `{Reference, Term}`. Raises NotConnected, NoAnswer, HungUp, Taken.

        late: what is done about an answer that comes when nobody waits for it any more.
        """
        question = waiting.begin()
        with self._lock:
            self._questions[reference] = link, question
            if late is not None:
                self._late[reference] = link, late
                if len(self._late) > MAX_LATE:
                    del self._late[next(iter(self._late))]
        try:
            with link.outbox.gathering():
                ask(question)
            if link.ended:  # `down` may have been here already
                self.down(link)
            step_aside()
            answer = question.wait(self.timeout)
            with self._lock:
                self._late.pop(reference, None)
            return answer
        finally:
            with self._lock:
                self._questions.pop(reference, None)

    def monitored(self, target: Target, lost: Lost) -> Found:
        """A process that is watched until it is left. Of the end of its node nobody hears here."""
        if not target.link.knows_monitors:
            return Found(target)
        monitor = target.link.reference()
        self._monitor(target, monitor, lost)
        return Found(target, monitor)

    def _monitor(self, target: Target, monitor: Reference, lost: Lost) -> None:
        with self._lock:
            self._monitors[monitor] = target.link, lost
        self._node.processes.monitor(target.link, target.to, monitor)

    def answered(self, reference: Reference, answer: Term, by: Link | None = None) -> bool:
        """`{Ref, Answer}` came. False when nobody waits for it. by: of the node that may answer, if it was asked; None:
        whoever was, he may have had another do it."""
        with self._lock:
            asked, question = self._questions.get(reference, (None, None))
        if question is not None and by in (None, asked) and question.settle(answer):
            return True
        with self._lock:
            asked, late = self._late.get(reference, (None, None))
            if late is None or by not in (None, asked):
                return False
            del self._late[reference]
        late(answer)
        return True

    def watch(self, found: Found, lost: Lost) -> bool:
        """From now on a process that was asked is watched for its call. False when it is gone already."""
        if found.monitor is None:
            return True  # a pid, which is linked; or there is nothing that could watch it
        with self._lock:
            if found.monitor not in self._monitors:
                return False
            self._monitors[found.monitor] = found.target.link, lost
            return True

    def leave(self, found: Found) -> None:
        """Watch it no more."""
        if found.monitor is None:
            return
        with self._lock:
            if self._monitors.pop(found.monitor, None) is None:
                return
        self._node.processes.demonitor(found.target.link, found.target.to, found.monitor)

    def monitor_down(self, link: Link, reference: Reference, reason: Term) -> None:
        """A process that we monitor is gone, or was never there. Only its own node can know: another one that says so
        has guessed the reference."""
        with self._lock:
            over, lost = self._monitors.get(reference, (None, None))
            if lost is None or over is not link:
                return
            del self._monitors[reference]
        lost(reason)

    def down(self, link: Link) -> None:
        """A node is gone: whoever waits for it hears of that now."""
        with self._lock:
            questions = [question for over, question in self._questions.values() if over is link]
            for reference in [reference for reference, (over, _) in self._monitors.items() if over is link]:
                del self._monitors[reference]
            for reference in [reference for reference, (over, _) in self._late.items() if over is link]:
                del self._late[reference]
        for question in questions:
            question.settle(_went_down(link))


def _no_process(question: Question) -> Lost:
    """What the monitor of a process that is asked has done."""

    def lost(reason: Term) -> None:
        question.settle(NoProcess(f"no such process ({show(reason, 100)})"))

    return lost


def _went_down(link: Link) -> NotConnected:
    return NotConnected(link.name, "it went down when it was asked")


def _pid(term: Term) -> Pid:
    pid = Pid.of(term)
    if pid is None:
        raise NoAnswer(f"answered {show(term, 100)}, which is no pid")
    return pid
