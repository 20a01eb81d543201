"""What OTP's own libraries send to a process they take for one of theirs, besides what is a request in an envelope.

Nothing of it is served, but everybody who waits is told so, in the form that ends the waiting. Whose form it is says
the name that it was sent to: `rex` (rpc.erl), `global_group`, `logger_proxy`.
"""

from __future__ import annotations

from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Atom, Pid, Term, atom_text

from .context import NO_REPLY, NoReply, Request, error
from .registry import Entry, request


@request("$gen_sync_event", 3, family=None, public=False)
@request("$gen_sync_all_state_event", 3, family=None, public=False)
@request("system", 3, family=None, public=False)
def system(ask: Request) -> NoReply:
    """`{Label, {Pid, Tag}, _}`: sys and proc_lib:stop, and gen_fsm, which has left OTP; it returns `{error, undef}`."""
    match ask.term:
        case (_, tuple((caller, tag)), _):
            return _tell(ask, caller, (tag, error("undef")))
    raise BadArg("From is {Pid, Tag}")


def is_spawn(question: Term) -> bool:
    """What OTP 23 asks net_kernel when a spawn request was refused."""
    return isinstance(question, tuple) and bool(question) and atom_text(question[0]) in _SPAWN


_SPAWN = ("spawn", "spawn_link", "spawn_opt")

spawn = Entry(lambda _: Atom("notsup"))


def _global_group(ask: Request) -> NoReply:
    """`{'$gen_cast', _}` to global_group: nobody waits, but for its questions (global_search.erl)."""
    match ask.term[1]:
        case (tag, caller, *_):
            if atom_text(tag) == "find_name":
                return _tell(ask, caller, (Atom("find_name_res"), Atom("undefined")))
            if atom_text(tag) == "registered_names":
                return _tell(ask, caller, (Atom("registered_names_res"), []))
    return NO_REPLY


global_group = Entry(_global_group)


def _by_pid(ask: Request) -> Term | NoReply:
    """What begins with the pid of whoever waits.

    `{Pid, {Pid, Tag}, _}` is a call to a gen_event. `{Pid, Request}` is what rpc.erl sends; it awaits the answer under
    a name that we are not told, but monitors whom it asks.
    """
    match ask.term:
        case (_, tuple((caller, tag)), _) if Pid.of(caller):
            return _tell(ask, caller, (tag, error("undef")))
        case (caller, (tag, name, _)) if ask.to == "rex" and atom_text(tag) == "sbcast":
            answer = (Atom("nonexisting_name"), name)
            return _tell(ask, caller, (Atom("rex"), Atom(ask.link.local.node), answer))
        case (caller, _) if (pid := Pid.of(caller)) and ask.context.node.processes.refuse(ask.link, pid, ask.to):
            return NO_REPLY
    return error("undef")


by_pid = Entry(_by_pid)


@request("io_request", 4, family=None, public=False)
def io_request(ask: Request) -> NoReply:
    """`{io_request, Pid, ReplyAs, _}`: we are no io device (the Erlang I/O protocol)."""
    _, caller, reply_as, _ = ask.term
    return _tell(ask, caller, (Atom("io_reply"), reply_as, error("enotsup")))


@request("file_request", 4, family=None, public=False)
def file_request(ask: Request) -> NoReply:
    """`{file_request, Pid, ReplyAs, _}`: nor a file (file.erl)."""
    _, caller, reply_as, _ = ask.term
    return _tell(ask, caller, (Atom("file_reply"), reply_as, error("enotsup")))


@request("log", 4, 5, family=None, public=False)
def log_event(ask: Request) -> Term | NoReply:
    """`{log, …}` to logger_proxy, about a process whose group leader we are: an answer would end that one there."""
    return NO_REPLY if ask.to == "logger_proxy" else error("undef")


def _tell(ask: Request, caller: Term, answer: Term) -> NoReply:
    pid = Pid.of(caller)
    if pid is None:
        raise BadArg("who asks is no pid")
    ask.context.node.send(pid, answer)
    return NO_REPLY
