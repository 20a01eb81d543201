"""From a message's bytes to what is done about it."""

from __future__ import annotations

import logging
from functools import partial

from mod_erlang_py import etf
from mod_erlang_py.calls.waiting import NoAnswer, NoProcess
from mod_erlang_py.distribution.control import SpawnRequest
from mod_erlang_py.errors import (
    BadArg,
    DecodeError,
    Exhausted,
    LimitExceeded,
    NotConnected,
    NotText,
    ProtocolViolation,
    TermError,
    TooMuch,
)
from mod_erlang_py.etf import Atom, Limits, Pid, Reference, Term, atom_text
from mod_erlang_py.log_lines import about
from mod_erlang_py.node import traffic
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.reader import Job

from . import registry, rights, rpc
from .context import OK, Context, NoReply, ReplyLater, ReplyThen, Request, badarg, error, is_error
from .node import spawn_reply

log = logging.getLogger(__name__)

UNDEF = error("undef")
BADARG = error("badarg")
SYSTEM_LIMIT = error("system_limit")


class Dispatcher:
    """Finds who answers a message. limits: of one."""

    def __init__(self, context: Context, limits: Limits) -> None:
        self._context = context
        self._limits = limits

    def configure(self, limits: Limits) -> None:
        self._limits = limits

    def received(self, link: Link, sender: Pid | None, to: Pid | str, payload: bytes) -> Job | None:
        """Answer an urgent request, or return the job that answers.

        Raises ProtocolViolation for bytes that OTP would close the link for too.
        """
        link.requests += 1
        reply = partial(self._reply, link, sender)
        try:
            term = etf.decode_message(payload, self._limits)
        except LimitExceeded as over:
            log.warning("%s: a message of %s refused: %s", link.name, sender, over, extra=about(link.name))
            term = _unreadable(payload, self._limits)
            if term is None:
                return Job(sender, partial(reply, BADARG))
        except DecodeError as broken:
            raise ProtocolViolation(f"a message of {sender}: {broken}") from None
        if traffic.is_shown():
            traffic.received(link.name, sender, term)
        request = Request(self._context, link, link, sender, to, term, reply)
        try:
            entry = self._find(term)
            if isinstance(entry, registry.Envelope):
                return self._opened(sender, *entry.open(request))
        except BadArg as why:
            return self._opened(sender, request, registry.wrong(why))
        if entry is None:
            if is_error(term):  # answered, it would come back, and so on for ever
                log.debug("%s: %s sent an error, which nobody waits for", link.name, sender)
                return None
            return Job(sender, partial(reply, UNDEF))
        return self._opened(sender, request, entry)

    def spawned(self, link: Link, message: SpawnRequest, payload: bytes) -> Job | None:
        """The same for a function that is called by erpc. Raises ProtocolViolation."""
        link.requests += 1
        opened = rpc.spawned(self._context, link, message, payload, self._limits)
        return self._opened(message.from_pid, *opened) if opened is not None else None

    def _opened(self, sender: Pid | None, request: Request, entry: registry.Entry) -> Job | None:
        """sender: of the envelope, whose order is kept; what is in it may be asked for another."""
        if entry.urgent:
            self._answer(request, entry)
            return None
        return Job(sender, partial(self._answer, request, entry), request.term)

    def _find(self, term: Term) -> registry.Entry | registry.Envelope | None:
        if isinstance(term, tuple) and term and not isinstance(term[0], Atom):
            if Reference.of(term[0]) is not None:
                return spawn_reply
            if Pid.of(term[0]) is not None:
                return rpc.by_pid
        return registry.find(term)

    def _answer(self, request: Request, entry: registry.Entry) -> None:
        """Run the request, if its node may ask for it. Whatever it raises becomes a term for its sender, here and
        nowhere else."""
        then = None
        try:
            answer = rights.run(request, entry)
            if isinstance(answer, ReplyThen):
                answer, then = answer.reply, answer.then
        except BadArg as wrong:
            if isinstance(wrong, TooMuch):
                _refused(request, wrong)
            answer = badarg(self._context, wrong)
        except NotText:
            answer = BADARG
        except (NotConnected, NoAnswer) as nobody:
            _refused(request, nobody)
            answer = _nobody(nobody)
        except (Exhausted, MemoryError) as no_more:
            _refused(request, str(no_more) or "no memory", logging.ERROR)
            answer = SYSTEM_LIMIT
        except Exception as failed:
            log.exception("%s: request of %s failed", request.link.name, request.sender, extra=about(request.link.name))
            answer = error(type(failed).__name__)
        try:
            if not isinstance(answer, NoReply):
                request.reply(answer)
            elif request.awaited and not isinstance(answer, ReplyLater):
                request.reply(OK)
        finally:
            if then is not None:
                then()

    def _reply(self, link: Link, sender: Pid | None, term: Term) -> None:
        if sender is None:
            log.debug("%s: a request without a sender gets no reply", link.name)
            return
        try:
            link.send(sender, term)
        except TermError as wrong:
            log.error("%s: a reply to %s cannot be encoded: %s", link.name, sender, wrong, extra=about(link.name))
        except MemoryError:
            log.error("%s: no memory for a reply to %s", link.name, sender, extra=about(link.name))
            link.send(sender, SYSTEM_LIMIT)


def _refused(request: Request, why: object, level: int = logging.WARNING) -> None:
    """A line about it."""
    node = request.link.name
    log.log(level, "%s: request of %s refused: %s", node, request.sender, why, extra=about(node))


def _nobody(why: NotConnected | NoAnswer) -> Term:
    """There is no such target."""
    if isinstance(why, NotConnected):
        return error("noconnection")
    return error("noproc" if isinstance(why, NoProcess) else "timeout")


WRONG = (Atom("api"),)
"""A request that is `{error, badarg}`: in the place of one that nobody could read."""


def _unreadable(payload: bytes, limits: Limits) -> Term:
    """What is left of a message that is over the limits: of a `fetch_reply`, whose answer it is not; of a call, which
    waits for an answer. Else None."""
    match etf.decode_head(payload, 2, limits):
        case (tag, fetch_id) if atom_text(tag) == "fetch_reply":
            return (tag, fetch_id)
        case (tag, caller) if atom_text(tag) == "$gen_call":
            return (tag, caller, WRONG)
    return None
