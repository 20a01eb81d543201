"""The Erlang processes that take calls: finding the one for a call, and noticing that it is gone.

The dialplan names a process in one of three ways (see targets.py), `handlecall` by its pid or its registered name. All
but the pid ask a node and wait for its answer, which the call's end ends early.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mod_erlang_py.calls.dialplan import AskPid, Named, Rpc, Target
from mod_erlang_py.distribution import control
from mod_erlang_py.errors import ErlangNodeError
from mod_erlang_py.etf import Atom, Pid, Reference, Term
from mod_erlang_py.etf.show import show
from mod_erlang_py.node.link import Link, send_control
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.reader import step_aside


class NoAnswer(ErlangNodeError):
    """The node was reached, but no process took the call."""


class HungUp(ErlangNodeError):
    """The call ended before a process had it."""


@dataclass(frozen=True, slots=True)
class Handler:
    """The process that has a call. to: its pid, or its registered name, which `monitor` watches."""

    link: Link
    to: Pid | str
    monitor: Reference | None = None

    def control(self) -> bytes:
        if isinstance(self.to, Pid):
            return send_control(self.link.local, self.to)
        return control.encode_control(control.RegSend(self.link.local, self.to))


class Outcome:
    """What a node answers, or why it does not; whoever is first settles it."""

    def __init__(self) -> None:
        self._settled = threading.Lock()
        self._queue: queue.SimpleQueue[Term | ErlangNodeError] = queue.SimpleQueue()

    def settle(self, outcome: Term | ErlangNodeError) -> bool:
        """False when it is settled already: nobody will see this one."""
        first = self._settled.acquire(blocking=False)
        if first:
            self._queue.put(outcome)
        return first

    def wait(self, timeout: float) -> Term:
        """Raises NoAnswer after `timeout` seconds, or the error that it was settled with."""
        try:
            outcome = self._queue.get(timeout=timeout)
        except queue.Empty:
            self.settle(NoAnswer(f"no answer within {timeout:g} s"))
            outcome = self._queue.get()
        if isinstance(outcome, ErlangNodeError):
            raise outcome
        return outcome


class Waiting:
    """The waiting of one call for its handler."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hung_up = False
        self._outcome: Outcome | None = None

    def begin(self) -> Outcome:
        """What is waited for from now on. Raises HungUp."""
        with self._lock:
            if self._hung_up:
                raise HungUp
            self._outcome = Outcome()
            return self._outcome

    def hang_up(self) -> None:
        """The call has ended: whoever waits, or will wait, gets HungUp."""
        with self._lock:
            self._hung_up = True
            outcome = self._outcome
        if outcome is not None:
            outcome.settle(HungUp())


Lost: TypeAlias = Callable[[Term], None]
"""What is done once a process is gone, with the reason."""


