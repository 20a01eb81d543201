"""What FreeSWITCH does with a file of XML before it reads it, done with an answer: `$${variable}`, and X-PRE-PROCESS
with `set` (preprocess in switch_xml.c, which mod_xml_curl's answers go through). Nothing that reads files or runs
programs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from mod_erlang_py.xml.limits import BadXml

Variables: TypeAlias = dict[bytes, bytes]
"""Global variables of the switch, by name."""

_ATTRIBUTE = rb"""\b%s\s*=\s*(?:"([^"]*)"|'([^']*)')"""
_COMMAND, _DATA = (re.compile(_ATTRIBUTE % name, re.IGNORECASE) for name in (b"cmd", b"data"))
_VARIABLE = re.compile(rb"\$\$\{([^{}]*)\}")
_EITHER = re.compile(
    _VARIABLE.pattern + rb"""|<X-PRE-PROCESS\b((?:[^<>"']|"[^"]*"|'[^']*')*)>(?:\s*</X-PRE-PROCESS\s*>)?""",
    re.IGNORECASE,
)


def expand(text: bytes, variable: Callable[[bytes], bytes | None], most: int) -> tuple[bytes, Variables]:
    """The text with the values of the variables in it, and those that it sets itself, which count from there on.

    variable: asks the switch; one that it has not is empty. most: bytes of all values that are put in, also into other
    variables, which may double each time. Raises BadXml for more, and for another command than `set`.
    """
    own: Variables = {}
    left = most

    def value(name: bytes) -> bytes:
        nonlocal left
        found = own[name] if name in own else variable(name) or b""
        left -= len(found)
        if left < 0:
            raise BadXml(f"more than {most} bytes with its variables")
        return found

    def replaced(found: re.Match[bytes]) -> bytes:
        if found[1] is not None:
            return value(found[1])
        name, given = _set(found[2])
        own[name] = _VARIABLE.sub(lambda inner: value(inner[1]), given)
        return b""

    return _EITHER.sub(replaced, text), own


def _set(attributes: bytes) -> tuple[bytes, bytes]:
    """Name and value of `cmd="set" data="name=value"`."""
    command, data = (_value(pattern, attributes) for pattern in (_COMMAND, _DATA))
    if command.lower() != b"set":
        raise BadXml(f"X-PRE-PROCESS {command.decode(errors='replace')}: only set is done in an answer")
    name, equals, given = data.partition(b"=")
    if not equals or not name.strip(b" "):
        raise BadXml("X-PRE-PROCESS set: data is name=value")
    return name.rstrip(b" "), given.lstrip(b" ")


def _value(pattern: re.Pattern[bytes], attributes: bytes) -> bytes:
    found = pattern.search(attributes)
    return b"" if found is None else next(one for one in found.groups() if one is not None)
