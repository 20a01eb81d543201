"""The arguments of requests: texts, headers, names, UUIDs. What cannot be used raises BadArg or NotText, what is too
much of it TooMuch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mod_erlang_py.errors import BadArg, BadOption, NotText
from mod_erlang_py.etf import Term, atom_text, text
from mod_erlang_py.etf.show import show

from . import bounds

MAX_UUID = 256
"""SWITCH_UUID_FORMATTED_LENGTH: the longest, in bytes, that the switch keeps. Most have 36."""
UUID = f"a text of up to {MAX_UUID} bytes"

T = TypeVar("T")


def c_text(term: Term) -> bytes:
    """A text for the switch, to which a NUL would be its end."""
    value = bounds.size("a text", text(term), bounds.MAX_TEXT)
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


def said(what: str, expected: str, read: Callable[[Term], T], term: Term) -> T:
    """What one of these reads; who sends something else is told what was expected. Raises BadOption."""
    try:
        return read(term)
    except BadOption:  # which says it already
        raise
    except (BadArg, NotText):
        raise BadOption(what, expected) from None


def headers(term: Term) -> list[tuple[bytes, bytes]]:
    """The texts of a list of `{Key, Value}`; a value may be an integer too."""
    if not isinstance(term, list):
        raise BadArg("headers are a list")
    bounds.count("headers", term, bounds.MAX_HEADERS)
    weighing = bounds.Weighing()
    made = []
    for one in term:
        if not isinstance(one, tuple) or len(one) != 2:
            raise BadArg("a header is {Key, Value}")
        key, value = one
        number = isinstance(value, int) and not isinstance(value, bool)
        header = c_text(key), b"%d" % value if number else c_text(value)
        weighing.add(*header)
        made.append(header)
    return made


def options(term: Term, readers: Mapping[str, Callable[[Term], Any]]) -> dict[str, Any]:
    """What the readers make of the options of a map or a proplist, in which an atom alone is true. Of a name given
    twice in a proplist the first counts, as `proplists:get_value` has it. Raises BadOption.

    readers: by the options' names; each raises ValueError, with what it expected.
    """
    if isinstance(term, list | dict):
        bounds.count("options", term, bounds.MAX_OPTIONS)
    if isinstance(term, dict):
        pairs = list(term.items())
    elif isinstance(term, list):
        pairs = [one if isinstance(one, tuple) and len(one) == 2 else (one, True) for one in reversed(term)]
    else:
        raise BadOption("options", "a map or a list")
    found = {}
    for key, value in pairs:
        name = atom_text(key) or show(key, 100)
        if name not in readers:
            raise BadOption(name, f"one of {', '.join(readers)}")
        try:
            found[name] = readers[name](value)
        except ValueError as error:
            raise BadOption(name, str(error)) from None
    return found
