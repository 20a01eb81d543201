"""The switch's events: their types, firing them, and reading them where they lie (switch_event_t *)."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int, c_void_p
from functools import cache, lru_cache

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import ALL, Event, Headers, sequence_number

from .event_json import cut
from .ffi import keeping_gil, leaving_python, take_string, without_gil
from .structs import STACK_BOTTOM, SUCCESS, EventStruct

FILE = b"mod_erlang_py"
SUBCLASS = b"Event-Subclass"


@lru_cache(maxsize=256)
def event_id(name: str) -> int | None:
    """switch_event_types_t of a name in any case."""
    found = c_int()
    if without_gil().switch_name_event(name.encode(), byref(found)) != SUCCESS:
        return None
    return found.value


@cache
def event_names() -> tuple[str, ...]:
    """The names of all event types, by switch_event_types_t, without ALL, which is the last."""
    last = event_id(ALL)
    assert last is not None
    names: list[bytes] = [keeping_gil().switch_event_name(number) for number in range(last)]
    return tuple(name.decode() for name in names)


def event_type(name: str) -> str | None:
    number = event_id(name)
    return None if number is None else (*event_names(), ALL)[number]


def create(name: str, subclass: bytes | None = None) -> c_void_p:
    """A new event, to be fired or destroyed by the caller. Raises SwitchError."""
    number = event_id(name)
    if number is None:
        raise SwitchError("switch_name_event", f"{name} is no event")
    made = c_void_p()
    make = keeping_gil().switch_event_create_subclass_detailed
    if make(FILE, b"create", 0, byref(made), number, subclass) != SUCCESS:
        raise SwitchError("switch_event_create_subclass", f"{name} {subclass!r} refused")
    return made


def destroy(event: c_void_p) -> None:
    without_gil().switch_event_destroy(byref(event))


def fire(event: Event) -> None:
    """Raises SwitchError when the switch knows no such type or is shutting down."""
    headers = list(event.headers)
    subclass = event.subclass
    if subclass is not None:  # which the switch adds itself
        headers.pop([name.lower() for name, _ in headers].index(SUBCLASS.lower()))
    made = create(event.name, subclass)
    add = keeping_gil().switch_event_add_header_string
    for name, value in headers:
        add(made, STACK_BOTTOM, name, value)
    if event.body is not None:
        without_gil().switch_event_set_body(made, event.body)
    if leaving_python().switch_event_fire_detailed(FILE, b"fire", 0, byref(made), None) != SUCCESS:
        destroy(made)
        raise SwitchError("switch_event_fire", "the switch takes no events")


def sequence() -> int:
    """The switch counts the events that are made."""
    made = create("CHANNEL_DATA")
    try:
        assert made.value is not None
        return sequence_number(header(made.value, b"Event-Sequence"))
    finally:
        keeping_gil().switch_event_destroy(byref(made))  # it has no headers but the switch's own


def header(event: int, name: bytes) -> bytes | None:
    """The value of the first header of that name in any case, and of `_body` the body."""
    value: bytes | None = keeping_gil().switch_event_get_header_idx(event, name, -1)
    return value


def contents(event: int) -> tuple[list[bytes], list[bytes], bytes | None]:
    """The names of its headers, their values, its body. The GIL is let go of for the switch's half of the work."""
    text = c_void_p()
    without_gil().switch_event_serialize_json(event, byref(text))
    names, values = cut(take_string(text.value))
    body = EventStruct.from_address(event).body
    if not body:
        return names, values, None
    # The serializer shows a body as two headers more, Content-Length and _body.
    return names[:-2], values[:-2], ctypes.string_at(body)


def read(event: int) -> Event:
    """A copy of it."""
    names, values, body = contents(event)
    name = event_names()[EventStruct.from_address(event).event_id]
    return Event(name, Headers(names, values, header(event, b"Unique-ID")), body)
