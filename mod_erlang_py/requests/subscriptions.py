"""Subscriptions of one's own: subscribe, unsubscribe, ack. Ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from typing import Any, TypeVar

from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import BadArg, BadOption, NotText, SwitchError, TooMuch
from mod_erlang_py.etf import Reference, Term, atom_text
from mod_erlang_py.events import filters
from mod_erlang_py.events.interest import NOTHING, Interest, Names
from mod_erlang_py.events.own_subscriptions import Options
from mod_erlang_py.events.shape import Choice, Format
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import CUSTOM, Form, Switch

from . import arguments, bounds, targets
from .context import NO_REPLY, OK, NoReply, ReplyThen, Request, error
from .events import event_name, named
from .registry import EACCES, request

E = TypeVar("E", bound=Enum)

MAX_TESTS = 100
MAX_HEADERS = 1000
MAX_WINDOW = 10_000
"""Of one subscription: tests in its filter, names and prefixes of headers, events that need not be acknowledged yet."""

EVENTS = "all, or a list of names of events and {'CUSTOM', Subclass}"


@request("subscribe", 2, 3, family=Family.EVENTS, expected="{subscribe, Events} or {subscribe, Events, Options}")
def subscribe(ask: Request) -> Term | ReplyThen:
    """`{subscribe, Events}`, `{subscribe, Events, Options}`: `{ok, SubRef}`; from then on `{event, SubRef, Event}`.

    `{error, noproc}`, `{error, noconnection}`: there is no such target; `{error, system_limit}`: too many.
    """
    if ask.sender is None:
        raise BadArg("who subscribes is a process")
    _, events, *rest = ask.term
    interest = _interest(ask, events)
    given = arguments.options(rest[0] if rest else [], _readers(ask))
    to = given.pop("to", None) or Target(ask.link, ask.sender)
    form = given.pop("encoding", Form(ask.context.node.config.encoding.value))
    options = Options(form, interest, **{FIELDS.get(name, name): value for name, value in given.items()})
    own_subscriptions = ask.context.own_subscriptions
    own = own_subscriptions.subscribe(ask.sender, to, options)
    if own is None:
        return error("noconnection")
    try:
        leave = targets.watch(ask.context, to, lambda _: own_subscriptions.gone(own))
    except BaseException:
        own_subscriptions.end(own)
        raise
    own_subscriptions.watched(own, leave)
    return ReplyThen((OK, own.reference), partial(own_subscriptions.open, own))


@request("unsubscribe", 2, family=Family.EVENTS, expected="{unsubscribe, SubRef} or {unsubscribe, all}")
def unsubscribe(ask: Request) -> Term:
    """`{unsubscribe, SubRef}`: nothing more of it follows the `ok`; by any process of the node. `{error, notfound}`: it
    is over, or never was. `{unsubscribe, all}`: all that the sender asked for."""
    which = ask.term[1]
    if atom_text(which) == "all":
        if ask.sender is not None:
            ask.context.own_subscriptions.unsubscribe_all(ask.sender)
        return OK
    reference = Reference.of(which)
    if reference is None:
        raise BadOption("unsubscribe", "what subscribe returned, or all")
    return OK if ask.context.own_subscriptions.unsubscribe(reference, ask.link.name) else error("notfound")


@request(
    "ack",
    3,
    family=Family.EVENTS,
    denied=lambda ask: EACCES if ask.awaited else NO_REPLY,
    expected="{ack, SubRef, N}",
)
def ack(ask: Request) -> NoReply:
    """`{ack, SubRef, N}`: N more of its events are done with. No answer, also when it is over."""
    _, which, count = ask.term
    reference = Reference.of(which)
    if reference is None:
        raise BadOption("ack", "what subscribe returned, and a number")
    if type(count) is not int or count < 1:
        raise BadOption("ack", "a number from 1 on")
    ask.context.own_subscriptions.acknowledge(reference, count)
    return NO_REPLY


def _interest(ask: Request, term: Term) -> Interest:
    """Raises BadOption."""
    given = term if isinstance(term, list) else [term]
    bounds.count("events", given, bounds.MAX_NAMES)
    pairs = [one for one in given if isinstance(one, tuple)]
    try:
        found, unknown = named(ask.context.switch, [one for one in given if not isinstance(one, tuple)])
        subclasses = frozenset(map(_subclass, pairs))
    except TooMuch:
        raise
    except (BadArg, NotText, ValueError):
        raise BadOption("events", EVENTS) from None
    if unknown:
        raise BadOption("events", f"names of events, which {', '.join(unknown)} is none of")
    if not given:
        raise BadOption("events", EVENTS)
    types = found.types | {CUSTOM} if pairs else found.types
    return NOTHING.add(Names(types, found.subclasses | subclasses))


def _subclass(pair: tuple[Term, ...]) -> bytes:
    tag, subclass = pair
    if arguments.name(tag).upper() != CUSTOM:
        raise ValueError(EVENTS)
    return event_name(subclass).encode()


# --- options ------------------------------------------------------------------------------------------------------


def _readers(ask: Request) -> Mapping[str, Callable[[Term], Any]]:
    """What reads each option; see arguments.options. The names are those of Options, but for three."""
    return {
        "filter": partial(_filters, ask.context.switch),
        "headers": _headers,
        "format": partial(_one_of, Format),
        "encoding": partial(_one_of, Form),
        "to": partial(targets.target, ask, option="to"),
        "uuid": _uuid,
        "ack": _window,
    }


FIELDS = {"filter": "filters", "headers": "choice", "uuid": "call", "ack": "window"}
"""The options' names in Options, where they are others."""


