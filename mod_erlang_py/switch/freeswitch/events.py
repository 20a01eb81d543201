"""Firing events."""

from __future__ import annotations

from ctypes import byref, c_int, c_void_p
from functools import lru_cache

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event

from .ffi import STACK_BOTTOM, SUCCESS, lib, quick

FILE = b"mod_erlang_py"
ALL = "ALL"
CUSTOM = "CUSTOM"
SUBCLASS = b"Event-Subclass"


@lru_cache(maxsize=256)
def event_id(name: str) -> int | None:
    """switch_event_types_t of a name in any case."""
    found = c_int()
    if quick().switch_name_event(name.encode(), byref(found)) != SUCCESS:
        return None
    return found.value


def event_type(name: str) -> str | None:
    number = event_id(name)
    if number is None:
        return None
    known: bytes = quick().switch_event_name(number)
    return known.decode()


def create(name: str, subclass: bytes | None = None) -> c_void_p:
    """A new event, to be fired or destroyed by the caller. Raises SwitchError."""
    number = event_id(name)
    if number is None:
        raise SwitchError("switch_name_event", f"{name} is no event")
    made = c_void_p()
    status = quick().switch_event_create_subclass_detailed(FILE, b"create", 0, byref(made), number, subclass)
    if status != SUCCESS:
        raise SwitchError("switch_event_create_subclass", f"{name} {subclass!r} refused")
    return made


def fire(event: Event) -> None:
    """Raises SwitchError when the switch knows no such type or is shutting down."""
    headers = list(event.headers)
    subclass = event.subclass
    if subclass is not None:  # which the switch adds itself
        headers.pop([name.lower() for name, _ in headers].index(SUBCLASS.lower()))
    made = create(event.name, subclass)
    call = quick()
    for name, value in headers:
        call.switch_event_add_header_string(made, STACK_BOTTOM, name, value)
    if event.body is not None:
        call.switch_event_set_body(made, event.body)
    if lib().switch_event_fire_detailed(FILE, b"fire", 0, byref(made), None) != SUCCESS:
        call.switch_event_destroy(byref(made))
        raise SwitchError("switch_event_fire", "the switch takes no events")
