"""XML that is none in the strict sense: what the simulated switch reads in it, and what a real one takes."""

from __future__ import annotations

import pytest
from lxml import etree

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.simulated.loose_xml import parse_loosely
from tests.libfreeswitch import ask

TAKEN = [
    (b"<d/>", "<d/>"),
    (b"\n<?xml version='1.0'?>\n<d/>", "<d/>"),
    (b"<d a='x&y&nbsp;&lt;&#228;&#xe4;&#0;'/>", "<d a='x&amp;y&amp;nbsp;&lt;ää&amp;#0;'/>"),
    (b"<d a='&park()'/>", "<d a='&amp;park()'/>"),
    (b"<d a='x<y>z'/>", "<d a='x&lt;y&gt;z'/>"),
    (b"<d a=\"'\" b='\"'/>", "<d a=\"'\" b='&quot;'/>"),
    (b"<d a='1'b='2'/>", "<d a='1' b='2'/>"),
    (b"<d a = '1'\tb\n=\n'2' c e=f/>", "<d a='1' b='2' c='' e='' f=''/>"),
    (b"<d a='1' a='2'/>", "<d a='1'/>"),
    (b"<d a='1\n2\t3'/>", "<d a='1 2 3'/>"),
    (b"<d 1='x'/>", "<d/>"),
    (b"x<d>a & b &amp; &nbsp;<e/>c</d>y", "<d>a &amp; b &amp; &amp;nbsp;<e/>c</d>"),
    (b"<d><!-- <x> --><?x <y> ?><![CDATA[a<b&c]]></d >", "<d>a&lt;b&amp;c</d>"),
    (b"<d/>\0<", "<d/>"),
]
REFUSED = [
    b"",
    b"x",
    b"<d>",
    b"<d><e></d>",
    b"</d>",
    b"<d></d></d>",
    b"<d/><e/>",
    b"<d>a < b</d>",
    b"<1/>",
    b"<d a='x",
    b'<d a="x',
    b"<d / >",
    b"<d/",
    b"<d></d",
    b"<d><!-- ",
    b"<d><!-- a -- b --></d>",
    b"<?x",
    b"<d><![CDATA[ x </d>",
    b"<d>\n\n<e/",
]


@pytest.mark.parametrize(("text", "read"), TAKEN)
def test_what_is_read(text: bytes, read: str) -> None:
    assert etree.tostring(parse_loosely(text), method="c14n").decode() == etree.canonicalize(read)


def test_prefixes() -> None:
    root = parse_loosely(b"<d x:y='1'><x:e/></d>")
    assert (root.get("x:y"), root[0].tag) == ("1", "x:e")


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: bytes) -> None:
    with pytest.raises(SwitchError, match=r"\[error near line \d\]: "):
        parse_loosely(text)


@pytest.mark.freeswitch
def test_a_real_one_takes_and_refuses_the_same() -> None:
    taken = [text.partition(b"\0")[0] for text, _ in TAKEN]
    assert ask([("xml_error", text) for text in taken]) == [None] * len(taken)
    refused = [text for text in REFUSED if text]  # which it takes, and has nothing of
    said = ask([("xml_error", text) for text in refused])
    for text, there in zip(refused, said, strict=True):
        with pytest.raises(SwitchError) as caught:
            parse_loosely(text)
        assert caught.value.reason == there, text
