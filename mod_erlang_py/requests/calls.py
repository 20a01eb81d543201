"""Calls: taking them, commanding them, letting go of them (handle_msg_handlecall, handle_msg_sendmsg)."""

from __future__ import annotations

from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import BadArg, BadOption
from mod_erlang_py.etf import Atom, Pid, Term, atom_text
from mod_erlang_py.switch.port import Event, Header

from . import arguments, targets
from .context import OK, ReplyThen, Request, error
from .registry import request


@request("handlecall", 2, 3, family=Family.CALLS)
def handlecall(ask: Request) -> Term | ReplyThen:
    """`{handlecall, UUID}`: the call is attached to the sender. `{handlecall, Target, UUID}`, in either order: to that
    process."""
    _, *given = ask.term
    named: Term = given.pop(_target(given)) if len(given) == 2 else ask.sender
    if named is None:
        raise BadArg("a handler is a process")
    uuid = arguments.uuid(given[0])
    if not uuid:
        return error("baduuid")
    attach = ask.context.calls.handlecall(uuid, targets.target(ask, named))
    return error(attach) if isinstance(attach, str) else ReplyThen(OK, attach)


def _target(given: list[Term]) -> int:
    """Which of them is a pid or a tuple, or else the first atom. Raises BadArg."""
    whole = [at for at, one in enumerate(given) if isinstance(one, tuple) or Pid.of(one) is not None]
    atoms = [at for at, one in enumerate(given) if isinstance(one, Atom)]
    if not whole and not atoms:
        raise BadArg("a registered name is an atom")
    return (whole + atoms)[0]


@request("nohandle", 2, 3, family=Family.CALLS, expected="{nohandle, UUID} or {nohandle, UUID, park | continue}")
def nohandle(ask: Request) -> Term:
    """`{nohandle, UUID}`, `{nohandle, UUID, park | continue}`: let go of a call. Ours."""
    _, uuid, *rest = ask.term
    then = atom_text(rest[0]) if rest else "park"
    if then not in ("park", "continue"):
        raise BadOption("nohandle", "park or continue")
    found = arguments.said("uuid", arguments.UUID, arguments.uuid, uuid)
    let_go = ask.context.calls.nohandle(found, then == "park", ask.sender)
    return OK if let_go else error("badsession")


@request("sendmsg", 3, family=Family.CALLS, or_more=True)
def sendmsg(ask: Request) -> Term:
    """`{sendmsg, UUID, Headers}`: have the session do something. Headers: a list of `{Key, Value}`."""
    _, uuid, headers, *_ = ask.term
    message = _with_argument(arguments.headers(headers))
    with ask.context.switch.locate(arguments.uuid(uuid)) as session:
        if session is None:
            return error("nosession")
        return OK if session.send_message(message) else error("badmem")


def _with_argument(message: list[Header]) -> list[Header]:
    """A body of the type text/plain is the application's argument, when it has no other (switch_ivr_parse_event)."""
    of = Event("SEND_MESSAGE", message)
    body, content_type = of.header(b"body"), of.header(b"content-type") or b""
    if body is None or content_type.lower() != b"text/plain" or of.header(b"execute-app-arg"):
        return message
    return [one for one in message if one[0].lower() != b"execute-app-arg"] + [(b"execute-app-arg", body)]
