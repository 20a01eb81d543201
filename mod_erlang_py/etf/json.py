"""JSON, as FreeSWITCH writes and reads it, and terms.

    JSON                    Erlang
    object                  map, its keys binaries
    array                   list
    string                  binary
    number                  integer or float
    true, false, null       the atoms

A term may have other texts in their places: a string, an atom. `undefined`, and Elixir's `nil`, are null, too.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from mod_erlang_py.errors import NotJson, NotText

from .guard import LIMITS
from .terms import Atom, Binary, Term, atom_text, text

MAX_BYTES = 8 * 1024 * 1024
"""Of a text, while which is read nothing else of Python runs."""
MAX_DEPTH = LIMITS.depth - 4
"""Levels; the term goes into others."""

NULL = Atom("null")


def term(source: bytes) -> Term:
    """The text as a term. Its bytes need not be UTF-8. Raises NotJson for what is none, or too much."""
    if len(source) > MAX_BYTES:
        raise NotJson(f"over {MAX_BYTES} bytes")
    try:
        found = json.loads(
            source.decode("utf-8", "surrogateescape"),
            object_pairs_hook=lambda pairs: {_binary(key): _term(value) for key, value in pairs},
            parse_constant=_refused,
            parse_float=_float,
        )
        made = _term(found)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None
    if _levels(made) > MAX_DEPTH:
        raise NotJson(f"over {MAX_DEPTH} levels")
    return made


def _term(value: Any) -> Term:
    """What is in objects is a term already."""
    if isinstance(value, str):
        return _binary(value)
    if isinstance(value, list):
        return list(map(_term, value))
    return NULL if value is None else value


def _binary(value: str) -> Binary:
    try:
        return Binary(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # half a character, which JSON can write
        return Binary(value.encode("utf-8", "replace"))


def _float(digits: str) -> float:
    value = float(digits)
    return value if isfinite(value) else _refused(digits)


def _refused(what: str) -> Any:
    raise ValueError(f"{what} is no number")


def _levels(made: Term) -> int:
    levels, level = 0, [made]
    while level:
        levels += 1
        level = [inner for one in level if isinstance(one, list | dict) for inner in _inside(one)]
    return levels


def _inside(container: list[Term] | dict[Term, Term]) -> Any:
    return container if isinstance(container, list) else container.values()


def source(made: Term) -> bytes:
    """The term as a text. Raises NotJson for what has none."""
    try:
        return json.dumps(_value(made), ensure_ascii=False, separators=(",", ":")).encode()
    except (NotText, UnicodeError, RecursionError) as error:
        raise NotJson(str(error)) from None


def _value(made: Term) -> Any:
    if isinstance(made, dict):
        return {_name(key): _value(value) for key, value in made.items()}
    if isinstance(made, list):
        return list(map(_value, made))
    if made is None or atom_text(made) in ("null", "nil"):
        return None
    if isinstance(made, bool | int | float):
        return made
    return text(made).decode()


def _name(key: Term) -> str:
    return str(key) if type(key) is int else text(key).decode()
