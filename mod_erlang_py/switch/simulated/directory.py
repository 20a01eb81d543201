"""The directory: its users, as switch_xml_locate_user_merged finds them. Source: switch_xml.c of FreeSWITCH 1.11.1.

A user with the attribute `cacheable` is not kept: every look-up is made anew.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from lxml import etree

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event, Header, Section
from mod_erlang_py.switch.simulated.settings import parse_file

LookUp = Callable[
    [Section, "bytes | None", "bytes | None", "bytes | None", Callable[[], "Event | None"]], "etree._Element | None"
]

_GLOBAL = re.compile(r"\$\$\{([^}]*)\}")
_MERGED = (("params", "param"), ("variables", "variable"), ("profile-variables", "variable"))
_NO_POINTER = b"!pointer"


class Directory:
    """look_up: XmlBindings.look_up, asked before the files. make: of the event that describes a look-up.

    folder: the files of which are `*.xml`, read anew for each look-up; in them no preprocessing is done, but for
    $${global} in attributes and texts. A file that cannot be used is logged, and left out.
    """

    def __init__(
        self,
        look_up: LookUp,
        folder: Path | None,
        variable: Callable[[str], str | None],
        make: Callable[[list[Header]], Event],
        log: logging.Logger,
    ) -> None:
        self._look_up = look_up
        self._folder = folder
        self._variable = variable
        self._make = make
        self._log = log

    def user(self, keys: bytes, name: bytes, domain: bytes, told: tuple[Header, ...] = ()) -> etree._Element | None:
        """The <user>, with the params and variables of its group and its domain.

        keys: the attributes to be compared, "id" or "id:number-alias"; each is a look-up. told: what its params hold
        besides.
        """
        for key in keys.split(b":"):
            params = [*told, (b"key", key), (b"user", name), (b"domain", domain)]
            for found in self._domains(domain, [header for header in params if header[1]]):
                user, group = _user_in_domain(found, key, name)
                if user is not None:
                    return _merged(user, group, found)
                break  # the domain that was found is the only one
        return None

    def _domains(self, name: bytes, params: list[Header]) -> Iterator[etree._Element]:
        section = self._look_up(Section.DIRECTORY, b"domain", b"name", name, lambda: self._make(params))
        if section is not None:
            yield from _named(section.iterfind("domain"), name)
        for path in sorted(self._folder.glob("*.xml")) if self._folder is not None else ():
            try:
                root = parse_file(path, "directory")
            except SwitchError as error:
                self._log.error("%s", error)
                continue
            self._expand(root)
            yield from _named(root.iter("domain"), name)

    def _expand(self, root: etree._Element) -> None:
        for element in root.iter():
            for name, value in attributes(element).items():
                element.set(name, self._expanded(value))
            element.text = self._expanded(element.text)

    def _expanded(self, text: str | None) -> str:
        return _GLOBAL.sub(lambda found: self._variable(found.group(1)) or "", text or "")


def _named(elements: Iterator[etree._Element], name: bytes) -> Iterator[etree._Element]:
    return (one for one in elements if one.get("name", "").encode().lower() == name.lower())


def _user_in_domain(
    domain: etree._Element, key: bytes, name: bytes
) -> tuple[etree._Element | None, etree._Element | None]:
    """The user, and the group that it is in: in the first <groups>, else the first <users>, else the domain itself."""
    groups = domain.find("groups")
    for group in groups.iterfind("group") if groups is not None else ():
        users = group.find("users")
        user = _user_in(users, key, name) if users is not None else None
        if user is not None:
            return user, group
    users = domain.find("users")
    return _user_in(domain if users is None else users, key, name), None


def _user_in(around: etree._Element, key: bytes, name: bytes) -> etree._Element | None:
    """The first <user> that has one of these attributes so. One of any type but pointer always does, as there."""
    wanted = [(key, name), (b"type", _NO_POINTER)]
    if key.lower() == b"id":
        wanted.insert(1, (b"number-alias", name))
    for user in around.iterfind("user"):
        has = attributes(user)
        if any(_is(has.get(attribute.decode(errors="replace")), value) for attribute, value in wanted):
            return user
    return None


def _is(value: str | None, wanted: bytes) -> bool:
    """Whatever the case; a wanted value that begins with ! must not be the rest of it."""
    if value is None:
        return False
    if wanted.startswith(b"!"):
        return value.encode().lower() != wanted[1:].lower()
    return value.encode().lower() == wanted.lower()


def _merged(user: etree._Element, group: etree._Element | None, domain: etree._Element) -> etree._Element:
    merged = copy.deepcopy(user)
    merged.tail = None
    for source in (group, domain):
        for container, tag in _MERGED:
            _merge(merged, source, container, tag)
    if domain.get("name"):
        merged.set("domain-name", domain.get("name", ""))
    return merged


def _merge(user: etree._Element, source: etree._Element | None, container: str, tag: str) -> None:
    """Add what the user has not under the same name."""
    own = user.find(container)
    if own is None:
        own = etree.SubElement(user, container)
    found = source.find(container) if source is not None else None
    for element in found.iterfind(tag) if found is not None else ():
        name = element.get("name")
        if name is not None and name.lower() in {one.get("name", "").lower() for one in own.iterfind(tag)}:
            continue
        added = etree.SubElement(own, tag)
        for attribute in ("name", "value"):
            value = element.get(attribute)
            if value is not None:
                added.set(attribute, value)


def attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.items()}


def as_text(element: etree._Element, depth: int = 0) -> str:
    """As switch_xml_toxml writes it: an element a line, what is empty with an end tag too, only ASCII."""
    indent = "  " * depth
    written = "".join(f' {name}="{_escaped(value, True)}"' for name, value in attributes(element).items())
    inside = _escaped((element.text or "").strip(), False)
    children = "".join(as_text(child, depth + 1) for child in element)
    if children:
        inside += f"\n{children}{indent}"
    return f"{indent}<{element.tag!s}{written}>{inside}</{element.tag!s}>\n"


_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}
_IN_ATTRIBUTES = {'"': "&quot;", "\n": "&#xA;", "\t": "&#x9;"}


def _escaped(text: str, in_attribute: bool) -> str:
    escapes = _ESCAPES | _IN_ATTRIBUTES if in_attribute else _ESCAPES
    return "".join(escapes.get(one) or (one if one.isascii() else f"&#x{ord(one):X};") for one in text)
