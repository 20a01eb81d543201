"""What is counted of an answer before FreeSWITCH's parser has it. That this parser can bear it: tests/in_switch."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mod_erlang_py.xml.limits import BadXml, Limits

LIMITS = Limits(length=100_000, elements=20, siblings=8, entities=5)


@pytest.mark.parametrize(
    "text",
    [
        "<a>" + "<b/>" * 8 + "</a>",
        "<a>" + "<b></b>" * 8 + "</a>",
        "<a>" + ("<b>" + "<c/>" * 8 + "</b>") * 2 + "</a>",
        "<a>" + "&lt;" * 5 + "<b/>" + "&lt;" * 5 + "</a>",
        "<a b='" + "&lt;" * 5 + "'>" + "&lt;" * 5 + "</a>",
        "<a b='" + "<" * 50 + "'/>",
        "<a><!--" + "<b/>" * 50 + "--></a>",
        "</a>" * 50,
        "",
    ],
)
def test_within_them(text: str) -> None:
    LIMITS.check(text.encode())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<a>" + "<b/>" * 9 + "</a>", "more than 8 elements in one"),
        ("<a>" + "<b></b>" * 9 + "</a>", "more than 8 elements in one"),
        ("<b/>" * 9, "more than 8 elements in one"),
        ("<a>" + "x<!---->" * 9 + "</a>", "more than 8 elements in one"),
        ("<a>" + "<?b?>" * 9 + "</a>", "more than 8 elements in one"),
        ("<a>" + "<![CDATA[x]]>" * 9 + "</a>", "more than 8 elements in one"),
        ("<a>" + ("<b>" + "<c/>" * 6 + "</b>") * 3 + "</a>", "more than 20 elements"),
        ("<a>" + "&lt;" * 6 + "</a>", "more than 5 references (&...;) in one text"),
        ("<a>" + "&#13;" * 6 + "</a>", "more than 5 references (&...;) in one text"),
        ("<a>" + "\r\n" * 6 + "</a>", "more than 5 references (&...;) in one text"),
        ("<a b='" + "&lt;" * 6 + "'/>", "more than 5 references (&...;) in one text"),
        ("<a b='>" + "&lt;" * 6 + "'/>", "more than 5 references (&...;) in one text"),
    ],
)
def test_beyond_them(text: str, told: str) -> None:
    with pytest.raises(BadXml) as raised:
        LIMITS.check(text.encode())
    assert str(raised.value) == told


def test_its_length() -> None:
    LIMITS.check_length(b"x" * 100_000)
    with pytest.raises(BadXml, match="100001 bytes, the limit is 100000"):
        LIMITS.check_length(b"x" * 100_001)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> etree._Element:
    made = etree.Element("a", b=draw(st.text("<>&'\" \n", max_size=6)))
    made.text = draw(st.text("<>&x\n", max_size=6))
    for child in draw(st.lists(elements(depth - 1), max_size=4)) if depth else ():
        child.tail = draw(st.text("<>&x\n", max_size=6))
        made.append(child)
    return made


@given(elements())
def test_what_is_counted(root: etree._Element) -> None:
    """As lxml counts: one less of anything is too little."""
    text = bytes(etree.tostring(root, encoding="utf-8"))
    whole = sum(1 for _ in root.iter())
    widest = max(len(one) for one in root.iter())
    Limits(len(text), whole, max(widest, 1), len(text)).check(text)
    with pytest.raises(BadXml):
        Limits(len(text), whole - 1, len(text), len(text)).check(text)
    if widest > 1:
        with pytest.raises(BadXml):
            Limits(len(text), whole, widest - 1, len(text)).check(text)


@pytest.mark.parametrize("piece", ["<a>", "</a>", "<a/>", "<!---->", "<a b='", "&", "<a &", "<a b='&'/>"])
def test_counting_takes_no_time(piece: str) -> None:
    text = (piece * (4_000_000 // len(piece))).encode()
    began = time.thread_time()
    with contextlib.suppress(BadXml):
        Limits(len(text), len(text), len(text), len(text) // 2).check(text)
    assert time.thread_time() - began < 5
