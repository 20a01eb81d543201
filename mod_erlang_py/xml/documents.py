"""The XML that Erlang processes answer look-ups with: read, checked, and made the document that the switch expects."""

from __future__ import annotations

from typing import Any

from lxml import etree

from mod_erlang_py.switch.port import Fetch, Section

ROOTS = "document, section, configuration, domain, user, context, extension"


class BadXml(ValueError):
    """No XML, or none that answers a look-up."""


def document(text: bytes, fetch: Fetch, max_bytes: int) -> bytes | None:
    """A whole <document> for the switch, or None when the text is empty: "not found here".

    A <document> is taken as it is. What is less is wrapped: <section>; <configuration>; <domain>, <user> (in the domain
    that is looked for); <context>, <extension> (in the context that is asked for), and several of these side by side.
    Raises BadXml.
    """
    if not text.strip():
        return None
    if len(text) > max_bytes:
        raise BadXml(f"{len(text)} bytes, the limit is {max_bytes}")
    try:
        return _document(_parse(text), fetch)
    except BadXml:
        raise
    except ValueError as error:  # a domain or a context with characters that XML has not
        raise BadXml(str(error)) from None


def _document(elements: list[etree._Element], fetch: Fetch) -> bytes:
    tags = {str(element.tag) for element in elements}
    if len(tags) != 1:
        raise BadXml(f"several roots: {', '.join(sorted(tags))}")
    tag = tags.pop()
    if len(elements) > 1 and tag in ("document", "section"):
        raise BadXml(f"more than one <{tag}>")
    match tag:
        case "document":
            return bytes(etree.tostring(elements[0], encoding="utf-8"))
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
    return bytes(etree.tostring(root, encoding="utf-8"))


def _parse(text: bytes) -> list[etree._Element]:
    """The root elements; several are only understood side by side, without a declaration."""
    try:
        return [_fromstring(text)]
    except etree.XMLSyntaxError as error:
        try:
            around = _fromstring(b"<r>" + text + b"</r>")
        except etree.XMLSyntaxError:
            raise BadXml(str(error)) from None
        if len(around) == 0 or any((one or "").strip() for one in (around.text, *(child.tail for child in around))):
            raise BadXml(str(error)) from None
        return [element for element in around if isinstance(element.tag, str)]


def _fromstring(text: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    root = etree.fromstring(text, parser)
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype:
        raise BadXml("a DOCTYPE is not taken")
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
