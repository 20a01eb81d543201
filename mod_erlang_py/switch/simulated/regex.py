"""Regular expressions written as FreeSWITCH's switch_regex takes them, matched by Python's `re`."""

from __future__ import annotations

import re
from collections.abc import Callable

from mod_erlang_py.errors import SwitchError

_FLAGS = {"i": re.IGNORECASE, "s": re.DOTALL}


def matcher(expression: bytes) -> Callable[[bytes], bool]:
    """Whether a text has a match for `/pattern/`, with i or s behind it as options, or for `pattern`.

    Raises SwitchError for what is no regular expression, or one of PCRE's that Python does not know.
    """
    compiled = compile_expression(expression)
    return lambda text: compiled.search(text) is not None


def compile_expression(expression: bytes) -> re.Pattern[bytes]:
    """Of the same form. Raises SwitchError."""
    pattern, options = expression, ""
    if expression.startswith(b"/"):
        pattern, slash, behind = expression[1:].rpartition(b"/")
        if not slash:
            raise SwitchError("switch_regex", f"{expression!r} has no ending /")
        options = behind.decode("ascii", "replace")
    flags = re.RegexFlag(0)
    for option in options:
        flags |= _FLAGS.get(option, 0)
    try:
        return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise SwitchError("switch_regex", f"{pattern!r}: {error}") from error
