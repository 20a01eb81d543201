"""Events: who handles them, which of them, and making them (handle_msg_event and its neighbours in handle_msg.c)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import BadArg, SwitchError
from mod_erlang_py.etf import Atom, Term, text
from mod_erlang_py.etf.event import url_escape
from mod_erlang_py.events import filters
from mod_erlang_py.events.interest import NOTHING, Interest, Names
from mod_erlang_py.log_lines import about
from mod_erlang_py.switch.port import ALL, CUSTOM, Event, Switch

from . import arguments, bounds, targets
from .context import OK, Context, Request, error
from .registry import request

log = logging.getLogger(__name__)

INVALID_SYNTAX = Atom("-ERR invalid syntax")


@request("register_event_handler", 0, 2, family=Family.EVENTS)
def register_event_handler(ask: Request) -> Term:
    """The sender is linked and becomes the event handler of its node. `{register_event_handler, Target}`: another
    process becomes that of its own node. Ours."""
    targets.register(ask, ask.context.event_handlers.register)
    return OK


@request("event", 1, family=Family.EVENTS, or_more=True)
def event(ask: Request) -> Term:
    """`{event, Name, …}`: these too."""
    wanted = names(ask)
    ask.context.event_handlers.change(ask.link, lambda now: now.add(wanted))
    return OK


@request("nixevent", 1, family=Family.EVENTS, or_more=True)
def nixevent(ask: Request) -> Term:
    """`{nixevent, Name, …}`: these no more."""
    unwanted = names(ask)
    ask.context.event_handlers.nix(ask.link, lambda now: now.nix(unwanted))
    return OK


@request("setevent", 1, family=Family.EVENTS, or_more=True)
def setevent(ask: Request) -> Term:
    """`{setevent, Name, …}`: exactly these. Not 'ALL'."""
    wanted = exactly(ask)
    ask.context.event_handlers.change(ask.link, lambda _: wanted)
    return OK


@request("noevents", 0, family=Family.EVENTS)
def noevents(ask: Request) -> Term:
    """Nothing more for the node's handler. `{error, notlistening}`: it gets nothing already."""
    return OK if ask.context.event_handlers.noevents(ask.link) else error("notlistening")


@request("filter", 1, family=Family.EVENTS, or_more=True)
def filter_(ask: Request) -> Term:
    """`{filter, Command, …}`: `{filter_command_processing_log, [{"added" | "deleted", Header, Value}]}`."""
    given = _arguments(ask)
    bounds.count("filter", given, bounds.MAX_FILTERS)
    texts = [bounds.size("filter", text(one), bounds.MAX_FILTER) for one in given]
    commands = [filters.command(one, ask.context.switch.matcher) for one in texts]
    ask.context.event_handlers.filter(ask.link, lambda now: filters.after(now, commands))
    return (Atom("filter_command_processing_log"), [_processed(ask.context, one) for one in commands])


def _processed(context: Context, command: filters.Command) -> Term:
    match command:
        case filters.Added(added):
            return tuple(map(context.text, (b"added", added.header, added.value)))
        case filters.Deleted(header, value):
            return tuple(map(context.text, (b"deleted", header, value)))
    return INVALID_SYNTAX


@request("sendevent", 3, 4, family=Family.SENDEVENT, or_more=True)
def sendevent(ask: Request) -> Term:
    """`{sendevent, Name, Headers}`, `{sendevent, 'CUSTOM', Subclass, Headers}`: fire an event.

    Headers: a list of `{Key, Value}`; the key "body" sets the body.
    """
    name, *rest = _arguments(ask)
    switch = ask.context.switch
    event_type = switch.event_type(event_name(name))
    if event_type is None or event_type == ALL:
        raise BadArg("no event of that name")
    made: list[tuple[bytes, bytes]] = []
    if event_type == CUSTOM and rest:
        subclass = event_name(rest.pop(0)).encode()
        if subclass:
            made.append((b"Event-Subclass", subclass))
    if not rest:
        raise BadArg("no headers")
    body = None
    for key, value in arguments.headers(rest[0]):
        if key == b"body":
            body = value
        else:
            made.append((key, url_escape(value)))
    try:
        switch.fire(Event(event_type, tuple(made), body))
    except SwitchError as refused:
        log.error("sendevent of %s: %s", ask.sender, refused, extra=about(ask.link.name))
        return error("badarg")
    return OK


def names(ask: Request) -> Names:
    """The event names of a request; after CUSTOM, its subclasses. Unknown ones are logged. Raises BadArg."""
    found, unknown = named(ask.context.switch, _arguments(ask))
    if unknown:
        name = ask.link.name
        log.warning("%s: %s asked for %s: no such event", name, ask.sender, ", ".join(unknown), extra=about(name))
    return found


def named(switch: Switch, given: Sequence[Term]) -> tuple[Names, list[str]]:
    """The events of these names; after CUSTOM, its subclasses. And the names that none has. Raises BadArg, NotText."""
    bounds.count("events", given, bounds.MAX_NAMES)
    types, subclasses, unknown = set(), set(), []
    for word in map(event_name, given):
        if CUSTOM in types:
            subclasses.add(word.encode())
            continue
        event_type = switch.event_type(word)
        if event_type is None:
            unknown.append(word)
        else:
            types.add(event_type)
    return Names(frozenset(types), frozenset(subclasses)), unknown


def event_name(term: Term) -> str:
    """Of an event or a subclass, or of none. Raises BadArg, NotText."""
    name = arguments.name(term)
    bounds.size("events", name.encode(), bounds.MAX_NAME)
    return name


def exactly(ask: Request) -> Interest:
    """What a setevent or session_setevent names. Raises BadArg."""
    wanted = names(ask)
    if ALL in wanted.types:
        raise BadArg("setevent takes no ALL")
    return NOTHING.add(wanted)


def _arguments(ask: Request) -> Sequence[Term]:
    given: Sequence[Term] = ask.term[1:]
    if not given:
        raise BadArg("nothing named")
    return given
