"""The table of requests, by tag and arity.

A bare atom has arity 0: `getpid` is ("getpid", 0), `{api, Cmd, Args}` is ("api", 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import BadArg, BadOption
from mod_erlang_py.etf import Term, atom_text

from .context import NoReply, ReplyThen, Request, badarg, error

Function: TypeAlias = Callable[[Request], "Term | ReplyThen | NoReply"]


Commands: TypeAlias = Callable[[Request], tuple[str, bytes]]

EACCES = error("eacces")


def _denied(_: Request) -> Term:
    return EACCES


@dataclass(frozen=True, slots=True)
class Entry:
    """run: answers the request; BadArg becomes {error, badarg}.
    family: which a node must be allowed to use (config/rights.py); None for what everyone may ask.
    runs: the API command that it runs, and the arguments; raises as `run` does.
    denied: the answer when it is not allowed.
    urgent: an answer to something that we wait for: it does not wait for its sender's earlier requests.
    public: in any envelope, by gen_server:call and rpc too; else only as a message of its own.
    """

    run: Function
    family: Family | None = None
    runs: Commands | None = None
    denied: Function = _denied
    urgent: bool = False
    public: bool = True


Opened: TypeAlias = tuple[Request, Entry]
"""A request as its sender meant it, and who answers it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message that a request comes in. open: takes it out; raises BadArg."""

    public: ClassVar[bool] = False
    open: Callable[[Request], Opened]


UNKNOWN = Entry(lambda _: error("undef"))
"""Who answers what nobody knows."""


def wrong(why: BadArg) -> Entry:
    """Who answers what is known, but not so."""
    alone = why.with_traceback(None)  # which would keep the message
    return Entry(lambda ask: badarg(ask.context, alone))


_exact: dict[tuple[str, int], Entry | Envelope] = {}
_open: dict[str, tuple[int, Entry]] = {}
_tags: dict[str, str] = {}
"""What is expected of each, where its sender is told."""


def request(
    tag: str,
    *arities: int,
    family: Family | None,
    runs: Commands | None = None,
    denied: Function = _denied,
    or_more: bool = False,
    urgent: bool = False,
    public: bool = True,
    expected: str = "",
) -> Callable[[Function], Function]:
    """Register a function for a tag with these arities; with or_more, for all above the last of them too.

    expected: the forms of a message of ours, for who sends another; mod_erlang_event's are {error, badarg}.
    """

    def register(function: Function) -> Function:
        entry = Entry(function, family, runs, denied, urgent, public)
        for arity in arities:
            _add(tag, arity, entry, expected)
        if or_more:
            _open[tag] = (arities[-1], entry)
        return function

    return register


def envelope(tag: str, arity: int) -> Callable[[Callable[[Request], Opened]], Envelope]:
    """Register a function that opens what comes so."""

    def register(function: Callable[[Request], Opened]) -> Envelope:
        made = Envelope(function)
        _add(tag, arity, made)
        return made

    return register


def _add(tag: str, arity: int, entry: Entry | Envelope, expected: str = "") -> None:
    if (tag, arity) in _exact:
        raise ValueError(f"{tag}/{arity} is registered twice")
    _exact[tag, arity] = entry
    if arity:
        _tags[tag] = expected


def messages() -> list[tuple[str, int]]:
    """What an application may ask, by tag and arity, in order. Of what takes any number of arguments, that with one."""
    public = [key for key, entry in _exact.items() if isinstance(entry, Entry) and entry.public]
    return sorted((tag, 2 if arity == 1 and tag in _open else arity) for tag, arity in public)


def find(term: Term) -> Entry | Envelope | None:
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
    least, open_entry = _open.get(tag, (0, None))
    if open_entry is not None and arity > least:
        return open_entry
    expected = _tags.get(tag)
    if expected is not None:
        raise BadOption(tag, expected) if expected else BadArg(f"{tag}/{arity}")
    return None


def find_public(term: Term) -> Entry | None:
    """The entry for what came in an envelope. As find, but nothing of OTP's own is found, nor another envelope."""
    entry = find(term)
    return entry if isinstance(entry, Entry) and entry.public else None
