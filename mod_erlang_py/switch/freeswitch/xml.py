"""Answering the switch's XML look-ups."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from ctypes import byref, c_void_p
from itertools import count
from typing import Any

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Fetch, Section

from .events import read
from .ffi import without_gil
from .structs import SEARCH_FUNCTION, SUCCESS

log = logging.getLogger(__name__)

NO_SECTION = 1 << 30
"""A bit that no section has: to the switch, no bit at all means all sections."""

_numbers = count(1)
_answers: dict[int, Callable[[Fetch], bytes | None]] = {}
"""By the number that the switch gives back as user_data."""


def _search(
    section: bytes, tag: bytes | None, key: bytes | None, value: bytes | None, params: int | None, number: int
) -> int | None:
    try:
        answer = _answers.get(number)
        if answer is None:
            return None
        event = read(params) if params else None
        xml = answer(Fetch(section.decode(errors="replace"), tag, key, value, event))
        if xml is None:
            return None
        parsed: int | None = without_gil().switch_xml_parse_str_dynamic(xml, 1)
        return parsed
    except Exception:
        log.exception("look-up of %r failed", section)
        return None


_search_function = SEARCH_FUNCTION(_search)
"""One for all bindings, for ever: a thread of the switch may be on its way into it when a binding has been closed."""


class Binding:
    """The XmlBinding of switch/port. Bound once, as binding waits for every look-up that is under way; choosing the
    sections does not."""

    def __init__(self, answer: Callable[[Fetch], bytes | None]) -> None:
        self._number = next(_numbers)
        self._binding: Any = c_void_p()
        _answers[self._number] = answer
        bind = without_gil().switch_xml_bind_search_function_ret
        if bind(_search_function, NO_SECTION, self._number, byref(self._binding)) != SUCCESS:
            raise SwitchError("switch_xml_bind_search_function_ret", "refused")

    def want(self, sections: Section) -> None:
        without_gil().switch_xml_set_binding_sections(self._binding, int(sections) or NO_SECTION)

    def close(self) -> None:
        without_gil().switch_xml_unbind_search_function(byref(self._binding))
        _answers.pop(self._number, None)


def error_in(text: bytes) -> str | None:
    """What switch_xml_parse_str_dynamic has against a text, in its own words."""
    parsed = without_gil().switch_xml_parse_str_dynamic(text, 1)
    try:
        said: bytes = without_gil().switch_xml_error(parsed)
        return said.decode(errors="replace") or None
    finally:
        without_gil().switch_xml_free(parsed)


def plainly(error: str) -> str:
    """Such words, "[error near line 68]: unexpected closing tag", as part of a sentence. reloadxml puts them in one
    more pair of brackets, and counts the lines of all files as one."""
    found = re.fullmatch(r"(\[)?\[error near line (\d+)\]: (.*?)(?(1)\])", error.strip(), re.DOTALL)
    if found is None:
        return error
    of_all = " of freeswitch.xml.fsxml, in the log folder" if found[1] else ""
    return f"{found[3]}, near line {found[2]}{of_all}"
