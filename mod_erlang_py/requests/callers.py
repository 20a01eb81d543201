"""Who asked in an envelope, and what becomes of the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from mod_erlang_py.errors import BadArg, TermError
from mod_erlang_py.etf import List, Pid, Reference, Term, atom_text, memory
from mod_erlang_py.etf.show import show
from mod_erlang_py.log_lines import about
from mod_erlang_py.node.link import Link

from . import bounds
from .context import Request, is_error
from .registry import EACCES

log = logging.getLogger(__name__)

SHOWN = 200
"""Characters of a cast, and of what came of it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who waits for `{Tag, Answer}`. link: to his node. tag: whatever it is, it goes back as it came. gave_up: whether
    it is known that he no longer waits."""

    link: Link
    pid: Pid
    tag: Term
    gave_up: Callable[[], bool]

    @classmethod
    def of(cls, ask: Request, pid: Term, tag: Term) -> Caller:
        """Raises BadArg for what is no pid, or one of a node without a link."""
        caller = Pid.of(pid)
        link = ask.context.node.link_to(caller.node) if caller is not None else None
        if caller is None or link is None:
            raise BadArg("who calls is a process of a node that is connected")
        if memory(tag) > bounds.MAX_TAG:
            raise BadArg("a tag is a reference, or what has one")
        return cls(link, caller, tag, _gave_up(ask, link, caller, tag))

    def answer(self, term: Term) -> None:
        """To the alias that the tag has (gen:reply/2): one that comes too late reaches nobody."""
        alias = self._alias()
        if alias is None and self.gave_up():
            return
        try:
            self.link.send(alias or self.pid, (self.tag, term))
        except TermError as wrong:
            log.error(
                "%s: a reply to %s cannot be encoded: %s", self.link.name, self.pid, wrong, extra=about(self.link.name)
            )

    def _alias(self) -> Reference | None:
        alias = _alias(self.tag) if self.link.knows_aliases else None
        return alias if alias is not None and alias.node == self.link.name else None


def _alias(tag: Term) -> Reference | None:
    """Of `[alias | Ref]`, and of `[[alias | Ref] | _]`."""
    if isinstance(tag, list) and tag:
        tag = tag[0]
    elif isinstance(tag, List) and isinstance(tag.value[0], List):
        tag = tag.value[0]
    match tag:
        case List(value=[name, reference]) if atom_text(name) == "alias":
            return Reference.of(reference)
    return None


def _gave_up(ask: Request, link: Link, pid: Pid, tag: Term) -> Callable[[], bool]:
    """Before OTP 24 there are no aliases; the tag is the reference of the monitor that the caller has as long as he
    waits."""
    reference, processes, to = Reference.of(tag), ask.context.node.processes, ask.to  # of `ask` nothing else is kept
    if reference is None or not processes.stands(link, pid, to, reference):
        return lambda: False
    return lambda: not processes.stands(link, pid, to, reference)


@dataclass(frozen=True, slots=True)
class Nobody:
    """Nobody waits: a cast. pid: who made it. shown: what it was."""

    link: Link
    pid: Pid | None
    shown: str

    @classmethod
    def of(cls, link: Link, pid: Pid | None, term: Term) -> Nobody:
        """The term, which may be big, is not kept: an answer may come late."""
        return cls(link, pid, show(term, SHOWN))

    def answer(self, term: Term) -> None:
        """What only the operator can hear of, unless he has."""
        if is_error(term) and term is not EACCES:
            log.warning(
                "%s: cast by %s: %s: %s",
                self.link.name,
                self.pid,
                self.shown,
                show(term, SHOWN),
                extra=about(self.link.name),
            )
