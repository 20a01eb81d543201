"""Events as maps: the fast encoder says what the ordinary one says of the same map."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mod_erlang_py import etf
from mod_erlang_py.etf import Atom, Binary, Term
from mod_erlang_py.etf.event import url_decode
from mod_erlang_py.etf.event_map import EventMapEncoder

NAMES = st.one_of(st.sampled_from([b"A", b"a", b"body", b"Unique-ID"]), st.binary(min_size=1, max_size=10))
VALUES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"", b"a%20b", b"ARRAY::", b"ARRAY::x", b"ARRAY::a|:b", b"ARRAY::a%7c|:|:c", b"|:", b"x" * 5000]),
    st.lists(st.binary(max_size=5), min_size=2, max_size=4).map(lambda texts: b"ARRAY::" + b"|:".join(texts)),
)
Pairs = list[tuple[bytes, bytes]]


def expected(pairs: Pairs, body: bytes | None, binary: bool) -> dict[Term, Term]:
    """Key by key, the slow way."""

    def text(value: bytes) -> Term:
        return Binary(value) if binary else value

    texts: dict[bytes, list[bytes]] = {}
    lists = set()
    for name, value in pairs:
        several = value.removeprefix(b"ARRAY::").split(b"|:") if value.startswith(b"ARRAY::") else [value]
        if name in texts or len(several) > 1:
            lists.add(name)
        texts.setdefault(name, []).extend(map(url_decode, several))
    found: dict[Term, Term] = {
        text(name): [text(one) for one in some] if name in lists else text(some[0]) for name, some in texts.items()
    }
    return found if body is None else found | {Atom("body"): text(body)}


@pytest.mark.parametrize("binary", [False, True])
@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=8), body=st.none() | st.binary(max_size=20))
@example(pairs=[(b"A", b"1"), (b"A", b"2"), (b"A", b"ARRAY::3|:4")], body=b"100%25")
@example(pairs=[(b"body", b"a header")], body=b"the body")
@example(pairs=[], body=None)
def test_it_is_the_map(binary: bool, pairs: Pairs, body: bytes | None) -> None:
    encoder = EventMapEncoder(binary)
    names, values = [name for name, _ in pairs], [value for _, value in pairs]
    for _ in range(2):  # the second time, the names are known
        assert encoder.map(names, values, body, b"uuid") == etf.encode_bare(expected(pairs, body, binary))


def test_a_key_is_there_once() -> None:
    """Erlang refuses a map with one twice."""
    encoded = EventMapEncoder(True).map([b"A", b"B", b"A"], [b"1", b"2", b"3"])
    assert encoded[:5] == b"t\0\0\0\2"
