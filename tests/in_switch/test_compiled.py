"""The source that is written in C keeps the contract; it makes of every event what Python makes of it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch import FreeSwitch, events
from mod_erlang_py.switch.freeswitch.ffi import keeping_gil, without_gil
from mod_erlang_py.switch.freeswitch.structs import STACK_BOTTOM, SUCCESS, EventStruct
from mod_erlang_py.switch.port import ALL, CUSTOM, Encoder, EventSource, Form, Headers, Implementation, LogLine
from tests.compiled import missing
from tests.in_switch.conftest import end_of_log
from tests.in_switch.test_source import InSwitch
from tests.switch.source_contract import ENCODERS, FORGED, SourceContract, Subject

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

from mod_erlang_py.switch.freeswitch.source import _compiled, choice, proof
from mod_erlang_py.switch.freeswitch.source.compiled import CompiledSource, bits
from mod_erlang_py.switch.freeswitch.source.compiled_event import CompiledEvent


class WithC(InSwitch):
    implementation = "compiled"
    lossy = (500, 1500)

    def source(self, encoders: Mapping[Form, Encoder], small: bool = False) -> EventSource:
        return CompiledSource((*events.event_names(), ALL), **({"length": 1000} if small else {}))


class TestCompiledSource(SourceContract):
    @pytest.fixture
    def subject(self) -> Iterator[Subject]:
        subject = WithC()
        yield subject
        subject.close()


# what is made of an event


ESCAPES = st.lists(st.sampled_from([b"%", b"4", b"0", b"x", b"f", b"+", b"-", b" ", b"\t", b"z", b"25", b"00"]))
VALUES = st.one_of(
    ESCAPES.map(b"".join),
    st.sampled_from([b"ARRAY::a|:b%41", b"ARRAY::", b"|:", b"x" * 65535, b"%41" + b"y" * 65536]),
    st.binary(max_size=30).filter(lambda value: b"\0" not in value),
)
NAMES = st.one_of(
    st.sampled_from([b"Unique-ID", b"unique-id", b"Event-Sequence", b"A", b"a", b"A[0]", b"A[2]", b"B%41", b"body"]),
    st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name),
)
BODIES = st.none() | st.binary(min_size=1, max_size=40).filter(lambda body: b"\0" not in body)


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(
    st.sampled_from([CUSTOM, "TRAP", "CLONE"]),
    st.lists(st.tuples(NAMES, VALUES), max_size=12),
    BODIES,
)
def test_term_for_term(name: str, headers: list[tuple[bytes, bytes]], body: bytes | None) -> None:
    check(name, headers, body)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(FORGED)
def test_forged_ones(event: tuple[str, list[tuple[bytes, bytes]], bytes | None]) -> None:
    check(*event)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 4095, 65534, 65535, 65536, 65537, 300_000])
def test_sizes(size: int) -> None:
    text = bytes(number % 251 + 1 for number in range(size)).replace(b"%", b"&") or None
    check("TRAP", [(b"Value", text or b"x"), (text or b"Name", b"value"), (b"Unique-ID", text or b"y")], text)


def test_no_headers_at_all() -> None:
    check("CLONE", [], None)


def check(name: str, headers: list[tuple[bytes, bytes]], body: bytes | None) -> None:
    """Of the event, what Python makes of the copy that it gets."""
    copy = ctypes.c_void_p()
    made = events.create(name, b"my::own" if name == CUSTOM else None)
    try:
        for one, value in headers:
            keeping_gil().switch_event_add_header_string(made, STACK_BOTTOM, one, value)
        if body is not None:
            without_gil().switch_event_set_body(made, body)
        assert made.value is not None
        assert without_gil().switch_event_dup(ctypes.byref(copy), made) == SUCCESS
        assert copy.value is not None
        names, values, found_body = events.contents(copy.value)
        uuid = events.header(copy.value, b"Unique-ID")
        encoded = {form: encode(names, values, found_body, uuid) for form, encode in ENCODERS.items()}
        for forms in ((), (Form.STRING,), (Form.BINARY,), tuple(Form)):
            (read,) = _compiled.read(made.value, name, CompiledEvent, bits(forms)).events()
            assert list(read.headers()) == list(Headers(names, values, uuid))
            assert {form: read.encoded(form) for form in ENCODERS} == encoded
            assert read.uuid == uuid
            assert read.subclass == (b"my::own" if name == CUSTOM else None)
    finally:
        events.destroy(made)
        events.destroy(copy)


# which source it is


def test_it_is_the_one_that_is_used(switch: FreeSwitch, log_lines: list[LogLine]) -> None:
    for implementation, name in zip(Implementation, ("compiled", "compiled", "python"), strict=True):
        source = switch.events(ENCODERS, implementation)
        assert (source.implementation, source.reason) == (name, "")
        source.close()
    end_of_log(log_lines)
    assert [line.text for line in log_lines if b"events come" in line.text] == []


def lays_out_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(ctypes.Structure):
        _fields_ = (("event_id", ctypes.c_int), ("new", ctypes.c_void_p * 3), *EventStruct._fields_[3:])

    monkeypatch.setattr(proof, "EventStruct", Other)


def encodes_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, Form.STRING, ENCODERS[Form.BINARY])


def was_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, f"{choice.__package__}.compiled", None)


def is_of_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compiled, "SOURCE", "0" * 64)


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        (is_of_other_code, "not of this code"),
        (lays_out_differently, "of another layout"),
        (encodes_differently, "an event as string"),
        (was_not_built, "not built"),
    ],
)
def test_where_it_is_not_to_be_had(
    switch: FreeSwitch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    differs: Callable[[pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    """Python's is used, and one NOTICE says why; or, where it was asked for, there is none."""
    differs(monkeypatch)
    with caplog.at_level("DEBUG"):
        source = switch.events(ENCODERS)
    source.close()
    assert source.implementation == "python"
    (record,) = caplog.records
    assert (record.levelname, reason in record.getMessage()) == ("NOTICE", True)
    assert reason in source.reason
    with pytest.raises(SwitchError, match=reason):
        switch.events(ENCODERS, Implementation.COMPILED)
