"""Calls: taking them, commanding them, letting go of them (handle_msg_handlecall, handle_msg_sendmsg)."""

from __future__ import annotations

from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Atom, Pid, Term, atom_text, text
from mod_erlang_py.node.target import Target

from .context import OK, ReplyThen, Request, error
from .events import pairs
from .registry import request

UUID_LENGTH = 36
"""SWITCH_UUID_FORMATTED_LENGTH"""


@request("handlecall", 2, 3)
def handlecall(ask: Request) -> Term | ReplyThen:
    """`{handlecall, UUID}`: the call is attached to the sender. `{handlecall, Name, UUID}`, in either order: to the
    process registered under the atom Name."""
    _, *arguments = ask.term
    to: Pid | str | None = ask.sender
    if len(arguments) == 2:
        named = next((one for one in arguments if isinstance(one, Atom)), None)
        if named is None:
            raise BadArg("a registered name is an atom")
        arguments = [one for one in arguments if one is not named]
        to = atom_text(named)
    if to is None:
        raise BadArg("a handler is a process")
    uuid = _uuid(arguments[0])
    if not uuid:
        return error("baduuid")
    attach = ask.context.calls.handlecall(uuid, Target(ask.link, to))
    return error(attach) if isinstance(attach, str) else ReplyThen(OK, attach)


@request("nohandle", 2, 3)
def nohandle(ask: Request) -> Term:
    """`{nohandle, UUID}`, `{nohandle, UUID, park | continue}`: let go of a call. Ours."""
    _, uuid, *rest = ask.term
    then = atom_text(rest[0]) if rest else "park"
    if then not in ("park", "continue"):
        raise BadArg("park or continue")
    let_go = ask.context.calls.nohandle(_uuid(uuid), then == "park", ask.sender)
    return OK if let_go else error("badsession")


@request("sendmsg", 3, or_more=True)
def sendmsg(ask: Request) -> Term:
    """`{sendmsg, UUID, Headers}`: have the session do something. Headers: a list of `{Key, Value}`."""
    _, uuid, headers, *_ = ask.term
    message = pairs(headers)
    with ask.context.switch.locate(_uuid(uuid)) as session:
        if session is None:
            return error("nosession")
        return OK if session.send_message(message) else error("badmem")


def _uuid(term: Term) -> str:
    uuid = text(term)
    if len(uuid) > UUID_LENGTH:
        raise BadArg("too long for a UUID")
    try:
        return uuid.decode()
    except UnicodeDecodeError:
        raise BadArg("no UUID") from None
