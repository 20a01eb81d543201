"""FreeSWITCH's regular expressions."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from mod_erlang_py.errors import SwitchError

from .ffi import SUCCESS, quick


def matcher(expression: bytes) -> Callable[[bytes], bool]:
    """Whether a text matches `/pattern/` with the flags `i` and `s` (switch_regex_match). Raises SwitchError.

    Compiled here only to find out whether it can be: switch_regex_compile takes pointers of other types in FreeSWITCH
    1.10 than in 1.11, and is given room for both.
    """
    pattern, slash, _ = expression.removeprefix(b"/").rpartition(b"/")
    if not slash:
        raise SwitchError("switch_regex", f"{expression!r} has no ending /")
    first, second = ctypes.c_uint64(), ctypes.c_uint64()
    compiled = quick().switch_regex_compile(pattern, 0, ctypes.byref(first), ctypes.byref(second), None)
    if not compiled:
        raise SwitchError("switch_regex_compile", f"{pattern!r} is no regular expression")
    quick().switch_regex_free(compiled)
    match = quick().switch_regex_match
    return lambda text: bool(match(text, expression) == SUCCESS)
