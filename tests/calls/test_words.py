"""What the dialplan writes, cut into words: as FreeSWITCH cuts it, and as a real one does."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.calls.dialplan import AskPid, Group, Named, Rpc, Spawn, Wish, destination
from mod_erlang_py.calls.words import words
from tests.libfreeswitch import ask

CUT = [
    (b"a b c", b" ", 80, [b"a", b"b", b"c"]),
    (b"  a   b  ", b" ", 80, [b"a", b"b"]),
    (b"'a b' 'c'", b" ", 80, [b"a b", b"c"]),
    (b"a'b c'd e", b" ", 80, [b"ab cd", b"e"]),
    (b"' a '", b" ", 80, [b" a "]),
    (b"it's all one", b" ", 80, [b"it's all one"]),
    (b"'' b", b" ", 80, [b"", b"b"]),
    (rb"a\ b c\'d e\\f g\sh", b" ", 80, [rb"a\ b", b"c'd", rb"e\f", b"g h"]),
    (b'a "b c"', b" ", 80, [b"a", b'"b', b'c"']),
    (b"a b  two words ", b" ", 3, [b"a", b"b", b"two words"]),
    (b"a b it's 'quoted'", b" ", 3, [b"a", b"b", b"its quoted'"]),
    (b"", b" ", 80, []),
    (b"   ", b" ", 80, [b""]),
    (b"^^;a b;c", b" ", 80, [b"a b", b"c"]),
    (b"^^;", b" ", 80, [b"^^;"]),
    (b"m:f", b":", 80, [b"m", b"f"]),
    (b"m:", b":", 80, [b"m"]),
    (b":f::", b":", 80, [b"", b"f", b""]),
    (b"it's:f", b":", 80, [b"it's", b"f"]),
    (rb"a\:b:c", b":", 80, [b"a:b", b"c"]),
]


@pytest.mark.parametrize(("text", "delimiter", "most", "expected"), CUT)
def test_words(text: bytes, delimiter: bytes, most: int, expected: list[bytes]) -> None:
    assert words(text, delimiter, most) == expected


@pytest.mark.freeswitch
def test_a_real_one_cuts_the_same() -> None:
    chosen = random.Random(27)
    texts = [bytes(chosen.choices(b"ab  ''\\\\nst:;^\"", k=chosen.randrange(14))) for _ in range(5000)]
    cuts = [(text, chosen.choice([b" ", b":"]), chosen.choice([1, 2, 3, 80])) for text in texts]
    cuts = [(text, delimiter, most) for text, delimiter, most, _ in CUT] + cuts
    cuts = [one for one in cuts if not one[0].endswith(b"\\")]  # it reads on behind the end
    real = ask([("words", *one) for one in cuts])
    assert [one for one, there in zip(cuts, real, strict=True) if words(*one) != there] == []


@pytest.mark.parametrize(
    ("data", "wish", "nodes"),
    [
        (b"desk a@h", Named("desk"), ["a@h"]),
        (b" desk   a@h  ", Named("desk"), ["a@h"]),
        (b"'my desk' 'a@h|b@h'", Named("my desk"), ["a@h", "b@h"]),
        (b"desk:! a@h", AskPid("desk"), ["a@h"]),
        (b"desk:take a@h", Rpc("desk", "take"), ["a@h"]),
        (b"^^;desk:take;a@h", Rpc("desk", "take"), ["a@h"]),
        (b"a:b:c a@h", Named("a:b:c"), ["a@h"]),
        (b"spawn:desk:take a@h|b@h", Spawn("desk", "take"), ["a@h", "b@h"]),
        (b"spawn:take a@h", Rpc("spawn", "take"), ["a@h"]),
        (b"pg:desks a@h", Group("pg", "desks"), ["a@h"]),
        (b"pg:sales:desks a@h", Group("sales", "desks"), ["a@h"]),
        (b"pg:! a@h", AskPid("pg"), ["a@h"]),
        (b"pgs:a:b:c a@h", Named("pgs:a:b:c"), ["a@h"]),
        (b"desk a@h and more", Named("desk"), ["a@h"]),
    ],
)
def test_destination(data: bytes, wish: Wish, nodes: list[str]) -> None:
    assert destination(data) == (wish, nodes)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"   ", b"desk", b"'desk a@h", b"'' a@h", b"desk a", b"desk |", b"\xff a@h"),
        *(b"pg: a@h", b"pg:a:b:c a@h", b"pg::b a@h", b"spawn: a@h", b"spawn:a:b:c a@h", b"spawn::b a@h"),
    ],
)
def test_no_destination(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected NAME|not UTF-8"):
        destination(data)


TEXTS = st.text("ab \\'\":;^|@!pgsawn\xff", max_size=30).map(lambda text: text.encode("latin-1"))
DELIMITERS = st.sampled_from([b" ", b":", b";"])


@given(TEXTS, DELIMITERS, st.integers(1, 5))
def test_any_text(text: bytes, delimiter: bytes, most: int) -> None:
    found = words(text, delimiter, most)
    assert len(found) <= most
    assert sum(map(len, found)) <= len(text)


@given(st.lists(st.text("ab :;\xff", min_size=1, max_size=8).map(str.encode), min_size=1, max_size=6), DELIMITERS)
def test_what_is_in_quotes_is_one_word(parts: list[bytes], delimiter: bytes) -> None:
    assert words(delimiter.join(b"'%b'" % part for part in parts), delimiter) == parts


@given(TEXTS)
def test_any_destination(data: bytes) -> None:
    try:
        _, nodes = destination(data)
    except ValueError:
        return
    assert nodes
    assert all("@" in node for node in nodes)
