"""FreeSWITCH's regular expressions, bounded."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial

from mod_erlang_py.errors import SwitchError

from .ffi import without_gil
from .structs import SUCCESS

STEPS = 200_000
"""Steps of PCRE after which a text does not match: 2 ms. A text of 64 KiB takes a search for a word 65,000 of them, for
one of three words 200,000."""

_LIMIT = b"(*LIMIT_MATCH=%d)" % STEPS
_IN_ONE = (_LIMIT + rb"\A(?s:.*?)(?:", b")")
"""PCRE counts anew at each place where a match could begin: 64 KiB of text could take it 65,000 times the limit. So it
is made to begin at the first alone, and to look for the others itself."""
_NOT_IN_ONE = (b"(*", b"(?R", b"(?0", rb"\g")
"""What may speak of the pattern as a whole, and so of what is put before it. Here the limit is that of each place."""


def matcher(expression: bytes) -> Callable[[bytes], bool]:
    """Whether a text matches `/pattern/` with the flags `i` and `s` (switch_regex_match). Raises SwitchError."""
    pattern, slash, flags = expression.removeprefix(b"/").rpartition(b"/")
    if not slash or b"\0" in expression:
        raise SwitchError("switch_regex", f"{expression!r} has no ending /")
    if not _compiles(pattern):
        raise SwitchError("switch_regex_compile", f"{pattern!r} is no regular expression")
    before, after = _IN_ONE
    if any(mark in pattern for mark in _NOT_IN_ONE) or not _compiles(before + pattern + after):
        before, after = _LIMIT, b""
    return partial(_matches, b"/%s%s%s/%s" % (before, pattern, after, flags))


def _matches(expression: bytes, text: bytes) -> bool:
    return bool(without_gil().switch_regex_match(text, expression) == SUCCESS)


def _compiles(pattern: bytes) -> bool:
    """switch_regex_compile takes pointers of other types in FreeSWITCH 1.10 than in 1.11; there is room for both."""
    first, second = ctypes.c_uint64(), ctypes.c_uint64()
    compiled = without_gil().switch_regex_compile(pattern, 0, ctypes.byref(first), ctypes.byref(second), None)
    if not compiled:
        return False
    without_gil().switch_regex_free(compiled)
    return True
