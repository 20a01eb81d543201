"""`erlang listeners`, `sessions`, `handlers`, `bindings`. The texts are mod_erlang_event's (erlang_cmd)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mod_erlang_py.etf.show import show
from mod_erlang_py.events.flow import Flow
from mod_erlang_py.events.interest import NOTHING, Interest
from mod_erlang_py.events.own_subscriptions import OwnSubscription
from mod_erlang_py.figures import figures
from mod_erlang_py.figures.figures import Listener
from mod_erlang_py.node.link import Link
from mod_erlang_py.requests.context import Context
from mod_erlang_py.switch.port import CUSTOM, Section

from .links import find
from .printout import Printout, failed, usage


def listeners(context: Context, _: Sequence[str]) -> Printout:
    """A line for each link."""
    found = figures.listeners(context)
    text = "".join(map(_listener, found)) or "No active listeners\n"
    return Printout(text, {"listeners": [asdict(one) for one in found]})


def _listener(one: Listener) -> str:
    return (
        f"Listener to {one.node} with outbound sessions: {one.calls}"
        f" events: {one.events.sent} (lost:{one.events.lost}) logs: {one.log_lines.sent} (lost:{one.log_lines.lost})"
        f" {one.creates}/{one.hangups}\n"
    )


def sessions(context: Context, arguments: Sequence[str]) -> Printout:
    """A line for each call that processes of a node have."""
    if len(arguments) != 1:
        return usage()
    link = find(context, arguments[0])
    if link is None:
        return failed(f"Could not find a listener for {arguments[0]}\n")
    found = [{"uuid": uuid, "state": _state(context, uuid)} for uuid in context.calls.of(link)]
    lines = [f"Outbound session for {one['uuid']} in state {one['state']}\n" for one in found]
    text = "".join(lines) or f"No active sessions for {arguments[0]}\n"
    return Printout(text, {"node": link.name, "sessions": found})


def _state(context: Context, uuid: str) -> str:
    with context.switch.locate(uuid, ended=True) as session:
        return session.state() if session is not None else "CS_DESTROY"


def bindings(context: Context, _: Sequence[str]) -> Printout:
    """A line for each section that a process is bound to."""
    found = [
        {"node": pid.node, "pid": str(pid), "section": SECTIONS[section]}
        for pid, sections in context.fetches.bindings()
        for section in Section
        if section in sections
    ]
    text = "".join(f"{one['node']} {one['section']}\n" for one in found) or "No bindings\n"
    return Printout(text, {"bindings": found})


SECTIONS = {section: (section.name or "").lower() for section in Section} | {Section.LANGUAGES: "phrases"}


def handlers(context: Context, _: Sequence[str]) -> Printout:
    """For each link its event names, and the subclasses of CUSTOM; then the subscriptions that its processes get."""
    found = [_handler(context, link) for link in context.node.links()]
    return Printout("".join(map(_handler_text, found)) or "No active handlers\n", {"handlers": found})


def _handler(context: Context, link: Link) -> dict[str, Any]:
    handler = context.event_handlers.of(link)
    wanted = NOTHING if handler is None else handler.interest
    return {
        "node": link.name,
        "pid": None if handler is None or handler.target is None else str(handler.target.to),
        "events": _events(context, wanted),
        "subclasses": _subclasses(wanted),
        "subscriptions": [_subscription(context, own) for own in context.own_subscriptions.of(link)],
    }


def _events(context: Context, wanted: Interest) -> list[str]:
    return [name for name in context.switch.event_types() if name != CUSTOM and wanted.wants(name, None)]


def _subclasses(wanted: Interest) -> list[str]:
    return sorted(subclass.decode(errors="replace") for subclass in wanted.subclasses)


def _subscription(context: Context, own: OwnSubscription) -> dict[str, Any]:
    options, flow = own.options, own.flow
    return {
        "reference": show(own.reference),
        "owner": str(own.owner),
        "to": str(own.target.to),
        "events": ["ALL"] if options.interest.everything else _events(context, options.interest),
        "subclasses": _subclasses(options.interest),
        "uuid": None if options.call is None else options.call.decode(errors="replace"),
        "filter": [b" ".join(one.words).decode(errors="replace") for one in options.filters],
        "headers": None
        if options.choice is None
        else [one.decode(errors="replace") for one in options.choice.patterns],
        "format": options.format.value,
        "encoding": options.form.value,
        "ack": None if flow is None else _flow(flow),
    }


def _flow(flow: Flow) -> dict[str, int]:
    """held: that wait. lost: for want of room."""
    return {
        "window": flow.window,
        "unacknowledged": flow.unacknowledged,
        "held": flow.waiting,
        "lost": flow.lost,
    }


def _handler_text(one: dict[str, Any]) -> str:
    subclasses = [f"\t{subclass}" for subclass in one["subclasses"]]
    lines = [f"Listener {one['node']}:", "-" * 32, *one["events"], "CUSTOM:", *subclasses]
    if one["subscriptions"]:
        lines += ["SUBSCRIPTIONS:", *map(_subscription_text, one["subscriptions"])]
    return "\n".join(lines) + "\n\n"


def _subscription_text(one: dict[str, Any]) -> str:
    """A line: what it is, what it gets, and what there is to say beyond."""
    words = [one["reference"], "to", one["to"], " ".join([*one["events"], *one["subclasses"]])]
    if one["uuid"] is not None:
        words.append(f"uuid {one['uuid']}")
    if one["ack"] is not None:
        words.append("ack {window}: {unacknowledged} unacknowledged, {held} held, {lost} lost".format(**one["ack"]))
    return "\t" + " ".join(words)
