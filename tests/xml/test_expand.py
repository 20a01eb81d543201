"""Variables and X-PRE-PROCESS in an answer."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.xml.expand import expand
from mod_erlang_py.xml.limits import BadXml

KNOWN = {b"host": b"h", b"odd": b"a&b<", b"long": b"x" * 100}


def expanded(text: str, most: int = 1000) -> tuple[str, dict[bytes, bytes]]:
    found, own = expand(text.encode(), KNOWN.get, most)
    return found.decode(), own


def set_(data: str) -> str:
    return f'<X-PRE-PROCESS cmd="set" data="{data}"/>'


@pytest.mark.parametrize(
    ("text", "found", "own"),
    [
        ("<a/>", "<a/>", {}),
        ("$${host} ${host} $host $${none}$${}", "h ${host} $host ", {}),
        ('<a b="$${odd}">$${host}</a>', '<a b="a&b<">h</a>', {}),
        ("$${unfinished", "$${unfinished", {}),
        (f"$${{x}}{set_('x=1')}$${{x}}", "1", {b"x": b"1"}),
        (set_("x = a b "), "", {b"x": b"a b "}),
        (set_("x=a=b"), "", {b"x": b"a=b"}),
        (set_("x="), "", {b"x": b""}),
        (set_("x=$${host}$${host}") + set_("y=$${x}!"), "", {b"x": b"hh", b"y": b"hh!"}),
        (set_("host=g") + "$${host}", "g", {b"host": b"g"}),
        ("<x-pre-process data='x=>' cmd='SET'></x-pre-process>$${x}", ">", {b"x": b">"}),
        ("<X-PRE-PROCESSOR cmd='include'/>", "<X-PRE-PROCESSOR cmd='include'/>", {}),
    ],
)
def test_what_becomes_of_it(text: str, found: str, own: dict[bytes, bytes]) -> None:
    assert expanded(text) == (found, own)


@pytest.mark.parametrize("command", ["include", "exec", "exec-set", "stun-set", "env-set", "nosuch", ""])
def test_nothing_else_is_done(command: str) -> None:
    with pytest.raises(BadXml, match=f"^X-PRE-PROCESS {command}: only set is done in an answer$"):
        expanded(f'<X-PRE-PROCESS cmd="{command}" data="x=/etc/passwd"/>')


@pytest.mark.parametrize("text", [set_("x"), set_("=1"), set_(" =1"), '<X-PRE-PROCESS cmd="set"/>'])
def test_a_set_of_nothing(text: str) -> None:
    with pytest.raises(BadXml, match="name=value"):
        expanded(text)


def test_it_does_not_grow_without_end() -> None:
    assert expanded("$${long}" * 10)[0] == "x" * 1000
    with pytest.raises(BadXml, match="more than 1000 bytes"):
        expanded("$${long}" * 11)


PIECES = st.sampled_from(
    ["$${host}", "$${x}", "$${long}", "$${", "}", "$", "<X-PRE-PROCESS ", "cmd='set' ", 'data="x=', "'"]
)
PIECES |= st.sampled_from(['"', "/>", "></X-PRE-PROCESS>", "<a>", "<", ">", " ", "x=1", "é"])


@given(st.lists(PIECES, max_size=15).map("".join), st.integers(0, 200))
def test_any_text(text: str, most: int) -> None:
    try:
        found, own = expand(text.encode(), KNOWN.get, most)
    except BadXml:
        assert "$${" in text or "X-PRE-PROCESS" in text
        return
    assert len(found) <= len(text.encode()) + most
    if "$${" not in text and "X-PRE-PROCESS" not in text:
        assert (found, own) == (text.encode(), {})


@pytest.mark.parametrize(
    "piece",
    [b"<X-PRE-PROCESS ", b"<X-PRE-PROCESS '", b"<X-PRE-PROCESS '\"", b"<X-PRE-PROCESS cmd='set' data='", b"$${", b" "],
)
def test_a_long_one_is_read_once(piece: bytes) -> None:
    """The time grows as the text does."""
    began = time.thread_time()
    with suppress(BadXml):
        expand(piece * 50_000, KNOWN.get, 1000)
    assert time.thread_time() - began < 5


def test_variables_that_double() -> None:
    """They are none of the text, and count all the same: 40 times would be a terabyte."""
    with pytest.raises(BadXml, match="more than 1000 bytes with its variables"):
        expanded(set_("a=x$${a}$${a}") * 20)


def test_a_variable_of_many_others() -> None:
    with pytest.raises(BadXml, match="more than 1000 bytes with its variables"):
        expanded(set_("a=" + "x" * 1000) + set_("b=" + "$${a}" * 1000))
