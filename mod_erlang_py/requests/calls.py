"""Calls: taking them, commanding them, letting go of them (handle_msg_handlecall, handle_msg_sendmsg)."""

from __future__ import annotations

from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Atom, Pid, Term, atom_text, text

from .context import OK, Answer, Request, error
from .events import pairs
from .registry import request

UUID_LENGTH = 36
"""SWITCH_UUID_FORMATTED_LENGTH"""


@request("handlecall", 2, 3)
def handlecall(ask: Request) -> Term | Answer:
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
    outcome = ask.context.calls.handlecall(uuid, ask.link, to)
    return error(outcome) if isinstance(outcome, str) else Answer(OK, outcome)


@request("nohandle", 2, 3)
def nohandle(ask: Request) -> Term:
    """`{nohandle, UUID}`, `{nohandle, UUID, park | continue}`: let go of a call. Ours."""
    _, uuid, *rest = ask.term
    then = atom_text(rest[0]) if rest else "park"
    if then not in ("park", "continue"):
        raise BadArg("park or continue")
    return OK if ask.context.calls.nohandle(_uuid(uuid), parked=then == "park") else error("badsession")


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
