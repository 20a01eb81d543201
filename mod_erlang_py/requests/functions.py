"""The functions that rpc and erpc can call. There are no others, and none of them is Python's.

`freeswitch:F(A1, …, An)` is the request `{F, A1, …, An}`, and `freeswitch:F()` the request `F`, or `{F}`. Of Erlang's
own there are those that tell of the node, of its one process, which is alive and has every name, and of its one module.
"""

from __future__ import annotations

from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Atom, Pid, Term, atom_text

from .context import ERROR, Request
from .registry import Entry, find_public

MODULE = "freeswitch"


def find(module: str, function: str, arguments: list[Term]) -> tuple[Term, Entry] | None:
    """The request that a call of the function is, and its entry; None when there is no such function."""
    whole = (Atom(function), *arguments)
    if module != MODULE:
        known = _ERLANG.get((module, function, len(arguments)))
        return None if known is None else (whole, known)
    for term in [whole] if arguments else [whole[0], whole]:
        try:
            entry = find_public(term)
        except BadArg:  # of another arity
            entry = None
        if entry is not None:
            return term, entry
    return None


def _node(ask: Request) -> Term:
    return Atom(ask.link.local.node)


def _whereis(ask: Request) -> Term:
    return ask.link.local if atom_text(ask.term[1]) is not None else None


def _is_process_alive(ask: Request) -> Term:
    return Pid.of(ask.term[1]) == ask.link.local


def _ensure_loaded(ask: Request) -> Term:
    """A remote shell asks for `shell`, observer for what it needs."""
    module = ask.term[1]
    return (Atom("module"), module) if atom_text(module) == MODULE else (ERROR, Atom("nofile"))


_ERLANG = {
    ("erlang", "node", 0): Entry(_node),
    ("erlang", "whereis", 1): Entry(_whereis),
    ("erlang", "is_process_alive", 1): Entry(_is_process_alive),
    ("code", "ensure_loaded", 1): Entry(_ensure_loaded),
}
