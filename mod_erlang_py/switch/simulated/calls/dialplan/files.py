"""Reading the dialplan's files."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lxml import etree

from mod_erlang_py.switch.simulated.calls.dialplan.model import Action, Break, Condition, Extension
from mod_erlang_py.switch.simulated.calls.messages import is_true
from mod_erlang_py.switch.simulated.expand import whole_number
from mod_erlang_py.switch.simulated.settings import parse_file

CONTEXT = re.compile(r"(?!\.)[^/\0]{1,200}")
"""Names of contexts that are looked for among the files."""

_GLOBAL = re.compile(rb"\$\$\{([^}]*)\}")
_TIMES = frozenset({
    "year", "yday", "mon", "mday", "week", "mweek", "wday", "hour", "minute", "minute-of-day", "time-of-day",
    "date-time", "dst", "tz-offset",
})  # fmt: skip

Variable = Callable[[bytes], "bytes | None"]
_Stamp = tuple[tuple[str, int, int], ...]


class DialplanFiles:
    """The contexts in `<folder>/NAME.xml` and `<folder>/NAME/*.xml`; read again only when a file has changed.

    Extensions come in the order of the file, then of the folder's files by name. In NAME.xml those outside any
    <context> count, and those in <context name="NAME">; in the folder's files all of them, as they are included there.
    Preprocessing is not done, but for $${global} in attributes and texts.
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

    def in_section(self, section: etree._Element, name: str) -> tuple[Extension, ...] | None:
        """The context of that name, or else the one called global, in a <section>; None when there is neither."""
        for wanted in (name, "global"):
            for context in section.iter("context"):
                if context.get("name") == wanted:
                    return tuple(self._extension(element) for element in context.iterfind("extension"))
        return None

    def _extension(self, element: etree._Element) -> Extension:
        return Extension(
            name=self._text(element.get("name")) or b"_anon_",
            goes_on=is_true(self._text(element.get("continue"))),
            conditions=self._conditions(element),
        )

    def _conditions(self, element: etree._Element) -> tuple[Condition, ...]:
        return tuple(self._condition(child) for child in element.iterfind("condition"))

    def _condition(self, element: etree._Element) -> Condition:
        written = element.find("expression")
        text = element.get("expression") if written is None else written.text
        field = element.get("field")
        required = element.get("require-nested")
        return Condition(
            field=None if field is None else self._text(field),
            expression=self._text(text),
            break_=_break(element.get("break")),
            actions=self._actions(element.iterfind("action")),
            anti_actions=self._actions(element.iterfind("anti-action")),
            nested=self._conditions(element),
            require_nested=required is None or is_true(self._text(required)),
            unknown=_unknown(element),
        )

    def _actions(self, elements: Iterable[etree._Element]) -> tuple[Action, ...]:
        return tuple(
            Action(
                application=self._text(element.get("application")),
                data=self._text((element.text or "").strip() or element.get("data")),
                inline=is_true(self._text(element.get("inline"))),
                loop=whole_number(self._text(element.get("loop", "1"))),
            )
            for element in elements
        )

    def _text(self, text: str | None) -> bytes:
        value = (text or "").encode()
        return _GLOBAL.sub(lambda found: self._variable(found.group(1)) or b"", value)


def _break(text: str | None) -> Break:
    known = {one.value: one for one in Break}
    return known.get((text or "").lower(), Break.ON_FALSE)


def _unknown(element: etree._Element) -> str:
    if element.get("regex") is not None or element.find("regex") is not None:
        return "several <regex>"
    times = sorted(_TIMES & set(element.keys()))
    return f"the time ({', '.join(times)})" if times else ""
