"""Those who answer look-ups before the files do. Source: switch_xml_locate in switch_xml.c."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from lxml import etree

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event, Fetch, Section
from mod_erlang_py.switch.simulated.loose_xml import parse_loosely

Answer = Callable[[Fetch], "bytes | None"]

NAMES = {Section.CONFIG: "configuration", Section.DIRECTORY: "directory", Section.DIALPLAN: "dialplan"}
"""What the simulated switch looks up, as it is called in a look-up."""


class XmlBindings:
    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._bindings: tuple[Binding, ...] = ()

    def bind(self, answer: Answer) -> Binding:
        made = Binding(answer, self._remove)
        with self._lock:
            self._bindings += (made,)
        return made

    def look_up(
        self,
        section: Section,
        tag: bytes | None,
        key: bytes | None,
        value: bytes | None,
        params: Callable[[], Event | None],
    ) -> etree._Element | None:
        """The <section> that the first one answers with; None when nobody does.

        In the thread of the caller, which waits as long as they do. params: only asked for when somebody is bound.
        """
        name = NAMES[section]
        fetch: Fetch | None = None
        for binding in self._bindings:
            if not section & binding.wanted:
                continue
            fetch = fetch or Fetch(name, tag, key, value, params())
            found = self._section(binding.ask(fetch), name)
            if found is not None:
                return found
        return None

    def _section(self, text: bytes | None, name: str) -> etree._Element | None:
        if text is None:
            return None
        try:
            root = parse_loosely(text)
        except SwitchError as error:
            self._log.error("%s", error)
            return None
        for element in root.iter("section"):
            if element.get("name") == name:
                return element
        result = root.find(".//result")
        if result is None or result.get("status") != "not found":
            self._log.error("An answer to a look-up has no section %s", name)
        return None

    def _remove(self, binding: Binding) -> None:
        with self._lock:
            self._bindings = tuple(other for other in self._bindings if other is not binding)


class Binding:
    """The port's XmlBinding."""

    def __init__(self, answer: Answer, on_close: Callable[[Binding], None]) -> None:
        self.wanted = Section(0)
        self._answer = answer
        self._on_close = on_close
        self._changed = threading.Condition()
        self._asked = 0

    def want(self, sections: Section) -> None:
        self.wanted = sections

    def close(self) -> None:
        self.wanted = Section(0)
        self._on_close(self)
        with self._changed:
            self._changed.wait_for(lambda: not self._asked)

    def ask(self, fetch: Fetch) -> bytes | None:
        with self._changed:
            self._asked += 1
        try:
            return self._answer(fetch)
        finally:
            with self._changed:
                self._asked -= 1
                self._changed.notify_all()
