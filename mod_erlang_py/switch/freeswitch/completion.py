"""What TAB offers in fs_cli and on the console."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from ctypes import byref, c_void_p
from typing import Any

from mod_erlang_py.switch.port import Completion

from .ffi import COMPLETE_FUNCTION, FALSE, SUCCESS, lib, quick

log = logging.getLogger(__name__)

SCF_SHUTTING_DOWN = 1 << 3
"""switch_core_flag_enum_t; the same since 2011."""

_given_to_c: list[Any] = []
"""Never let go of: the switch may be on its way into a function that was just taken back."""


def add(command: bytes, completion: Completion) -> None:
    """command: the API command that the lines follow."""
    for name, words in completion.lists.items():
        function = COMPLETE_FUNCTION(_matcher(words))
        _given_to_c.append(function)
        lib().switch_console_add_complete_func(name.encode(), function)
    for line in completion.lines:
        lib().switch_console_set_complete(b"add %s %s" % (command, line.encode()))


def remove(command: bytes, completion: Completion) -> None:
    """Waits for a function of ours that is being asked just now.

    Not while the switch shuts down: a module made from Python goes last, after the database that keeps the lines.
    """
    if lib().switch_core_flags() & SCF_SHUTTING_DOWN:
        return
    lib().switch_console_set_complete(b"del %s" % command)
    for name in completion.lists:
        lib().switch_console_del_complete_func(name.encode())


def _matcher(words: Callable[[], Iterable[str]]) -> Callable[[bytes | None, bytes | None, Any], int]:
    def match(_line: bytes | None, _word: bytes | None, matches: Any) -> int:
        """All words; the switch takes those that begin as the last one typed. Without any, `matches` is not ours to
        touch: the switch did not initialize it."""
        try:
            found = c_void_p()
            for word in words():
                quick().switch_console_push_match(byref(found), word.encode(errors="replace"))
            if not found.value:
                return FALSE
            matches[0] = found.value
            return SUCCESS
        except Exception:
            log.exception("completion failed")
            return FALSE

    return match
