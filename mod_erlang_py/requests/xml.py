"""XML look-ups: who answers them, and the answers (handle_msg_bind, handle_msg_fetch_reply)."""

from __future__ import annotations

import logging
from functools import partial

from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import BadArg, NotText
from mod_erlang_py.etf import Atom, Term, atom_text, text
from mod_erlang_py.log_lines import about
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Section
from mod_erlang_py.xml.fetches import Verdict
from mod_erlang_py.xml.limits import BadXml

from .context import ERROR, OK, Request, error
from .registry import request

log = logging.getLogger(__name__)

UNREADABLE: Term = ()
"""In the place of an answer that is none, or that nobody could read."""


@request("bind", 2, family=Family.FETCH, or_more=True)
def bind(ask: Request) -> Term:
    """`{bind, Section}`: the sender answers the look-ups of these sections; it is linked."""
    if ask.sender is None:
        raise BadArg("who is bound is a process")
    sections = _sections(ask.term[1])
    register = partial(ask.context.fetches.bind, ask.link, ask.sender, sections)
    ask.context.watching.register(Target(ask.link, ask.sender), register)
    return OK


@request("unbind", 2, family=Family.FETCH)
def unbind(ask: Request) -> Term:
    """`{unbind, Section}`, `{unbind, all}`: no more. Ours."""
    sections = None if atom_text(ask.term[1]) == "all" else _sections(ask.term[1])
    if ask.sender is not None:
        ask.context.fetches.unbind(ask.sender, sections)
    return OK


def _sections(term: Term) -> Section:
    sections = Section.parse(atom_text(term) or "")
    if not sections:
        raise BadArg("no such section")
    return sections


def _denied(ask: Request) -> Term:
    return (ERROR, ask.context.text(text(ask.term[1])), Atom("eacces"))


@request("fetch_reply", 2, 3, family=Family.FETCH, denied=_denied, or_more=True, urgent=True)
def fetch_reply(ask: Request) -> Term:
    """`{fetch_reply, FetchID, Xml}`: `{ok, FetchID}`, or why it does not count. With another Xml than a text, or none,
    `{error, badarg}`; the sender has had its turn then too."""
    _, fetch_id, *rest = ask.term
    identifier = text(fetch_id)
    name, shown = identifier.decode(errors="replace"), ask.context.text(identifier)
    fetches = ask.context.fetches
    try:
        answer = text(rest[0] if rest else UNREADABLE)
    except NotText:
        fetches.unreadable(name, ask.link, ask.sender)
        raise
    try:
        verdict = fetches.reply(name, ask.link, ask.sender, answer)
    except BadXml as bad:
        log.error("%s: XML of %s for %s refused: %s", ask.link.name, ask.sender, name, bad, extra=about(ask.link.name))
        return (ERROR, shown, (Atom("bad_xml"), ask.context.text(str(bad).encode())))
    match verdict:
        case Verdict.TAKEN:
            return (OK, shown)
        case Verdict.DUPLICATE:
            return (ERROR, shown, Atom("duplicate_response"))
    return error("invalid_uuid")
