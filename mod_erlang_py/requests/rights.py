"""Whether a node may ask for what it asks for. The dispatcher looks here, before every request."""

from __future__ import annotations

import logging

from mod_erlang_py.config.rights import Family, Rights
from mod_erlang_py.etf import Term
from mod_erlang_py.etf.show import show
from mod_erlang_py.log_lines import about
from mod_erlang_py.node.link import Link

from .context import Context, NoReply, ReplyThen, Request
from .registry import Entry

log = logging.getLogger(__name__)

INDIRECT = frozenset(
    {"bgapi", "chat", "expand", "json", "sched_api", "single_esl", "xml_wrap"}
    | {"basic", "jsapi", "jsrun", "lua", "luarun", "managed", "managedrun", "perl", "perlrun", "pyrun", "python"}
)
"""FreeSWITCH's commands that run whatever command, or code, stands in their arguments."""


def refuses(rights: Rights, command: str, arguments: bytes) -> str | None:
    """Why this API command may not run; None when it may."""
    return rights.refuses_command(command, arguments, command.strip().lower() in INDIRECT)


def run(ask: Request, entry: Entry) -> Term | ReplyThen | NoReply:
    """Run a request, if its node may ask for it; what is denied is counted and logged. Raises as the entry's
    functions."""
    config, link = ask.context.node.config, ask.by
    why = None if entry.family is None else _refused(config.rights_of(link.name), ask, entry, entry.family)
    if why is not None:
        link.denied += 1
        log.warning("%s: %s may not %s: %s", link.name, ask.sender, show(ask.term, 200), why, extra=about(link.name))
        return entry.denied(ask)
    answer = entry.run(ask)
    if ask.context.node.config is not config:  # it was withdrawn, perhaps, before there was anything to withdraw
        withdraw(ask.context)
    return answer


def _refused(rights: Rights, ask: Request, entry: Entry, family: Family) -> str | None:
    why = rights.refuses(family)
    if why is not None or entry.runs is None or not rights.has_patterns:
        return why  # what a command is costs a request more than all the rest of its rights
    return refuses(rights, *entry.runs(ask))


def withdraw(context: Context) -> None:
    """End what nodes get without asking, where they may not ask for it any more. Calls stay in their hands."""
    for link in context.node.links():
        _withdraw(context, link)


def _withdraw(context: Context, link: Link) -> None:
    rights = context.node.config.rights_of(link.name)
    if Family.EVENTS not in rights.families:
        context.event_handlers.noevents(link)
        for own in context.own_subscriptions.of(link):
            context.own_subscriptions.end(own)
    if Family.LOGS not in rights.families:
        context.logs.nolog(link)
    if Family.FETCH not in rights.families:
        context.fetches.unbind_all(link)
