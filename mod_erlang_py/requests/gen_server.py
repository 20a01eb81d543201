"""Requests by gen_server's call, send_request, multi_call and cast, and by gen_statem's (gen.erl, gen_server.erl)."""

from __future__ import annotations

from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Term

from . import otp, rpc
from .callers import Caller, Nobody
from .context import Request
from .registry import UNKNOWN, Entry, Opened, envelope, find_public, wrong


@envelope("$gen_call", 3)
def gen_call(ask: Request) -> Opened:
    """`{'$gen_call', {Pid, Tag}, Request}`: the answer is `{Tag, Answer}`."""
    _, sender, question = ask.term
    caller = _caller(ask, sender)
    inner = ask._replace(link=caller.link, sender=caller.pid, term=question, reply=caller.answer, awaited=True)
    if ask.to == "rex" and rpc.is_call(question):
        return rpc.by_value(inner, *question[1:4])
    if ask.to == "net_kernel" and otp.is_spawn(question):
        return inner, otp.spawn
    return inner, _entry(question)


@envelope("$gen_cast", 2)
def gen_cast(ask: Request) -> Opened:
    """`{'$gen_cast', Request}`: no answer."""
    if ask.to == "global_group":
        return ask, otp.global_group
    question = ask.term[1]
    inner = ask._replace(term=question, reply=Nobody.of(ask.link, ask.sender, question).answer)
    if ask.to == "rex" and rpc.is_cast(question):
        return rpc.cast(inner, *question[1:4])
    return inner, _entry(question)


def _caller(ask: Request, sender: Term) -> Caller:
    """Of `{Pid, Tag}`. Raises BadArg."""
    match sender:
        case (pid, tag):
            return Caller.of(ask, pid, tag)
    raise BadArg("From is {Pid, Tag}")


def _entry(question: Term) -> Entry:
    """Who answers it; who does not know it, or finds it wrong, too: from here on the answer goes by the envelope."""
    try:
        return find_public(question) or UNKNOWN
    except BadArg as why:
        return wrong(why)
