"""The fast event encoder says what the ordinary one says of the same term; and URL decoding is sscanf's."""

from __future__ import annotations

import ctypes
import re
import sys
import time
from collections.abc import Sequence

import pytest
from erlang import term_to_binary
from hypothesis import example, given
from hypothesis import strategies as st

from mod_erlang_py import etf
from mod_erlang_py.etf import Atom, Binary, Term
from mod_erlang_py.etf.event import EVENT, MAX_NAMES, EventEncoder, url_decode, url_escape
from mod_erlang_py.etf.terms import encode_binary, encode_string

ENCODINGS = ["string", "binary"]

Pairs = Sequence[tuple[bytes, bytes]]


def text(value: bytes, encoding: str) -> Term:
    return Binary(value) if encoding == "binary" else value


def plain(pairs: Pairs, body: bytes | None, uuid: bytes | None, encoding: str) -> bytes:
    """`{event, [UUID | Headers]}` by the ordinary encoder, values URL-decoded by the C function's own means."""
    headers: list[Term] = [None if uuid is None else text(uuid, encoding)]
    headers += [(text(name, encoding), text(c_url_decode(value), encoding)) for name, value in pairs]
    if body is not None:
        headers.append((text(b"body", encoding), text(body, encoding)))
    return etf.encode((Atom("event"), headers))


def fast(encoder: EventEncoder, pairs: Pairs, body: bytes | None, uuid: bytes | None) -> bytes:
    return b"\x83" + EVENT + encoder.headers([name for name, _ in pairs], [value for _, value in pairs], body, uuid)


def c_url_decode(value: bytes) -> bytes:
    """switch_url_decode in switch_utils.c, line by line; with the same sscanf."""
    if b"%" not in value:
        return value
    scan = ctypes.CDLL(None).sscanf
    found = ctypes.c_uint()
    out = bytearray()
    at = 0
    while at < len(value):
        rest = value[at:]
        if rest[:1] == b"%" and len(rest) > 2 and scan(rest[1:], b"%2x", ctypes.byref(found)) == 1:
            out.append(found.value & 0xFF)
            at += 3
        else:
            out += rest[:1]
            at += 1
    return bytes(out).split(b"\0")[0]


TEXTS = st.binary(max_size=20)
HOSTILE = st.lists(st.sampled_from([b"%", b"4", b"1", b"0", b"x", b"X", b"f", b"+", b"-", b" ", b"\t", b"z", b"25"]))
VALUES = st.one_of(TEXTS, HOSTILE.map(b"".join)).map(lambda value: value.replace(b"\0", b""))


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(pairs=st.lists(st.tuples(TEXTS, VALUES), max_size=12), body=st.none() | TEXTS, uuid=st.none() | TEXTS)
def test_as_the_ordinary_encoder(encoding: str, pairs: Pairs, body: bytes | None, uuid: bytes | None) -> None:
    encoder = EventEncoder(encoding == "binary")
    wanted = plain(pairs, body, uuid, encoding)
    assert fast(encoder, pairs, body, uuid) == wanted
    assert fast(encoder, pairs, body, uuid) == wanted, "with all names known"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("size", [0, 1, 255, 256, 4095, 4096, 4097, 65534, 65535, 65536, 65537, 300_000])
