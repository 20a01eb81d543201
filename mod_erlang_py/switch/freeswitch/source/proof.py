"""Whether what C declares of FreeSWITCH's structures is so, and whether it makes of an event what Python makes."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import byref, c_void_p

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch.events import FILE, contents, create, destroy, event_id, header
from mod_erlang_py.switch.freeswitch.ffi import keeping_gil, without_gil
from mod_erlang_py.switch.freeswitch.structs import STACK_BOTTOM, EventStruct, HeaderStruct
from mod_erlang_py.switch.port import CUSTOM, Encoder, Form, Headers, sequence_number

from . import _compiled
from .compiled import bits
from .compiled_event import CompiledEvent

SUBCLASS = FILE + b"::proof"
AWKWARD = (
    (b"Unique-ID", b"4ab00aa0-0000-0000-0000-000000000000"),
    (b"Twice", b"one"),
    (b"Array", b"ARRAY::a|:b c|:\xff"),
    (b"Holes[3]", b"the fourth"),
    (b"Single[0]", b"one"),
    (b"Empty[0]", b""),
    (b"twice", b"two"),
    (b"Escapes", b"a%20b%2525%%zz%+4x%0"),
    (b"Ends", b"here%00not here"),
    (b"Quoted", b'"\\/\b\f\n\r\t\x01\x7f{[":,'),
    (b"\xff\xfeName", b"\xe4\xf6\xfc \xd9\xa3"),
    (b"Long", b"0123456789" * 7000),
)
BODY = b"100%25 \xff\n"


def prove(encoders: Mapping[Form, Encoder]) -> None:
    """Raises SwitchError when it is not so, before C follows a pointer that may be none."""
    event = create(CUSTOM, SUBCLASS)
    try:
        for name, value in AWKWARD:
            keeping_gil().switch_event_add_header_string(event, STACK_BOTTOM, name, value)
        without_gil().switch_event_set_body(event, BODY)
        assert event.value is not None
        _prove_layout(event.value)
        _prove_contents(event.value, encoders)
    finally:
        destroy(event)


def _prove_layout(event: int) -> None:
    """FreeSWITCH's own functions say where things are."""
    struct, find = EventStruct.from_address(event), keeping_gil().switch_event_get_header_ptr
    _same("the number of CUSTOM", struct.event_id, event_id(CUSTOM))
    _same("the number of CUSTOM", struct.event_id, 0)
    _same("the body", struct.body, keeping_gil().switch_event_get_body(event))
    at: int | None = struct.headers
    last = None
    names = contents(event)[0]
    for number, name in enumerate(names):
        if name.lower() not in [other.lower() for other in names[:number]]:  # else another of that name would be found
            _same("a header", at, find(event, name))
        if at is None:
            break
        last, at = at, HeaderStruct.from_address(at).next
    _same("the end of the headers", (last, at), (struct.last_header, None))


def _prove_contents(event: int, encoders: Mapping[Form, Encoder]) -> None:
    """The Python source gets copies of events, and so it says of a copy what there is to see."""
    copy = c_void_p()
    without_gil().switch_event_dup(byref(copy), event)
    assert copy.value is not None
    try:
        names, values, body = contents(copy.value)
        uuid = header(copy.value, b"Unique-ID")
        sequence = sequence_number(header(copy.value, b"Event-Sequence"))
    finally:
        destroy(copy)
    for forms in ((), (Form.STRING,), (Form.BINARY,), tuple(Form)):
        (read,) = _compiled.read(event, CUSTOM, CompiledEvent, bits(forms)).events()
        _same("the subclass", read.subclass, SUBCLASS)
        _same("the call", read.uuid, uuid)
        _same("the sequence number", read.sequence, sequence)
        _same("the body", read.body, body)
        _same("the headers", list(read.headers()), list(Headers(names, values, uuid)))
        for form, encode in encoders.items():
            _same(f"an event as {form.value}", read.encoded(form), encode(names, values, body, uuid))


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SwitchError("switch_event_t", f"of another layout: {what} is not where it was expected")