def _filters(switch: Switch, term: Term) -> filters.Filters:
    given = term if isinstance(term, list) else [term]
    if not 0 < len(given) <= MAX_TESTS:
        raise ValueError(f"1 to {MAX_TESTS} tests")
    tests = (_condition(switch, one) if isinstance(one, tuple) else _filter(switch, one) for one in given)
    return filters.checked(filters.Filters(tuple(tests)))


def _filter(switch: Switch, term: Term) -> filters.Filter:
    match filters.command(_text(term, CONDITION, bounds.MAX_FILTER), switch.matcher):
        case filters.Added(added):
            return added
    raise ValueError(CONDITION)


CONDITION = "{Header, Op, Value} with Op '==', '/=', prefix, regex or exists, or what filter adds"


def _condition(switch: Switch, term: tuple[Term, ...]) -> filters.Condition:
    if len(term) == 2 and atom_text(term[1]) == "exists":
        term = (*term, True)
    if len(term) != 3:
        raise ValueError(CONDITION)
    header, operator, value = term
    name = atom_text(operator)
    if name not in filters.OPERATORS or (name == "exists" and type(value) is not bool):
        raise ValueError(CONDITION)
    try:
        most = bounds.MAX_FILTER
        return filters.condition(_text(header, CONDITION, most), name, _text(value, CONDITION, most), switch.matcher)
    except SwitchError:
        raise ValueError("a regular expression") from None


def _headers(term: Term) -> Choice:
    expected = f"a list of 1 to {MAX_HEADERS} names, or prefixes with * behind them"
    if not isinstance(term, list) or not 0 < len(term) <= MAX_HEADERS:
        raise ValueError(expected)
    return Choice(tuple(_text(one, expected, bounds.MAX_NAME) for one in term))


def _one_of(enum: type[E], term: Term) -> E:
    try:
        return enum(atom_text(term))
    except ValueError:
        raise ValueError(" or ".join(one.value for one in enum)) from None


def _uuid(term: Term) -> bytes:
    expected = f"a text of 1 to {arguments.MAX_UUID} bytes"
    found = arguments.said("uuid", expected, arguments.uuid, term)
    if not found:
        raise ValueError(expected)
    return found.encode()


def _window(term: Term) -> int:
    if type(term) is not int or not 1 <= term <= MAX_WINDOW:
        raise ValueError(f"a number from 1 to {MAX_WINDOW}")
    return term


def _text(term: Term, expected: str, most: int) -> bytes:
    """most: bytes."""
    try:
        found = arguments.c_text(term)
    except (BadArg, NotText):
        raise ValueError(expected) from None
    if len(found) > most:
        raise ValueError(f"{expected}; a text has up to {most} bytes")
    return found
