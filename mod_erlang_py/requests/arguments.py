"""The arguments of requests: texts, headers, names, UUIDs. What cannot be used raises BadArg or NotText."""

from __future__ import annotations

from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Term, text

MAX_UUID = 256
"""SWITCH_UUID_FORMATTED_LENGTH: the longest, in bytes, that the switch keeps. Most have 36."""


def c_text(term: Term) -> bytes:
    """A text for the switch, to which a NUL would be its end."""
    value = text(term)
    if b"\0" in value:
        raise BadArg("NUL in a text")
    return value


def name(term: Term) -> str:
    """A name, in UTF-8: an atom, or another text."""
    try:
        return c_text(term).decode()
    except UnicodeDecodeError:
        raise BadArg("a name is UTF-8") from None


def uuid(term: Term) -> str:
    """What may be the UUID of a call or a job: the switch takes any text for one."""
    found = name(term)
    if len(found.encode()) > MAX_UUID:
        raise BadArg("too long for a UUID")
    return found


def headers(term: Term) -> list[tuple[bytes, bytes]]:
    """The texts of a list of `{Key, Value}`; a value may be an integer too."""
    if not isinstance(term, list):
        raise BadArg("headers are a list")
    made = []
    for one in term:
        if not isinstance(one, tuple) or len(one) != 2:
            raise BadArg("a header is {Key, Value}")
        key, value = one
        number = isinstance(value, int) and not isinstance(value, bool)
        made.append((c_text(key), b"%d" % value if number else c_text(value)))
    return made
