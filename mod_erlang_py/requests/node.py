"""Requests about the node itself, and answers to what it asked."""

from __future__ import annotations

import logging

from mod_erlang_py.config.rights import Family
from mod_erlang_py.etf import Pid, Reference, Term
from mod_erlang_py.log_lines import about

from .context import NO_REPLY, OK, NoReply, ReplyThen, Request, error
from .registry import Entry, request

log = logging.getLogger(__name__)


@request("getpid", 0, family=None)
def getpid(ask: Request) -> Term:
    """`{ok, Pid}`: the node's own pid."""
    return (OK, ask.link.local)


@request("link", 0, family=None)
def link(ask: Request) -> NoReply:
    """Link the node's pid to the sender."""
    if ask.sender is not None:
        ask.context.node.processes.link(ask.link, ask.sender)
    return NO_REPLY


@request("exit", 0, family=None)
def exit_(ask: Request) -> ReplyThen:
    """`ok`, and the connection that it came by is closed: nobody ends that of another node."""
    return ReplyThen(OK, lambda: ask.by.end("asked to exit"))


def _spawn_reply(ask: Request) -> Term | NoReply:
    """`{Ref, Pid}`: the process that a call waits for (handle_ref_tuple); or another answer that is waited for.

    Of a node that may not take calls only when it was asked itself: a reference can be guessed.
    """
    reference = Reference.of(ask.term[0])
    answer = ask.term[1] if len(ask.term) > 1 else None
    by = None if Family.CALLS in ask.context.node.config.rights_of(ask.by.name).families else ask.by
    if reference is not None and ask.context.asking.answered(reference, answer, by):
        return NO_REPLY
    if Pid.of(answer) is not None:
        return error("notfound")
    log.warning(
        "%s: %s answered a reference with something else than a pid",
        ask.link.name,
        ask.sender,
        extra=about(ask.link.name),
    )
    return NO_REPLY


spawn_reply = Entry(_spawn_reply, urgent=True)


@request("rex", 1, family=None, or_more=True, urgent=True, public=False)
def rex(ask: Request) -> Term | NoReply:
    """`{rex, {Ref, Pid}}`: the same, as the result of an rpc (handle_msg_rpcresponse)."""
    match ask.term:
        case (_, (reference, *rest), *_) if Reference.of(reference) is not None:
            return _spawn_reply(ask._replace(term=(reference, *rest)))
    log.warning(
        "%s: an rpc answered with something else than a reference and a pid", ask.link.name, extra=about(ask.link.name)
    )
    return NO_REPLY
