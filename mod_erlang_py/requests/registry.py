"""The table of requests, by tag and arity.

A bare atom has arity 0: `getpid` is ("getpid", 0), `{api, Cmd, Args}` is ("api", 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Term, atom_text

from .context import NoReply, ReplyThen, Request

Function: TypeAlias = Callable[[Request], "Term | ReplyThen | NoReply"]


@dataclass(frozen=True, slots=True)
class Entry:
    """run: answers the request; BadArg becomes {error, badarg}.
    urgent: an answer to something that we wait for: it does not wait for its sender's earlier requests.
    """

    run: Function
    urgent: bool = False


_exact: dict[tuple[str, int], Entry] = {}
_open: dict[str, tuple[int, Entry]] = {}
_tags: set[str] = set()


def request(tag: str, *arities: int, or_more: bool = False, urgent: bool = False) -> Callable[[Function], Function]:
    """Register a function for a tag with these arities; with or_more, for all above the last of them too."""

    def register(function: Function) -> Function:
        entry = Entry(function, urgent)
        for arity in arities:
            if (tag, arity) in _exact:
                raise ValueError(f"{tag}/{arity} is registered twice")
            _exact[tag, arity] = entry
        if or_more:
            _open[tag] = (arities[-1], entry)
        if any(arities):
            _tags.add(tag)
        return function

    return register


def find(term: Term) -> Entry | None:
    """The entry for a message; None for one that nobody knows. Raises BadArg for a known tag of another arity."""
    if isinstance(term, tuple):
        if not term:
            return None
        tag, arity = atom_text(term[0]), len(term)
    else:
        tag, arity = atom_text(term), 0
    if tag is None:
        return None
    entry = _exact.get((tag, arity))
    if entry is not None or arity == 0:
        return entry
    least, entry = _open.get(tag, (0, None))
    if entry is not None and arity > least:
        return entry
    if tag in _tags:
        raise BadArg(f"{tag}/{arity}")
    return None