class Handlers:
    """text: a text of the switch as a term. timeout: seconds that a node has to be reached, and to answer."""

    def __init__(self, node: Node, text: Callable[[bytes], Term], timeout: float) -> None:
        self._node = node
        self._text = text
        self._lock = threading.Lock()
        self._answers: dict[Reference, Outcome] = {}
        self._monitors: dict[Reference, Lost] = {}
        self.timeout = timeout

    def configure(self, timeout: float) -> None:
        self.timeout = timeout

    def find(self, uuid: str, waiting: Waiting, target: Target, node: str) -> Handler:
        """The process that takes a call at a node, or at another one that this one names. Raises NotConnected,
        NoAnswer, HungUp."""
        link = self._node.connect(node, self.timeout)
        match target:
            case Named(name):
                return self.named(waiting, link, name)
            case AskPid(name):
                pid = self._asked(uuid, waiting, link, name)
            case Rpc(module, function):
                pid = self._from_rpc(waiting, link, module, function)
        return Handler(link if pid.node == link.name else self._node.connect(pid.node, self.timeout), pid)

    def named(self, waiting: Waiting, link: Link, name: str) -> Handler:
        """A registered process, once it is known to be there. Raises NoAnswer, HungUp.

        A monitor of a name that is not registered is answered at once, one of a process that is there not at all: so
        a ping goes after it, whose answer comes later than the monitor's would have.
        """
        reference, monitor = self._node.reference(), self._node.reference()
        ping = (Atom("$gen_call"), (self._node.pid, reference), (Atom("is_auth"), Atom(self._node.name)))

        def ask(outcome: Outcome) -> None:
            self._monitor(link, name, monitor, outcome)
            link.send_name("net_kernel", ping)

        try:
            self._wait(waiting, link, reference, ask)
        except (NoAnswer, HungUp):
            self.leave(Handler(link, name, monitor))
            raise
        return Handler(link, name, monitor)

    def _asked(self, uuid: str, waiting: Waiting, link: Link, name: str) -> Pid:
        """`{get_pid, UUID, Ref, Pid}` to a registered process, which answers `{Ref, NewPid}` to Pid."""
        reference, monitor = self._node.reference(), self._node.reference()

        def ask(outcome: Outcome) -> None:
            self._monitor(link, name, monitor, outcome)
            link.send_name(name, (Atom("get_pid"), self._text(uuid.encode()), reference, self._node.pid))

        try:
            return _pid(self._wait(waiting, link, reference, ask))
        finally:
            self.leave(Handler(link, name, monitor))

    def _from_rpc(self, waiting: Waiting, link: Link, module: str, function: str) -> Pid:
        """`module:function(Ref)`, run by the node's rpc server, which returns `{Ref, NewPid}`."""
        reference, tag = self._node.reference(), self._node.reference()
        request = (Atom("call"), Atom(module), Atom(function), [reference], Atom("user"))

        def ask(outcome: Outcome) -> None:
            with self._lock:
                self._answers[reference] = outcome  # the function may also send it by itself
            link.send_name("rex", (Atom("$gen_call"), (self._node.pid, tag), request))

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
                self._answers.pop(reference, None)

    def _wait(self, waiting: Waiting, link: Link, reference: Reference, ask: Callable[[Outcome], None]) -> Term:
        """Ask a node, and wait for `{Reference, Term}`. Raises NoAnswer, HungUp."""
        outcome = waiting.begin()
        with self._lock:
            self._answers[reference] = outcome
        try:
            with link.outbox.gathering():
                ask(outcome)
            step_aside()
            return outcome.wait(self.timeout)
        finally:
            with self._lock:
                self._answers.pop(reference, None)

    def _monitor(self, link: Link, name: str, monitor: Reference, outcome: Outcome) -> None:
        """Watch a registered process while it is asked."""

        def lost(reason: Term) -> None:
            outcome.settle(NoAnswer(f"no such process ({show(reason, 100)})"))

        with self._lock:
            self._monitors[monitor] = lost
        self._node.processes.monitor(link, name, monitor)

    def answered(self, reference: Reference, answer: Term) -> bool:
        """`{Ref, Answer}` came. False when nobody waits for it."""
        with self._lock:
            outcome = self._answers.get(reference)
        return outcome is not None and outcome.settle(answer)

    def watch(self, handler: Handler, lost: Lost) -> bool:
        """From now on a handler that was asked is watched for its call. False when it is gone already."""
        if handler.monitor is None:
            return True  # a pid, which is linked
        with self._lock:
            if handler.monitor not in self._monitors:
                return False
            self._monitors[handler.monitor] = lost
            return True

    def leave(self, handler: Handler) -> None:
        """Watch it no more."""
        if handler.monitor is None or isinstance(handler.to, Pid):
            return
        with self._lock:
            if self._monitors.pop(handler.monitor, None) is None:
                return
        self._node.processes.demonitor(handler.link, handler.to, handler.monitor)

    def monitor_down(self, reference: Reference, reason: Term) -> None:
        """A process that we monitor is gone, or was never there."""
        with self._lock:
            lost = self._monitors.pop(reference, None)
        if lost is not None:
            lost(reason)


def _pid(term: Term) -> Pid:
    pid = Pid.of(term)
    if pid is None:
        raise NoAnswer(f"answered {show(term, 100)}, which is no pid")
    return pid
