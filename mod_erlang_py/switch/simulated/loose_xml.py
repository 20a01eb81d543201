"""XML as FreeSWITCH's own parser takes it, which is not strict: & and < in values, no blank between attributes, an
attribute twice, prefixes without a namespace, unknown entities, text around the root. Source: switch_xml_parse_str.
"""

from __future__ import annotations

import re

from lxml import etree

from mod_erlang_py.errors import SwitchError

_NAME = re.compile(rb"[^ \t\r\n/>]*")
_END_NAME = re.compile(rb"[^ \t\r\n>]*")
_ATTRIBUTE = re.compile(rb"([^ \t\r\n=/>]*)(?:[ \t\r\n=][ \t\r\n=]*(?:\"([^\"]*)(\"?)|'([^']*)('?))?)?")
_BLANK = re.compile(rb"\s")
_REFERENCE = re.compile(rb"&(?:#(\d+)|#x([0-9a-fA-F]+)|(lt|gt|amp|quot|apos));")
_NAMED = {b"lt": b"<", b"gt": b">", b"amp": b"&", b"quot": b'"', b"apos": b"'"}
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
_XML_NAME = re.compile(r"[\w:][\w:.\-]*")
_CDATA = b"![CDATA["


def parse_loosely(text: bytes) -> etree._Element:
    """The root. Raises SwitchError, in FreeSWITCH's words. What lxml cannot hold is left out: attributes with other
    names than XML's, control characters."""
    strict = _Reader(text.partition(b"\0")[0]).read()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)  # for the prefixes
    return etree.fromstring(strict, parser)


class _Reader:
    """Writes a text again, as XML in the strict sense but for prefixes without a namespace."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0
        self._open: list[bytes] = []
        self._rooted = False
        self._out: list[str] = []

    def read(self) -> bytes:
        while (begin := self._text.find(b"<", self._at)) >= 0:
            if self._open:
                self._write_text(_decoded(self._text[self._at : begin]))
            self._at = begin + 1
            self._tag()
        if self._open:
            raise self._wrong(f"unclosed tag <{_shown(self._open[-1])}>")
        if not self._rooted:
            raise self._wrong("root tag missing")
        return "".join(self._out).encode()

    def _tag(self) -> None:
        text, at = self._text, self._at
        if text.startswith(b"!--", at):
            self._at = self._behind(b"--", at + 3, "unclosed <!--")
            self._expect(b">", "unclosed <!--")
        elif text.startswith(b"?", at):
            self._at = self._behind(b"?>", at, "unclosed <?")
        elif text.startswith(_CDATA, at):
            self._at = self._behind(b"]]>", at, "unclosed <![CDATA[")
            self._write_text(text[at + len(_CDATA) : self._at - 3])
        elif text.startswith(b"/", at):
            self._end_tag()
        elif re.match(rb"[A-Za-z_:\x80-\xff]", text[at : at + 1]):
            self._start_tag()
        else:
            raise self._wrong("unexpected <")

    def _end_tag(self) -> None:
        self._at += 1
        name = self._match(_END_NAME)[0]
        if self._open[-1:] != [name]:
            raise self._wrong(f"unexpected closing tag </{_shown(name)}>")
        self._out.append(f"</{_shown(self._open.pop())}>")
        self._at = self._behind(b">", self._at, "missing >")

    def _start_tag(self) -> None:
        if self._rooted and not self._open:
            raise self._wrong("markup outside of root element")
        name = self._match(_NAME)
        attributes: dict[str, str] = {}
        while (following := self._skip_blanks()) not in (b"/", b">", b""):
            attribute = self._match(_ATTRIBUTE)
            for quote, value, closed in (('"', attribute[2], attribute[3]), ("'", attribute[4], attribute[5])):
                if value is not None and not closed:
                    raise self._wrong(f"missing {quote}")
            key = _shown(attribute[1])
            if _XML_NAME.fullmatch(key):  # of two, FreeSWITCH finds the first
                value = _BLANK.sub(b" ", attribute[2] or attribute[4] or b"")
                attributes.setdefault(key, _written(_decoded(value)))
        empty = following == b"/"
        self._expect(b"/>" if empty else b">", "missing >")
        tag = _shown(name[0])
        self._rooted = True
        self._out += [f"<{tag}", *(f' {key}="{value}"' for key, value in attributes.items()), "/>" if empty else ">"]
        if not empty:
            self._open.append(name[0])

    def _skip_blanks(self) -> bytes:
        while self._text[self._at : self._at + 1] in (b" ", b"\t", b"\r", b"\n"):
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        found = pattern.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return found

    def _expect(self, what: bytes, wrong: str) -> None:
        if not self._text.startswith(what, self._at):
            raise self._wrong(wrong)
        self._at += len(what)

    def _behind(self, what: bytes, start: int, wrong: str) -> int:
        found = self._text.find(what, start)
        if found < 0:
            raise self._wrong(wrong)
        return found + len(what)

    def _write_text(self, text: bytes) -> None:
        if self._open:
            self._out.append(_written(text))

    def _wrong(self, what: str) -> SwitchError:
        line = self._text.count(b"\n", 0, self._at) + 1
        return SwitchError("switch_xml_parse_str", f"[error near line {line}]: {what}")


def _decoded(text: bytes) -> bytes:
    """References that are none stay as they are."""

    def character(found: re.Match[bytes]) -> bytes:
        decimal, hexadecimal, name = found.groups()
        if name:
            return _NAMED[name]
        try:
            number = int(decimal) if decimal else int(hexadecimal, 16)
            return chr(number).encode() if number else found[0]
        except (ValueError, OverflowError):
            return found[0]

    return _REFERENCE.sub(character, text)


def _shown(name: bytes) -> str:
    return name.decode(errors="replace")


def _written(text: bytes) -> str:
    return "".join(_ESCAPES.get(one) or (one if one >= " " else "") for one in text.decode(errors="replace"))
