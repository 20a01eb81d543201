"""Answering the switch's XML look-ups."""

from __future__ import annotations

import logging
from collections.abc import Callable
from ctypes import byref, c_void_p
from typing import Any

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Fetch, Section

from .event_source import StructPeek, read
from .ffi import SEARCH_FUNCTION, SUCCESS, lib

log = logging.getLogger(__name__)

NO_SECTION = 1 << 30
"""A bit that no section has: to the switch, no bit at all means all sections."""

_given_to_c: list[Any] = []
"""Never let go of: a thread of the switch may be on its way into a function that was just unbound."""


class SearchFunction:
    """The XmlBinding of port.py. Bound once, as binding waits for every look-up that is under way; choosing the
    sections does not."""

    def __init__(self, answer: Callable[[Fetch], bytes | None]) -> None:
        def search(
            section: bytes, tag: bytes | None, key: bytes | None, value: bytes | None, params: int | None, _data: Any
        ) -> int | None:
            try:
                event = read(StructPeek(params)) if params else None
                xml = answer(Fetch(section.decode(errors="replace"), tag, key, value, event))
                if xml is None:
                    return None
                parsed: int | None = lib().switch_xml_parse_str_dynamic(xml, 1)
                return parsed
            except Exception:
                log.exception("look-up of %r failed", section)
                return None

        self._function = SEARCH_FUNCTION(search)
        _given_to_c.append(self._function)
        self._binding = c_void_p()
        status = lib().switch_xml_bind_search_function_ret(self._function, NO_SECTION, None, byref(self._binding))
        if status != SUCCESS:
            raise SwitchError("switch_xml_bind_search_function_ret", "refused")

    def want(self, sections: Section) -> None:
        lib().switch_xml_set_binding_sections(self._binding, int(sections) or NO_SECTION)

    def close(self) -> None:
        lib().switch_xml_unbind_search_function(byref(self._binding))
