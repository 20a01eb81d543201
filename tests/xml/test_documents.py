"""What a look-up's answer may be, and what the switch gets of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mod_erlang_py.switch.port import Event, Fetch
from mod_erlang_py.xml.documents import BadXml, document

LIMIT = 100_000
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
    "section": ('<section name="languages"/>', '<section name="languages"/>'),
    "comment": (f"<!-- c -->{USER}", f'<section name="directory"><domain name="example.com">{USER}</domain></section>'),
}


def fetch(section: str = "directory", value: bytes | None = b"example.com", **headers: bytes) -> Fetch:
    params = Event("REQUEST_PARAMS", [(name.replace("_", "-").encode(), text) for name, text in headers.items()])
    return Fetch(section, b"domain", b"name", value, params)


def made(text: str | bytes, asked: Fetch | None = None) -> bytes:
    content = text if isinstance(text, bytes) else text.encode()
    found = document(content, asked or fetch(Hunt_Context=b"public"), LIMIT)
    assert found is not None
    return found


def canonical(text: str | bytes) -> str:
    found: str = etree.canonicalize(text if isinstance(text, str) else text.decode())
    return found


@pytest.mark.parametrize("text", [b"", b" ", b"\r\n\t "])
def test_nothing_means_not_found(text: bytes) -> None:
    assert document(text, fetch(), LIMIT) is None


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


def test_too_long() -> None:
    text = b"<user>" + b"x" * 87 + b"</user>"
    assert document(text, fetch(), len(text)) is not None
    with pytest.raises(BadXml, match="100 bytes, the limit is 99"):
        document(text, fetch(), len(text) - 1)


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
        found = document(text, fetch(), LIMIT)
    except BadXml:
        return
    assert (found is None) == (not text.strip())
    if found is not None:
        assert etree.fromstring(found).tag == "document"
