"""Whether a node may ask for what it asks for. The dispatcher looks here, before every request."""

from __future__ import annotations

import logging

from mod_erlang_py.config.rights import Family, Rights
from mod_erlang_py.etf.show import show
from mod_erlang_py.log_lines import about
from mod_erlang_py.node.link import Link

from .context import Context, Request
from .registry import Entry

log = logging.getLogger(__name__)

INDIRECT = frozenset(
    {"bgapi", "expand", "json", "sched_api", "xml_wrap"}
    | {"basic", "jsapi", "jsrun", "lua", "luarun", "managed", "managedrun", "perl", "perlrun", "pyrun", "python"}
)
"""FreeSWITCH's commands that run whatever command, or code, stands in their arguments."""


def refuses(rights: Rights, command: str, arguments: bytes) -> str | None:
    """Why this API command may not run; None when it may."""
    return rights.refuses_command(command, arguments, command.strip().lower() in INDIRECT)


def denies(link: Link, ask: Request, entry: Entry) -> bool:
    """link: by which the request came, whoever it is answered to. What is denied is counted and logged. Raises as
    entry.runs."""
    if entry.family is None:
        return False
    rights = ask.context.node.config.rights_of(link.name)
    why = rights.refuses(entry.family)
    if why is None and entry.runs is not None:
        why = refuses(rights, *entry.runs(ask))
    if why is None:
        return False
    link.denied += 1
    log.warning("%s: %s may not %s: %s", link.name, ask.sender, show(ask.term, 200), why, extra=about(link.name))
    return True


def withdraw(context: Context, link: Link) -> None:
    """End what the node gets without asking, where it may not ask for it any more. Calls stay in its hands."""
    rights = context.node.config.rights_of(link.name)
    if Family.EVENTS not in rights.families:
        context.event_handlers.noevents(link)
        for own in context.own_subscriptions.of(link):
            context.own_subscriptions.end(own)
    if Family.LOGS not in rights.families:
        context.logs.nolog(link)
    if Family.FETCH not in rights.families:
        context.fetches.unbind_all(link)
