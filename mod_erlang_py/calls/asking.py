"""Finding the process that takes a call, and noticing that it is gone.

The dialplan names it in one of three ways (see dialplan.py), `handlecall` by its pid or its registered name. All but
the pid ask a node and wait for its answer, which the call's end, and the node's, end early.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mod_erlang_py.errors import ErlangNodeError, NotConnected
from mod_erlang_py.etf import Atom, Pid, Reference, Term
from mod_erlang_py.etf.show import show
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.reader import step_aside
from mod_erlang_py.node.target import Target

from .dialplan import AskPid, Named, Rpc, Wish


class NoAnswer(ErlangNodeError):
    """The node was reached, but no process took the call."""


class HungUp(ErlangNodeError):
    """The call ended before a process had it."""


class Taken(ErlangNodeError):
    """Another process took the call meanwhile."""


@dataclass(frozen=True, slots=True)
class Found:
    """A process that takes a call, or is served otherwise. monitor: what watches it, where its node knows monitors; a
    pid without one is linked."""

    target: Target
    monitor: Reference | None = None


class Question:
    """What a node is asked; the answer, or why there is none. Whoever is first settles it."""

    def __init__(self) -> None:
        self._settled = threading.Lock()
        self._queue: queue.SimpleQueue[Term | ErlangNodeError] = queue.SimpleQueue()

    def settle(self, answer: Term | ErlangNodeError) -> bool:
        """False when it is settled already: nobody will see this one."""
        first = self._settled.acquire(blocking=False)
        if first:
            self._queue.put(answer)
        return first

    def wait(self, timeout: float) -> Term:
        """Raises NoAnswer after `timeout` seconds, or the error that it was settled with."""
        try:
            answer = self._queue.get(timeout=timeout)
        except queue.Empty:
            self.settle(NoAnswer(f"no answer within {timeout:g} s"))
            answer = self._queue.get()
        if isinstance(answer, ErlangNodeError):
            raise answer
        return answer


class Waiting:
    """The waiting of one call for its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over: ErlangNodeError | None = None
        self._question: Question | None = None

    def begin(self) -> Question:
        """What is waited for from now on. Raises HungUp, Taken."""
        with self._lock:
            if self._over is not None:
                raise self._over
            self._question = Question()
            return self._question

    def end(self, why: HungUp | Taken) -> None:
        """Whoever waits, or will wait, gets this; unless it was over before."""
        with self._lock:
            if self._over is not None:
                return
            self._over = why
            question = self._question
        if question is not None:
            question.settle(why)


Lost: TypeAlias = Callable[[Term], None]
"""What is done once a process is gone, with the reason."""


class Asking:
    """text: a text of the switch as a term. timeout: seconds that a node has to be reached, and to answer."""

    def __init__(self, node: Node, text: Callable[[bytes], Term], timeout: float) -> None:
        self._node = node
        self._text = text
        self._lock = threading.Lock()
        self._questions: dict[Reference, tuple[Link, Question]] = {}
        self._monitors: dict[Reference, tuple[Link, Lost]] = {}
        self.timeout = timeout

    def configure(self, timeout: float) -> None:
        self.timeout = timeout

    def find(self, uuid: str, waiting: Waiting, wish: Wish, node: str) -> Found:
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
        there = link if pid.node == link.name else self._node.connect(pid.node, self.timeout)
        return Found(Target(there, pid))

    def named(self, waiting: Waiting, target: Target) -> Found:
        """A registered process, once it is known to be there. Raises NotConnected, NoAnswer, HungUp, Taken.

        A monitor of a name that is not registered is answered at once, one of a process that is there not at all: so
        a ping goes after it, whose answer comes later than the monitor's would have. A C node or a Java node knows no
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
            self._wait(waiting, link, reference, ask)
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
        reference, tag = link.reference(), link.reference()
        request = (Atom("call"), Atom(module), Atom(function), [reference], Atom("user"))

        def ask(question: Question) -> None:
            with self._lock:
                self._questions[reference] = link, question  # the function may also send it by itself
            Target(link, "rex").send((Atom("$gen_call"), (link.local, tag), request))

        try:
            match self._wait(waiting, link, tag, ask):
                case (returned, pid) if Reference.of(returned) == reference:
                    return _pid(pid)
                case Pid() as pid:
                    return pid
                case other:
                    raise NoAnswer(show(other, 200))
        finally:
            with self._lock:
                self._questions.pop(reference, None)

    def _wait(self, waiting: Waiting, link: Link, reference: Reference, ask: Callable[[Question], None]) -> Term:
        """Ask a node, and wait for `{Reference, Term}`. Raises NotConnected, NoAnswer, HungUp, Taken."""
        question = waiting.begin()
        with self._lock:
            self._questions[reference] = link, question
        try:
            with link.outbox.gathering():
                ask(question)
            if link.ended:  # `down` may have been here already
                question.settle(_went_down(link))
            step_aside()
            return question.wait(self.timeout)
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

    def answered(self, reference: Reference, answer: Term) -> bool:
        """`{Ref, Answer}` came. False when nobody waits for it."""
        with self._lock:
            _, question = self._questions.get(reference, (None, None))
        return question is not None and question.settle(answer)

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

    def monitor_down(self, reference: Reference, reason: Term) -> None:
        """A process that we monitor is gone, or was never there."""
        with self._lock:
            _, lost = self._monitors.pop(reference, (None, None))
        if lost is not None:
            lost(reason)

    def down(self, link: Link) -> None:
        """A node is gone: whoever waits for it hears of that now."""
        with self._lock:
            questions = [question for over, question in self._questions.values() if over is link]
            for reference in [reference for reference, (over, _) in self._monitors.items() if over is link]:
                del self._monitors[reference]
        for question in questions:
            question.settle(_went_down(link))


def _no_process(question: Question) -> Lost:
    """What the monitor of a process that is asked has done."""

    def lost(reason: Term) -> None:
        question.settle(NoAnswer(f"no such process ({show(reason, 100)})"))

    return lost


def _went_down(link: Link) -> NotConnected:
    return NotConnected(link.name, "it went down when it was asked")


def _pid(term: Term) -> Pid:
    pid = Pid.of(term)
    if pid is None:
        raise NoAnswer(f"answered {show(term, 100)}, which is no pid")
    return pid
