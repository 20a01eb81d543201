"""Functions that another node calls here: rpc, by `rex` or, since OTP 23, as erpc does; and erpc, by spawn requests.

Which functions there are says functions.py. A process is spawned for erpc and nothing else: it is a pid that lives as
long as the request, and how it ends is the answer (erpc:execute_call/4).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mod_erlang_py import etf
from mod_erlang_py.distribution.control import MonitorPExit, SpawnReply, SpawnRequest
from mod_erlang_py.errors import DecodeError, LimitExceeded, ProtocolViolation, TermError
from mod_erlang_py.etf import Atom, Limits, Pid, Reference, Term, atom_text, memory
from mod_erlang_py.log_lines import about
from mod_erlang_py.node import traffic
from mod_erlang_py.node.link import Link

from . import bounds, functions, otp
from .callers import Caller, Nobody
from .context import ERROR, REPLY_LATER, Context, ReplyLater, Request
from .registry import Entry, Envelope, Opened

log = logging.getLogger(__name__)

UNDEF = Atom("undef")
BADARG = Atom("badarg")
NORMAL = Atom("normal")
EXECUTE_CALL = ("erpc", "execute_call", 4)
MONITORED = 2
"""In SPAWN_REPLY: the monitor that was asked for is there."""

Raised: TypeAlias = Callable[[Term, Term], None]
"""Tell the caller that the function raised an error: the reason, the stack."""


def apply(ask: Request, module: Term, function: Term, arguments: Term, raised: Raised) -> Opened:
    """The request that a function is; ask.reply takes what it returns."""
    names, given = (atom_text(module), atom_text(function)), _proper(arguments)
    if names[0] is None or names[1] is None or given is None:
        return ask, _raising(raised, BADARG, [])
    found = functions.find(names[0], names[1], given)
    if found is None:
        return ask, _raising(raised, UNDEF, [(module, function, given, [])])
    term, entry = found
    return ask._replace(term=term), entry


def _raising(raised: Raised, reason: Term, stack: Term) -> Entry:
    """In its turn, like any other answer."""

    def run(_: Request) -> ReplyLater:
        raised(reason, stack)
        return REPLY_LATER  # there is none but that

    return Entry(run)


def _proper(term: Term) -> list[Term] | None:
    """A list; a string is one of integers."""
    if isinstance(term, bytes):
        return list(term)
    return term if isinstance(term, list) else None


# --- rex ---


def is_call(question: Term) -> bool:
    return _is_mfa(question, "call", "block_call")


def is_cast(question: Term) -> bool:
    return _is_mfa(question, "cast")


def _is_mfa(question: Term, *tags: str) -> bool:
    """`{Tag, Module, Function, Arguments, GroupLeader}`"""
    return isinstance(question, tuple) and len(question) == 5 and atom_text(question[0]) in tags


def by_value(ask: Request, module: Term, function: Term, arguments: Term) -> Opened:
    """A call whose failure is a value: `{badrpc, {'EXIT', {Reason, Stack}}}`."""

    def raised(reason: Term, stack: Term) -> None:
        ask.reply((Atom("badrpc"), (Atom("EXIT"), (reason, stack))))

    return apply(ask, module, function, arguments, raised)


def cast(ask: Request, module: Term, function: Term, arguments: Term) -> Opened:
    return apply(ask, module, function, arguments, lambda reason, stack: ask.reply((ERROR, (reason, stack))))


def _by_pid(ask: Request) -> Opened:
    """`{Pid, {call, Module, Function, Arguments, _}}` to `rex`: what ei_rpc sends; it waits for `{rex, Value}`."""
    match ask.term:
        case (pid, question) if ask.to == "rex" and is_call(question):
            caller = Caller.of(ask, pid, Atom("rex"))
            inner = ask._replace(link=caller.link, sender=caller.pid, reply=caller.answer, awaited=True)
            return by_value(inner, *question[1:4])
    return ask, otp.by_pid


by_pid = Envelope(_by_pid)
"""What begins with a pid."""


# --- erpc ---


@dataclass(frozen=True, slots=True)
class _Process:
    """One that was spawned. reference: of the request; its sender, the parent, is told how it ends if it asked for a
    monitor. Nothing else is kept of the request, which may be big."""

    link: Link
    pid: Pid
    parent: Pid
    reference: Reference
    monitored: bool

    def begun(self) -> None:
        flags = MONITORED if self.monitored else 0
        self.link.signal(SpawnReply(self.reference, self.parent, flags, self.pid))

    def ended(self, reason: Term) -> None:
        parent, reference = self.parent, self.reference
        if traffic.is_shown():
            traffic.sent(self.link.name, parent, reason)
        if not self.monitored:
            return
        try:
            self.link.signal(MonitorPExit(self.pid, parent, reference, reason))
        except TermError as wrong:
            log.error(
                "%s: a reply to %s cannot be encoded: %s", self.link.name, parent, wrong, extra=about(self.link.name)
            )
            self.link.signal(MonitorPExit(self.pid, parent, reference, BADARG))


def spawned(context: Context, link: Link, message: SpawnRequest, payload: bytes, limits: Limits) -> Opened | None:
    """What a spawn request asks for. It gets its reply here: a process, for erpc's functions; else it is refused, and
    nothing is left to do. limits: of the payload. Raises ProtocolViolation."""
    if message.mfa not in _EXECUTE or not _options(message) <= {"monitor"}:
        _refuse(link, message, "notsup")
        return None
    try:
        arguments = _proper(etf.decode_message(payload, limits))
    except LimitExceeded as over:
        log.warning("%s: a call of %s refused: %s", link.name, message.from_pid, over, extra=about(link.name))
        _refuse(link, message, "system_limit")
        return None
    except DecodeError as broken:
        raise ProtocolViolation(f"a call of {message.from_pid}: {broken}") from None
    if traffic.is_shown():
        traffic.received(link.name, message.from_pid, (*map(Atom, message.mfa[:2]), arguments))
    if arguments is None or len(arguments) != message.mfa[2] or _keeps_much(message, arguments):
        _refuse(link, message, "badarg")
        return None
    monitored = "monitor" in _options(message)
    process = _Process(link, link.fresh_pid(), message.from_pid, message.ref, monitored)
    process.begun()
    nobody = Nobody.of(link, message.from_pid, arguments)
    ask = Request(context, link, link, message.from_pid, process.pid, (), nobody.answer)
    return _EXECUTE[message.mfa](ask, process, arguments)


def _refuse(link: Link, message: SpawnRequest, reason: str) -> None:
    log.debug("%s: %s may not spawn %s:%s/%d: %s", link.name, message.from_pid, *message.mfa, reason)
    link.signal(SpawnReply(message.ref, message.from_pid, 0, reason))


def _options(message: SpawnRequest) -> set[str | None]:
    """The options, by name; None for what is no option."""
    if not isinstance(message.options, list):
        return {None}
    return {atom_text(one[0] if isinstance(one, tuple) and one else one) for one in message.options}


def _keeps_much(message: SpawnRequest, arguments: list[Term]) -> bool:
    """Whether the reference by which erpc knows the answer is something big."""
    return message.mfa == EXECUTE_CALL and memory(arguments[0]) > bounds.MAX_TAG


def _execute_call(ask: Request, process: _Process, arguments: list[Term]) -> Opened:
    """`erpc:execute_call(Res, Module, Function, Arguments)`"""
    result, module, function, given = arguments

    def returned(value: Term) -> None:
        process.ended((result, Atom("return"), value))

    def raised(reason: Term, stack: Term) -> None:
        process.ended((result, Atom("error"), reason, stack))

    return apply(ask._replace(reply=returned, awaited=True), module, function, given, raised)


def _execute_cast(ask: Request, process: _Process, arguments: list[Term]) -> Opened:
    """`erpc:execute_cast(Module, Function, Arguments)`"""

    def ended(answer: Term) -> None:
        ask.reply(answer)
        process.ended(NORMAL)

    def raised(reason: Term, stack: Term) -> None:
        ask.reply((ERROR, (reason, stack)))
        process.ended((reason, stack))

    module, function, given = arguments
    return apply(ask._replace(reply=ended), module, function, given, raised)


_EXECUTE: dict[tuple[str, str, int], Callable[[Request, _Process, list[Term]], Opened]] = {
    EXECUTE_CALL: _execute_call,
    ("erpc", "execute_cast", 3): _execute_cast,
}
