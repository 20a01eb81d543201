"""`execute`: an application that a call executes, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from mod_erlang_py.calls.executes import Completed, Failure
from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Atom, Term, atom_text
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Header

from . import arguments
from .context import NO_REPLY, OK, REPLY_LATER, Context, NoReply, Request, error
from .registry import request

RESPONSE = Atom("response")
VARIABLES = Atom("variables")

MAX_TIMEOUT = 2**32 - 1
"""Milliseconds; what Erlang itself takes."""


@dataclass(frozen=True, slots=True)
class Options:
    """seconds: that the sender waits. whole: whether it wants the whole event."""

    event_lock: bool = True
    is_async: bool = False
    seconds: float = math.inf
    loops: int = 1
    whole: bool = False

    @classmethod
    def of(cls, term: Term) -> Options:
        """Raises BadOption."""
        given = arguments.options(term, _READERS)
        return cls(**{_FIELDS.get(name, name): value for name, value in given.items()})


@request(
    "execute",
    4,
    5,
    family=Family.CALLS,
    expected="{execute, UUID, App, Arg} or {execute, UUID, App, Arg, Options}",
)
def execute(ask: Request) -> Term | NoReply:
    """`{execute, UUID, App, Arg}`, `{execute, UUID, App, Arg, Options}`: have a call execute an application.

    `{ok, #{response => S, variables => #{S => S}}}` once it is done. `{error, nosession}`: no such call; hangup: it
    has ended first; timeout; notexecuted: the call would not; badmem: it takes no more; system_limit: too many are
    waited for. Ours.
    """
    _, uuid, application, argument, *rest = ask.term
    call = arguments.said("uuid", arguments.UUID, arguments.uuid, uuid)
    name = arguments.said("app", "an application's name", _application, application)
    argument = arguments.said("arg", "a text", arguments.c_text, argument)
    options = Options.of(rest[0]) if rest else Options()
    context = ask.context
    app_uuid = context.switch.create_uuid().encode()
    message = _message(name, argument, app_uuid, options)
    with context.switch.locate(call) as session:
        if session is None:
            return error("nosession")
        if options.is_async or ask.sender is None:  # who has no pid gets no answer
            return (OK, context.text(app_uuid)) if session.send_message(message) else error("badmem")
        answer = partial(_answer, ask._replace(term=()), options)  # its argument, a megabyte perhaps, is not kept
        wait = context.executes.wait(call, name, app_uuid, Target(ask.link, ask.sender), options.seconds, answer)
        if wait is None:
            return NO_REPLY
        if session.has_hung_up():  # after it began: else the end might have been missed
            refused = "hangup"
        elif session.send_message(message):
            return REPLY_LATER
        else:
            refused = "badmem"
    return error(refused) if context.executes.drop(wait) else REPLY_LATER


def _application(term: Term) -> str:
    name = arguments.name(term)
    if not name:
        raise BadArg("an application has a name")
    return name


def _message(name: str, argument: bytes, app_uuid: bytes, options: Options) -> list[Header]:
    message = [
        (b"call-command", b"execute"),
        (b"execute-app-name", name.encode()),
        (b"execute-app-arg", argument),
        (b"event-uuid", app_uuid),
    ]
    if options.event_lock:
        message.append((b"event-lock", b"true"))
    if options.loops != 1:
        message.append((b"loops", b"%d" % options.loops))
    return message


def _answer(ask: Request, options: Options, how: Completed | Failure) -> None:
    if isinstance(how, Failure):
        ask.reply(error(how.value))
    else:
        ask.reply((OK, _event(ask.context, how) if options.whole else _result(ask.context, how)))


def _result(context: Context, completed: Completed) -> Term:
    text = context.text
    variables = {text(name): text(value) for name, value in completed.variables.items()}
    return {RESPONSE: text(completed.response), VARIABLES: variables}


def _event(context: Context, completed: Completed) -> Term:
    """`{event, [UUID | Headers]}`"""
    text = context.text
    headers = [(text(name), text(value)) for name, value in completed.headers]
    return (Atom("event"), [text(completed.uuid), *headers])


# --- options ------------------------------------------------------------------------------------------------------


def _boolean(value: Term) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _seconds(value: Term) -> float:
    if atom_text(value) == "infinity":
        return math.inf
    if type(value) is not int or not 0 <= value <= MAX_TIMEOUT:
        raise ValueError("milliseconds, or infinity")
    return value / 1000


def _loops(value: Term) -> int:
    if type(value) is not int or not (value == -1 or 0 < value < 2**31):
        raise ValueError("a number from 1 on, or -1")
    return value


def _whole(value: Term) -> bool:
    if atom_text(value) not in ("map", "list"):
        raise ValueError("map or list")
    return atom_text(value) == "list"


_READERS = {"event_lock": _boolean, "async": _boolean, "timeout": _seconds, "loops": _loops, "format": _whole}
_FIELDS = {"async": "is_async", "timeout": "seconds", "format": "whole"}
