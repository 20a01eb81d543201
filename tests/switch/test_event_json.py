"""Reading what switch_event_serialize_json writes: cJSON_PrintUnformatted of an object of strings and of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mod_erlang_py.switch.freeswitch.event_json import cut


def print_string(text: bytes) -> bytes:
    """print_string_ptr in cJSON.c."""
    out = bytearray(b'"')
    for byte in text:
        known = _ONE.get(byte)
        if known is not None:
            out += b"\\" + known
        elif byte < 32:
            out += b"\\u%04x" % byte
        else:
            out.append(byte)
    return bytes(out + b'"')


_ONE = {34: b'"', 92: b"\\", 8: b"b", 12: b"f", 10: b"n", 13: b"r", 9: b"t"}


def print_object(members: Sequence[tuple[bytes, bytes | list[bytes]]]) -> bytes:
    shown = []
    for name, value in members:
        if isinstance(value, list):
            printed = b"[" + b",".join(map(print_string, value)) + b"]"
        else:
            printed = print_string(value)
        shown.append(print_string(name) + b":" + printed)
    return b"{" + b",".join(shown) + b"}"


def as_headers(members: Sequence[tuple[bytes, bytes | list[bytes]]]) -> tuple[list[bytes], list[bytes]]:
    """switch_event_base_add_header: the value that a header with an array has."""
    values = [
        value if isinstance(value, bytes) else value[0] if len(value) == 1 else b"ARRAY::" + b"|:".join(value)
        for _, value in members
    ]
    return [name for name, _ in members], values


TRICKY = [
    b'"',
    b"\\",
    b":",
    b",",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\x01",
    b"\x02",
    b"\n",
    b"u0041",
    b"n",
    b"\xff",
    b'":["',
    b"/",
]
TEXTS = st.one_of(
    st.binary(max_size=8).map(lambda text: text.replace(b"\0", b"")),
    st.lists(st.sampled_from(TRICKY), max_size=8).map(b"".join),
)
MEMBERS = st.lists(st.tuples(TEXTS, st.one_of(TEXTS, st.lists(TEXTS, min_size=1, max_size=4))), max_size=8)


@given(MEMBERS)
@example([])
@example([(b"", b"")])
@example([(b"A", [b""]), (b"A", [b"", b""]), (b"A", b"")])
@example([(b"A", b'":["'), (b"B", b'"],"'), (b'":[', [b'"', b"]"])])
@example([(b"A", b'\\"'), (b"B", b'\\\\"'), (b"C", b'\\"\\'), (b"D", b"\\")])
@example([(b"A", b"\x01\x02"), (b"\x02\x01", [b"\x01", b'"', b"\x02", b"\\"])])
def test_whatever_is_written_is_read(members: list[tuple[bytes, bytes | list[bytes]]]) -> None:
    assert cut(print_object(members)) == as_headers(members)


@pytest.mark.parametrize("byte", range(1, 256))
def test_every_byte(byte: int) -> None:
    value = bytes((byte,))
    members: list[tuple[bytes, bytes | list[bytes]]] = [(value, value), (b"a" + value + b"b", [value, value * 3])]
    assert cut(print_object(members)) == as_headers(members)


@pytest.mark.parametrize(
    ("text", "names", "values"),
    [
        (b"{}", [], []),
        (b'{"A":"b"}', [b"A"], [b"b"]),
        (b'{"A":"b","A":"c"}', [b"A", b"A"], [b"b", b"c"]),
        (b'{"A":["b","c"],"D":"e"}', [b"A", b"D"], [b"ARRAY::b|:c", b"e"]),
        (b'{"A":["b"],"D":["e"]}', [b"A", b"D"], [b"b", b"e"]),
        (b'{"A":"\\u001b\\u007F\\/"}', [b"A"], [b"\x1b\x7f/"]),
        (b'{"A":"\\\\u0041"}', [b"A"], [b"\\u0041"]),
        (b'{"A":"\xe4\xff"}', [b"A"], [b"\xe4\xff"]),
        (b'{"A":"%41"}', [b"A"], [b"%41"]),
    ],
)
def test_examples(text: bytes, names: list[bytes], values: list[bytes]) -> None:
    assert cut(text) == (names, values)
