"""Reading the dialplan's files."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from mod_erlang_py.switch.simulated.settings import parse_file

CONTEXT = re.compile(r"(?!\.)[^/\0]{1,200}")
"""Names of contexts that are looked for among the files."""

_GLOBAL = re.compile(rb"\$\$\{([^}]*)\}")
KNOWN = {
    "extension": ({"name"}, {"condition"}),
    "condition": ({"field", "expression"}, {"action"}),
    "action": ({"application", "data"}, set[str]()),
}
"""The elements that are understood here, with their attributes and the elements in them."""

Variable = Callable[[bytes], "bytes | None"]
_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Action:
    application: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Condition:
    """field: a field of the caller profile, or a text with variables; None: the condition holds."""

    field: bytes | None
    expression: bytes
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Extension:
    """unknown: what in it is not understood here, if anything: then it does not match."""

    name: bytes
    conditions: tuple[Condition, ...]
    unknown: str


class DialplanFiles:
    """The contexts in `<folder>/NAME.xml` and `<folder>/NAME/*.xml`; read again only when a file has changed.

    Extensions come in the order of the file, then of the folder's files by name. In NAME.xml those outside any
    <context> count, and those in <context name="NAME">; in the folder's files all of them, as they are included there.
    Preprocessing is not done, but for $${global} in attributes.
    """

    def __init__(self, folder: Path | None, variable: Variable) -> None:
        self._folder = folder
        self._variable = variable
        self._lock = threading.Lock()
        self._read: dict[str, tuple[_Stamp, tuple[Extension, ...]]] = {}

    def context(self, name: str) -> tuple[Extension, ...] | None:
        """None when there is no such context. Raises SwitchError for a file that cannot be used."""
        if self._folder is None or not CONTEXT.fullmatch(name):
            return None
        files = self._files(name)
        stamp = tuple((str(file), status.st_mtime_ns, status.st_size) for file, status in files)
        with self._lock:
            known = self._read.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        if not files:
            return None
        found = tuple(extension for file, _ in files for extension in self._extensions(file, name))
        with self._lock:
            self._read[name] = (stamp, found)
        return found

    def in_section(self, section: etree._Element, name: str) -> tuple[Extension, ...] | None:
        """The context of that name, or else the one called global, in a <section>; None when there is neither."""
        for wanted in (name, "global"):
            for context in section.iter("context"):
                if context.get("name") == wanted:
                    return tuple(self._extension(element) for element in context.iterfind("extension"))
        return None

    def _files(self, name: str) -> list[tuple[Path, os.stat_result]]:
        assert self._folder is not None
        paths = [self._folder / f"{name}.xml", *sorted((self._folder / name).glob("*.xml"))]
        return [(path, path.stat()) for path in paths if path.is_file()]

    def _extensions(self, path: Path, context: str) -> Iterator[Extension]:
        root = parse_file(path, "dialplan")
        included = path.parent.name == context and path.parent != self._folder
        for element in root.iter("extension"):
            around = [one.get("name") for one in element.iterancestors("context")]
            if included or not around or context in around:
                yield self._extension(element)

    def _extension(self, element: etree._Element) -> Extension:
        conditions = tuple(self._condition(child) for child in element.iterfind("condition"))
        return Extension(self._text(element, "name"), conditions, _unknown(element))

    def _condition(self, element: etree._Element) -> Condition:
        field = None if element.get("field") is None else self._text(element, "field")
        actions = tuple(
            Action(self._text(child, "application"), self._text(child, "data")) for child in element.iterfind("action")
        )
        return Condition(field, self._text(element, "expression"), actions)

    def _text(self, element: etree._Element, attribute: str) -> bytes:
        value = element.get(attribute, "").encode()
        return _GLOBAL.sub(lambda found: self._variable(found.group(1)) or b"", value)


def _unknown(element: etree._Element) -> str:
    """The first thing in it, "condition break" or "anti-action", that is not in KNOWN; "" when there is none."""
    tag = str(element.tag)
    attributes, inside = KNOWN[tag]
    for name in element.keys():  # noqa: SIM118 - an element's items are its children
        if str(name) not in attributes:
            return f"{tag} {name!s}"
    for child in element:
        if str(child.tag) not in inside:
            return str(child.tag)
        found = _unknown(child)
        if found:
            return found
    return ""