def test_sizes(encoding: str, size: int) -> None:
    encoder = EventEncoder(encoding == "binary")
    value = bytes(number % 251 + 1 for number in range(size)).replace(b"%", b"&")
    for pairs in ([(b"Name", value)], [(value, b"x"), (b"Other", b"")]):
        for body in (None, value):
            assert fast(encoder, pairs, body, value) == plain(pairs, body, value, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_long_string_is_a_list_that_erlang_reads(encoding: str) -> None:
    """The C module gives up over 65535: ei_encode_string has 16 bits for the length."""
    value = b"x" * 70_000
    payload = fast(EventEncoder(encoding == "binary"), [(b"Big", value)], None, None)
    (_, (_, (_, shown))) = etf.decode(payload)
    # a list of integers, which is what a string of any length is in Erlang
    assert (bytes(shown) if isinstance(shown, list) else shown.value) == value


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_headers_that_occur_twice_and_are_empty(encoding: str) -> None:
    pairs = [(b"A", b"1"), (b"a", b""), (b"A", b"2"), (b"", b""), (b"A", b"1")]
    assert fast(EventEncoder(encoding == "binary"), pairs, b"", None) == plain(pairs, b"", None, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_headers_at_all(encoding: str) -> None:
    assert fast(EventEncoder(encoding == "binary"), [], None, None) == plain([], None, None, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_only_values_are_decoded(encoding: str) -> None:
    payload = fast(EventEncoder(encoding == "binary"), [(b"A%42", b"A%42")], b"A%42", b"A%42")
    kept = text(b"A%42", encoding)
    wanted = etf.encode((Atom("event"), [kept, (kept, text(b"AB", encoding)), (text(b"body", encoding), kept)]))
    assert payload == wanted


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_zero_byte_ends_a_decoded_value(encoding: str) -> None:
    assert url_decode(b"a%00b%41") == b"a"
    payload = fast(EventEncoder(encoding == "binary"), [(b"A", b"a%00b"), (b"B", b"%00")], None, None)
    assert payload == plain([(b"A", b"a"), (b"B", b"")], None, None, encoding)


def test_more_names_than_are_kept() -> None:
    encoder = EventEncoder(False)
    for number in range(MAX_NAMES + 10):
        name = b"name%d" % number
        assert fast(encoder, [(name, b"v")], None, None) == plain([(name, b"v")], None, None, "string")
    assert len(encoder._names) <= MAX_NAMES


@given(st.binary())
@example(b"")
@example(b"x" * 65535)
@example(b"x" * 65536)
def test_texts(value: bytes) -> None:
    assert b"\x83" + encode_string(value) == term_to_binary(value)
    assert b"\x83" + encode_binary(value) == term_to_binary(Binary(value))


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        (b"", b""),
        (b"plain", b"plain"),
        (b"%41", b"A"),
        (b"%41%42", b"AB"),
        (b"100%", b"100%"),
        (b"100%4", b"100%4"),  # fewer than two characters behind it
        (b"%4z", b"\x04"),  # one digit is enough; both characters go
        (b"%4zz", b"\x04z"),
        (b"%zz", b"%zz"),
        (b"%%41", b"%A"),
        (b"%2541", b"%41"),  # once, not twice
        (b"%e4%E4", b"\xe4\xe4"),
        (b"% 41", b"A1"),  # sscanf skips white space, but two characters go
        (b"%\t\n 4", b"\x04 4"),
        (b"%+4x", b"\x04x"),  # a sign counts as one of the two
        (b"%-1x", b"\xffx"),
        (b"% -1", b"\xff1"),
        (b"%+-1", b"%+-1"),
        (b"%0x41", b""),  # the 0x is all that two characters hold: a zero byte, where the text ends
        (b"%  ", b"%  "),
        (b"%--", b"%--"),
    ],
)
def test_url_decode(value: bytes, decoded: bytes) -> None:
    assert url_decode(value) == decoded
    assert c_url_decode(value) == decoded


@given(VALUES)
@example(b"%25 41%")
@example(b"%%%41%4 1%")
def test_url_decode_is_what_c_does(value: bytes) -> None:
    assert url_decode(value) == c_url_decode(value)


@given(VALUES)
@example(b"%" * 5 + b"41")
@example(b"% %41")
@example(b"%\n4%+1%-")
def test_url_escape_survives_decoding(value: bytes) -> None:
    assert url_decode(url_escape(value)) == value
    assert c_url_decode(url_escape(value)) == value


@given(VALUES)
def test_url_escape_touches_only_what_would_be_decoded(value: bytes) -> None:
    if c_url_decode(value) == value and not re.search(rb"%25", value):
        assert url_escape(value) == value


def test_white_space_is_not_searched_for_ever() -> None:
    """A look-ahead that runs over white space from every `%` must not become quadratic."""
    value = b"%" + b" " * 200_000
    began = time.thread_time()
    assert url_decode(value * 3) == value * 3
    assert time.thread_time() - began < 5


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's sscanf")
def test_the_model_uses_the_real_sscanf() -> None:
    assert c_url_decode(b"%41") == b"A"
