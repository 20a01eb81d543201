"""The XML that Erlang processes answer look-ups with: read, checked, and made the document that the switch expects."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lxml import etree

from mod_erlang_py.switch.port import Fetch, Section
from mod_erlang_py.xml.limits import TAG, BadXml, Limits

ROOTS = "document, section, configuration, domain, user, context, extension"
NO_DOCTYPE = "a DOCTYPE is not taken"
MAX_DEPTH = 256
"""Levels that lxml takes; so many fit a stack of FreeSWITCH's."""

_NOT_FOUND = re.compile(rb"""\bstatus[\s=]+["']not found["']""", re.IGNORECASE)


def document(text: bytes, fetch: Fetch, limits: Limits, xml_error: Callable[[bytes], str | None]) -> bytes | None:
    """A whole <document> for the switch, or None for "not found here": an empty text, the switch's own document that
    says so, or a document without anything in its sections.

    A <document> is taken as it is. What is less is wrapped: <section>; <configuration>; <domain>, <user> (in the domain
    that is looked for); <context>, <extension> (in the context that is asked for), and several of these side by side.
    A <document> that is no XML in the strict sense is taken if the switch's own parser takes it.
    xml_error: Switch.xml_error. Raises BadXml.
    """
    text = text.lstrip()
    if not text.strip(b"\0 \t\r\n\f\v"):
        return None
    limits.check_length(text)
    try:
        try:
            elements = _parse(text)
        except etree.XMLSyntaxError as error:
            return _as_the_switch_reads_it(text, error, limits, xml_error)
        root = _document(elements, fetch)
    except BadXml:
        raise
    except ValueError as error:  # a domain or a context with characters that XML has not
        raise BadXml(str(error)) from None
    if _says_nothing(root):
        return None
    made = bytes(etree.tostring(root, encoding="utf-8"))
    limits.check(made)
    return made


def _as_the_switch_reads_it(
    text: bytes, error: etree.XMLSyntaxError, limits: Limits, xml_error: Callable[[bytes], str | None]
) -> bytes | None:
    """A <document> to which lxml objects, as it came; it is a C string, which ends at a NUL."""
    text = text.partition(b"\0")[0]
    limits.check(text)
    seen = _outline(text)
    if seen.root != b"document":
        raise BadXml(str(error))
    if b"<!DOCTYPE" in text:
        raise BadXml(NO_DOCTYPE)
    if seen.depth > MAX_DEPTH:
        raise BadXml(f"more than {MAX_DEPTH} levels")
    said = xml_error(text)
    if said is not None:
        raise BadXml(said)
    return None if seen.says_nothing else text


@dataclass(frozen=True, slots=True)
class _Outline:
    """A text as the switch's parser sees it. depth: of elements in elements; it frees them by recursion, on small
    stacks. says_nothing: as of _says_nothing."""

    root: bytes
    depth: int
    says_nothing: bool


def _outline(text: bytes) -> _Outline:
    root = b""
    depth = deepest = 0
    something = not_found = False
    for tag in TAG.finditer(text):
        if tag["closing"]:
            depth -= 1
        if tag["name"] is None:
            continue
        root = root or tag["name"]
        if depth == 2:  # in a section
            something = True
            not_found |= tag["name"] == b"result" and _NOT_FOUND.search(tag[0]) is not None
        if not tag["empty"]:
            depth += 1
            deepest = max(deepest, depth)
    return _Outline(root, deepest, not_found or not something)


def _says_nothing(root: etree._Element) -> bool:
    """Whether this is how the switch itself says "not found" (switch_xml_locate), or there is nothing in it."""
    result = root.find("section[@name='result']/result")
    if result is not None and result.get("status", "").lower() == "not found":
        return True
    return not any(len(section) for section in root.iterfind("section"))


def _document(elements: list[etree._Element], fetch: Fetch) -> etree._Element:
    tags = {str(element.tag) for element in elements}
    if len(tags) != 1:
        raise BadXml(f"several roots: {', '.join(sorted(tags))}")
    tag = tags.pop()
    if len(elements) > 1 and tag in ("document", "section"):
        raise BadXml(f"more than one <{tag}>")
    match tag:
        case "document":
            return elements[0]
        case "section":
            inside = elements
        case "configuration":
            inside = [_around("section", "configuration", elements)]
        case "domain":
            inside = [_around("section", "directory", elements)]
        case "user":
            inside = [_around("section", "directory", [_around("domain", _domain(fetch), elements)])]
        case "context":
            inside = [_around("section", "dialplan", elements)]
        case "extension":
            inside = [_around("section", "dialplan", [_around("context", _context(fetch), elements)])]
        case _:
            raise BadXml(f"<{tag}> is none of {ROOTS}")
    root = etree.Element("document", type="freeswitch/xml")
    root.extend(inside)
    return root


def _parse(text: bytes) -> list[etree._Element]:
    """The root elements; several are only understood side by side, without a declaration. Raises XMLSyntaxError."""
    try:
        return [_fromstring(text)]
    except etree.XMLSyntaxError as error:
        try:
            around = _fromstring(b"<r>" + text + b"</r>")
        except etree.XMLSyntaxError:
            raise error from None
        if len(around) == 0 or any((one or "").strip() for one in (around.text, *(child.tail for child in around))):
            raise
        return [element for element in around if isinstance(element.tag, str)]


def _fromstring(text: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(text, parser)
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype:
        raise BadXml(NO_DOCTYPE)
    return root


def _around(tag: str, name: str, elements: list[etree._Element]) -> etree._Element:
    around = etree.Element(tag, name=name)
    around.extend(elements)
    return around


def _domain(fetch: Fetch) -> str:
    """The domain that is looked for: the value itself, or the parameter `domain`."""
    if Section.DIRECTORY in Section.parse(fetch.section) and fetch.tag == b"domain" and fetch.value:
        return fetch.value.decode(errors="replace")
    return _param(fetch, b"domain") or ""


def _context(fetch: Fetch) -> str:
    """The context that the dialplan is asked for."""
    return _param(fetch, b"Hunt-Context") or _param(fetch, b"Caller-Context") or "default"


def _param(fetch: Fetch, name: bytes) -> str | None:
    value = fetch.params.header(name) if fetch.params is not None else None
    return value.decode(errors="replace") if value else None
