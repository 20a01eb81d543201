"""Terms as text, as `~w` and `~p` of Erlang's io_lib would show them; for the log."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .terms import Binary, Function, List, Pid, Port, Reference, Term, atom_text

LIMIT = 2000
"""Characters that are shown of a term."""

_PLAIN_ATOM = re.compile(r"[a-z][a-zA-Z0-9_@]*\Z")


def show(term: Term, limit: int = LIMIT) -> str:
    """The term in Erlang's syntax, cut with "…" where it would be longer. Does not recurse."""
    text = ""
    for piece in _pieces(term):
        text += piece
        if len(text) > limit:
            return text[:limit] + "…"
    return text


def _pieces(term: Term) -> Iterator[str]:
    """The text in pieces. The stack holds what is still to be shown: terms, and the text between them."""
    stack: list[tuple[bool, Term]] = [(True, term)]
    while stack:
        is_term, one = stack.pop()
        if not is_term:
            yield one
            continue
        match one:
            case tuple():
                _push(stack, "{", list(one), "}")
            case list():
                _push(stack, "[", one, "]")
            case List():
                tail = [one.value[-1]] if one.improper else []
                _push(stack, "[", one.value[:-1] if one.improper else one.value, "]", tail)
            case dict():
                yield "#{"
                stack.append((False, "}"))
                for index, (key, value) in reversed(list(enumerate(one.items()))):
                    stack += [(True, value), (False, " => "), (True, key)]
                    if index:
                        stack.append((False, ","))
            case _:
                yield _leaf(one)


def _push(stack: list[tuple[bool, Term]], opening: str, elements: list[Term], closing: str, tail: Term = ()) -> None:
    stack.append((False, closing))
    for element in tail:
        stack += [(True, element), (False, "|")]
    for index, element in reversed(list(enumerate(elements))):
        stack.append((True, element))
        if index:
            stack.append((False, ","))
    stack.append((False, opening))


def _leaf(term: Term) -> str:
    atom = atom_text(term)
    if atom is not None:
        return atom if _PLAIN_ATOM.match(atom) else "'" + _escaped(atom, "'") + "'"
    if isinstance(term, bytes):
        return '"' + _escaped(term.decode(errors="backslashreplace"), '"') + '"'
    if isinstance(term, Binary):
        return '<<"' + _escaped(term.value.decode(errors="backslashreplace"), '"') + '">>'
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


def _escaped(text: str, quote: str) -> str:
    return text.replace("\\", "\\\\").replace(quote, "\\" + quote).replace("\n", "\\n").replace("\r", "\\r")
