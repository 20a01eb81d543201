"""Terms as text, as `~w` and `~p` of Erlang's io_lib would show them; for the log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .terms import Binary, Function, List, Pid, Port, Reference, Term, atom_text

LIMIT = 2000
"""Characters that are shown of a term."""

_PLAIN_ATOM = re.compile(r"[a-z][a-zA-Z0-9_@]*\Z")


def show(term: Term, limit: int = LIMIT) -> str:
    """The term in Erlang's syntax, cut with "…" where it would be longer. Does not recurse."""
    text = ""
    for piece in _pieces(term, limit):
        text += piece
        if len(text) > limit:
            return text[:limit] + "…"
    return text


def _pieces(term: Term, limit: int) -> Iterator[str]:
    """The text in pieces. The stack holds what is still to be shown of the terms that are open; nothing is looked at
    before its turn, since a term may have a million elements of which a few are shown."""
    stack: list[Iterator[_Piece]] = [iter([_Piece(term=term)])]
    while stack:
        one = next(stack[-1], None)
        if one is None:
            stack.pop()
        elif one.text:
            yield one.text
        else:
            opened = _opened(one.term)
            if opened is None:
                yield _leaf(one.term, limit)
            else:
                stack.append(opened)


class _Piece(NamedTuple):
    """A text, or else a term that is to be shown."""

    text: str = ""
    term: Term = None


def _opened(term: Term) -> Iterator[_Piece] | None:
    match term:
        case tuple():
            return _sequence("{", term, "}")
        case list():
            return _sequence("[", term, "]")
        case List():
            return _sequence("[", term.value, "]", term.improper)
        case dict():
            return _map(term)
    return None


def _sequence(opening: str, elements: Sequence[Term], closing: str, improper: bool = False) -> Iterator[_Piece]:
    yield _Piece(opening)
    last = len(elements) - 1
    for index, element in enumerate(elements):
        if index:
            yield _Piece("|" if improper and index == last else ",")
        yield _Piece(term=element)
    yield _Piece(closing)


def _map(pairs: dict[Term, Term]) -> Iterator[_Piece]:
    yield _Piece("#{")
    for index, (key, value) in enumerate(pairs.items()):
        if index:
            yield _Piece(",")
        yield _Piece(term=key)
        yield _Piece(" => ")
        yield _Piece(term=value)
    yield _Piece("}")


def _leaf(term: Term, limit: int) -> str:
    """limit: characters that may be shown of it; with one more it is seen that it was longer."""
    atom = atom_text(term)
    if atom is not None:
        return atom if _PLAIN_ATOM.match(atom) else "'" + _escaped(atom, "'") + "'"
    if isinstance(term, bytes):
        return '"' + _escaped(_text(term, limit), '"') + '"'
    if isinstance(term, Binary):
        return '<<"' + _escaped(_text(term.value, limit), '"') + '">>'
    pid = Pid.of(term)
    if pid is not None:
        return str(pid)
    reference = Reference.of(term)
    if reference is not None:
        return "#Ref<" + ".".join(map(str, (reference.node, *reference.ids))) + ">"
    if isinstance(term, Port):
        return "#Port<…>"
    if isinstance(term, Function):
        return "#Fun<…>"
    return str(term)


def _text(text: bytes, limit: int) -> str:
    return text[: 4 * limit].decode(errors="backslashreplace")  # UTF-8 has four bytes for a character at most


def _escaped(text: str, quote: str) -> str:
    return text.replace("\\", "\\\\").replace(quote, "\\" + quote).replace("\n", "\\n").replace("\r", "\\r")
