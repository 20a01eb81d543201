"""What OTP's own libraries send to a process they take for a gen_server.

Nothing of it is served, but everybody who waits is told so, in the form that ends the waiting.
"""

from __future__ import annotations

from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Atom, Pid, Term

from .context import NO_REPLY, NoReply, Request, error
from .registry import request


@request("$gen_call", 3)
@request("system", 3)
def gen_call(ask: Request) -> NoReply:
    """`{'$gen_call', {Pid, Tag}, _}`, `{system, {Pid, Tag}, _}`: the call returns `{error, undef}` (gen.erl)."""
    match ask.term:
        case (_, tuple((caller, tag)), _):
            return _tell(ask, caller, (tag, error("undef")))
    raise BadArg("From is {Pid, Tag}")


@request("$gen_cast", 2)
def gen_cast(_: Request) -> NoReply:
    """`{'$gen_cast', _}`: nobody waits."""
    return NO_REPLY


@request("io_request", 4)
def io_request(ask: Request) -> NoReply:
    """`{io_request, Pid, ReplyAs, _}`: we are no io device (the Erlang I/O protocol)."""
    _, caller, reply_as, _ = ask.term
    return _tell(ask, caller, (Atom("io_reply"), reply_as, error("enotsup")))


def _tell(ask: Request, caller: Term, answer: Term) -> NoReply:
    pid = Pid.of(caller)
    if pid is None:
        raise BadArg("who asks is no pid")
    ask.context.node.send(pid, answer)
    return NO_REPLY
