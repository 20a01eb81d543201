"""What a look-up's answer may be, and what the switch gets of it."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mod_erlang_py.switch.port import Event, Fetch
from mod_erlang_py.switch.simulated import SimulatedSwitch
from mod_erlang_py.xml.documents import document
from mod_erlang_py.xml.limits import BadXml, Limits

LIMITS = Limits(100_000, 1000, 500, 50)
USER = '<user id="7"/>'
EXTENSION = '<extension name="a"/>'
WRAPPED = {
    "user": (USER, f'<section name="directory"><domain name="example.com">{USER}</domain></section>'),
    "users": (USER * 2, f'<section name="directory"><domain name="example.com">{USER * 2}</domain></section>'),
    "domain": ('<domain name="x"/>', '<section name="directory"><domain name="x"/></section>'),
    "context": ('<context name="x"/>', '<section name="dialplan"><context name="x"/></section>'),
    "extension": (
        EXTENSION,
        f'<section name="dialplan"><context name="public">{EXTENSION}</context></section>',
    ),
    "extensions": (
        EXTENSION * 3,
        f'<section name="dialplan"><context name="public">{EXTENSION * 3}</context></section>',
    ),
    "configuration": (
        '<configuration name="a.conf"/>',
        '<section name="configuration"><configuration name="a.conf"/></section>',
    ),
    "section": ('<section name="languages"><macros/></section>', '<section name="languages"><macros/></section>'),
    "comment": (f"<!-- c -->{USER}", f'<section name="directory"><domain name="example.com">{USER}</domain></section>'),
}


def fetch(section: str = "directory", value: bytes | None = b"example.com", **headers: bytes) -> Fetch:
    params = Event("REQUEST_PARAMS", [(name.replace("_", "-").encode(), text) for name, text in headers.items()])
    return Fetch(section, b"domain", b"name", value, params)


SWITCH = SimulatedSwitch(log_to=io.StringIO())


def made(text: str | bytes, asked: Fetch | None = None) -> bytes:
    content = text if isinstance(text, bytes) else text.encode()
    found = document(content, asked or fetch(Hunt_Context=b"public"), LIMITS, SWITCH.xml_error)
    assert found is not None
    return found


def canonical(text: str | bytes) -> str:
    found: str = etree.canonicalize(text if isinstance(text, str) else text.decode())
    return found


RESULT = '<section name="result"><result status="not found"/></section>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\r\n\t ",
        " \0",
        f'<document type="freeswitch/xml">{RESULT}</document>',
        f'\n<?xml version="1.0"?><document a="&">{RESULT.replace("not f", "Not F")}</document> \0',
        f'<document>{RESULT}<section name="directory"><domain/></section></document>',
        RESULT,
        "<document/>",
        "<document> text </document>",
        '<document><section name="directory"/><section/></document>',
        '<document><section name="directory"><!-- none --></section></document>',
        '<section name="directory"/>',
        "<document a='&'></document>",
    ],
)
def test_nothing_means_not_found(text: str) -> None:
    assert document(text.encode(), fetch(), LIMITS, SWITCH.xml_error) is None


@pytest.mark.parametrize(
    "text",
    [
        '<section name="result"><result status="found"/></section>',
        '<section name="directory"><x/></section>',
        "<domain/>",
    ],
)
def test_something_that_is_not_much(text: str) -> None:
    assert made(text)


@pytest.mark.parametrize("name", WRAPPED)
def test_what_is_wrapped(name: str) -> None:
    text, inside = WRAPPED[name]
    assert canonical(made(text)) == canonical(f'<document type="freeswitch/xml">{inside}</document>')


def test_a_document_is_taken_as_it_is() -> None:
    text = '<document type="x"><section name="directory">text<b/></section><section name="dialplan"/></document>'
    assert canonical(made(text)) == canonical(text)
    assert canonical(made(f'<?xml version="1.0"?>\n{text}\n')) == canonical(text)


@pytest.mark.parametrize(
    "text",
    [
        "<user",
        "<user></users>",
        "user",
        "&amp;",
        "<!-- only a comment -->",
        "<?instruction?>",
        f"{USER} and {USER}",
        f"and {USER}",
        f"{USER}{EXTENSION}",
        "<document/><document/>",
        "<section/><section/>",
        "<include/>",
        "<a:user xmlns:a='b'/>",
        "<user id='&nosuch;'/>",
        "</r><r>",
        f"{USER}</r><r>{USER}",
        b"<user id='\xff'/>",
        b"<user/>\0",
        "<user id='a&b'/>",
        "<section name='directory'><domain name='a&b'/></section>",
        "\n<?xml version='1.0'?><user id='7'id='8'/>",
        b"\xff\xfe",
        "<?xml version='1.0' encoding='nosuch'?><user/>",
        "<domain name='x'>" + "<a>" * 300 + "</a>" * 300 + "</domain>",
    ],
)
def test_what_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadXml) as caught:
        made(text)
    assert str(caught.value)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE user>",
        '<!DOCTYPE user [<!ENTITY a "b">]>',
        '<!DOCTYPE user [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE user SYSTEM "http://127.0.0.1:1/a.dtd">',
        '<!DOCTYPE user [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
    ],
)
def test_no_doctype_and_no_entities(doctype: str) -> None:
    for text in (f"{doctype}<user/>", f"{doctype}<user>&a;</user>", f"<?xml version='1.0'?>{doctype}<user id='&a;'/>"):
        with pytest.raises(BadXml):
            made(text)


INSIDE = "<section name='directory'><domain name='a&b'/></section>"


@pytest.mark.parametrize(
    "text",
    [
        f"<document>{INSIDE}</document>",
        f"<?xml version='1.0'?><document>{INSIDE}</document> and more",
        f"some <document>{INSIDE}</document>",
        f"<document a='1'b='2' a='3' x:y='4'>{INSIDE}</document>",
        "<document><section a='1'name='directory'><domain/></section></document>",
        b"<document><section><domain name='\xe4'/></section></document>",
        b"<document><section><domain name='\x01'/></section></document>",
        "<document><section>" + "<a b='<'/>" * 300 + "</section></document>",
        "<document><section>" + "<a>" * 254 + "&" + "</a>" * 254 + "</section></document>",
    ],
)
def test_a_document_that_the_switch_takes_goes_to_it_as_it_came(text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    assert made(content) == content
    assert made(content + b"\0\n") == content


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"<document>{INSIDE}", "[error near line 1]: unclosed tag <document>"),
        (f"<document>\n{INSIDE}</section>", "[error near line 2]: unexpected closing tag </section>"),
        (f"<document>{INSIDE}</document><document/>", "[error near line 1]: markup outside of root element"),
        (f"<document a='&'>{INSIDE}<!DOCTYPE a></document>", "a DOCTYPE is not taken"),
        ("<document a='&'>" + "<a>" * 300 + "</a>" * 300 + "</document>", "more than 256 levels"),
        ("<document a='&'>" + "<a b='>'>" * 300 + "</a>" * 300 + "</document>", "more than 256 levels"),
    ],
)
def test_a_document_that_the_switch_refuses(text: str, why: str) -> None:
    with pytest.raises(BadXml) as caught:
        made(text)
    assert str(caught.value) == why


def test_whatever_is_in_a_document_ends_soon() -> None:
    """Nothing in it makes the look for its levels slow."""
    began = time.thread_time()
    for piece in ("<a ", "<a b='", "<!--", '<a "', "<a b=c", "=", "<a b= '", "<", "</", "<?", "<![CDATA[", "<a b='1'"):
        with pytest.raises(BadXml):
            made("<document a='&'>" + piece * (90_000 // len(piece)))
    assert time.thread_time() - began < 5


def test_too_long() -> None:
    text = b"<user>" + b"x" * 87 + b"</user>"
    assert document(text, fetch(), replace(LIMITS, length=len(text)), SWITCH.xml_error) is not None
    with pytest.raises(BadXml, match="100 bytes, the limit is 99"):
        document(text, fetch(), replace(LIMITS, length=len(text) - 1), SWITCH.xml_error)


def test_characters_stay_what_they_are() -> None:
    text = "<user>ä€😀</user>"
    escaped = b"<user>&#228;&#8364;&#x1F600;</user>"
    for content in (text.encode(), text.encode("utf-16"), escaped):
        assert etree.fromstring(made(content)).findtext(".//user") == "ä€😀"
    latin = b"<?xml version='1.0' encoding='iso-8859-1'?><user>\xe4</user>"
    assert etree.fromstring(made(latin)).findtext(".//user") == "ä"


@pytest.mark.parametrize(
    ("asked", "domain"),
    [
        (fetch(), "example.com"),
        (fetch(value=None, domain=b"example.org"), "example.org"),
        (fetch(value=b'<&">'), '<&">'),
        (Fetch("directory", None, None, None, None), ""),
        (
            Fetch("directory", b"user", b"id", b"7", Event("REQUEST_PARAMS", [(b"domain", b"example.net")])),
            "example.net",
        ),
        (fetch(value=b"\xff"), "\ufffd"),
    ],
)
def test_the_domain_of_a_bare_user(asked: Fetch, domain: str) -> None:
    found = etree.fromstring(made(USER, asked)).find(".//domain")
    assert found is not None
    assert found.get("name") == domain


@pytest.mark.parametrize(
    ("asked", "context"),
    [
        (fetch("dialplan", Hunt_Context=b"a", Caller_Context=b"b"), "a"),
        (fetch("dialplan", Caller_Context=b"b"), "b"),
        (fetch("dialplan"), "default"),
        (Fetch("dialplan", None, None, None, None), "default"),
    ],
)
def test_the_context_of_bare_extensions(asked: Fetch, context: str) -> None:
    found = etree.fromstring(made(EXTENSION, asked)).find(".//context")
    assert found is not None
    assert found.get("name") == context


def test_a_domain_that_xml_cannot_write() -> None:
    with pytest.raises(BadXml):
        made(USER, fetch(value=b"a\x01b"))


@given(st.binary(max_size=60) | st.text("<>/=\"'&;! userdocmnt[]?-", max_size=60).map(str.encode))
def test_whatever_comes_it_is_well_formed_or_refused(text: bytes) -> None:
    try:
        found = document(text, fetch(), LIMITS, SWITCH.xml_error)
    except BadXml:
        return
    assert (found is None) == (not text.strip(b"\0 \t\r\n\f\v"))
    if found is not None:
        assert etree.fromstring(found).tag == "document"
