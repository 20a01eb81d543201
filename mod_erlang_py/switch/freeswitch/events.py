"""Firing events."""

from __future__ import annotations

from ctypes import byref, c_int, c_void_p

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event

from .ffi import STACK_BOTTOM, SUCCESS, lib, quick

FILE = b"mod_erlang_py"
ALL = "ALL"
CUSTOM = "CUSTOM"
SUBCLASS = b"Event-Subclass"


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


def fire(event: Event) -> None:
    """Raises SwitchError when the switch knows no such type or is shutting down."""
    number = event_id(event.name)
    if number is None:
        raise SwitchError("switch_name_event", f"{event.name} is no event")
    headers = list(event.headers)
    subclass = None
    if event.name == CUSTOM:
        subclass = next((value for name, value in headers if name == SUBCLASS), None)
        headers = [header for header in headers if header != (SUBCLASS, subclass)]
    made = c_void_p()
    call = quick()
    if call.switch_event_create_subclass_detailed(FILE, b"fire", 0, byref(made), number, subclass) != SUCCESS:
        raise SwitchError("switch_event_create_subclass", f"{event.name} {subclass!r} refused")
    for name, value in headers:
        call.switch_event_add_header_string(made, STACK_BOTTOM, name, value)
    if event.body is not None:
        call.switch_event_set_body(made, event.body)
    if lib().switch_event_fire_detailed(FILE, b"fire", 0, byref(made), None) != SUCCESS:
        call.switch_event_destroy(byref(made))
        raise SwitchError("switch_event_fire", "the switch takes no events")
