"""Targets in requests: a pid on any node, a name on the sender's, or {Name, Node}."""

from __future__ import annotations

from collections.abc import Callable

from mod_erlang_py.calls.asking import Lost
from mod_erlang_py.calls.waiting import NoProcess, Waiting
from mod_erlang_py.errors import BadArg, BadOption
from mod_erlang_py.etf import Atom, Pid, Term, atom_text
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.target import Target

from .context import Context, Request

EXPECTED = "a pid, a registered name, or {Name, Node}"


def target(ask: Request, term: Term, option: str = "target") -> Target:
    """Its node is connected to, if need be. option: what it stands for. Raises BadOption, NotConnected."""
    pid = Pid.of(term)
    match term:
        case _ if pid is not None:
            return Target(_link(ask, pid.node), pid)
        case Atom():
            return Target(ask.link, atom_text(term) or "")
        case (Atom() as name, Atom() as node):
            return Target(_link(ask, atom_text(node) or ""), atom_text(name) or "")
    raise BadOption(option, EXPECTED)


def _link(ask: Request, node: str) -> Link:
    if node == ask.link.name:
        return ask.link
    return ask.context.node.connect(node, ask.context.asking.timeout)


def register(ask: Request, handler: Callable[[Link, Pid | str], None]) -> None:
    """Have the sender, or the target that the request names, be a handler of its node. Raises BadArg, NoAnswer,
    NotConnected, Exhausted."""
    named = ask.term[1] if isinstance(ask.term, tuple) else ask.sender
    if named is None:
        raise BadArg("a handler is a process")
    to = target(ask, named)
    ask.context.watching.register(to, lambda: handler(to.link, to.to))


def watch(context: Context, to: Target, lost: Lost) -> Callable[[], None]:
    """Have `lost` called once the process is gone, as far as its node tells of that; the end of the node is another
    matter. Returns what ends the watching. Raises NoAnswer where no process has the name, NotConnected, Exhausted."""
    asking = context.asking
    if isinstance(to.to, Pid):
        found = asking.monitored(to, lost)
        if found.monitor is None:
            context.node.processes.link(to.link, to.to)
    else:
        found = asking.named(Waiting(), to)
        if not asking.watch(found, lost):
            raise NoProcess("it is gone again")
    return lambda: asking.leave(found)
