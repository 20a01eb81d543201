"""What TAB offers in fs_cli and on the console."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from ctypes import byref, c_void_p
from functools import cache
from typing import Any

from mod_erlang_py.switch.port import Completion

from .core import is_shutting_down
from .ffi import without_gil
from .structs import COMPLETE_FUNCTION, FALSE, SUCCESS

log = logging.getLogger(__name__)

_words: dict[str, Callable[[], Iterable[str]]] = {}
"""By the name of a list, what makes its words now."""


def add(command: bytes, completion: Completion) -> None:
    """command: the API command that the lines follow."""
    _words.update(completion.lists)
    for name in completion.lists:
        without_gil().switch_console_add_complete_func(name.encode(), _function(name))
    for line in completion.lines:
        without_gil().switch_console_set_complete(b"add %s %s" % (command, line.encode()))


def remove(command: bytes, completion: Completion) -> None:
    """Waits for a function of ours that is being asked just now.

    Not while the switch shuts down: a module made from Python goes last, after the database that keeps the lines.
    """
    if is_shutting_down():
        return
    without_gil().switch_console_set_complete(b"del %s" % command)
    for name in completion.lists:
        without_gil().switch_console_del_complete_func(name.encode())
        _words.pop(name, None)


@cache
def _function(name: str) -> Any:
    """What the switch calls for the list of that name. Made once: it may be on its way into one that was taken back."""

    def match(_line: bytes | None, _word: bytes | None, matches: Any) -> int:
        """All words; the switch takes those that begin as the last one typed. Without any, `matches` is not ours to
        touch: the switch did not initialize it."""
        try:
            found = c_void_p()
            for word in _words.get(name, tuple)():
                without_gil().switch_console_push_match(byref(found), word.encode(errors="replace"))
            if not found.value:
                return FALSE
            matches[0] = found.value
            return SUCCESS
        except Exception:
            log.exception("completion failed")
            return FALSE

    return COMPLETE_FUNCTION(match)
