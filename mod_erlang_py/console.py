"""The API command `erlang`: what an operator asks in fs_cli. Formats are mod_erlang_event's (erlang_cmd)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mod_erlang_py.node import traffic
from mod_erlang_py.node.link import Link
from mod_erlang_py.requests.context import Context
from mod_erlang_py.subscription import CUSTOM
from mod_erlang_py.switch.port import Section

RULE = "-" * 80
USAGE = f"""USAGE:
{RULE}
erlang listeners
erlang sessions <node_name>
erlang bindings
erlang handlers
erlang debug <on|off>
{RULE}
"""


def run(context: Context, line: str) -> str:
    """What the command line prints; the usage for anything unknown."""
    name, *arguments = line.split() or [""]
    command = _COMMANDS.get(name.lower())
    if command is None:
        return USAGE
    return command(context, arguments)


def listeners(context: Context, _: Sequence[str]) -> str:
    """A line for each link."""
    return "".join(_listener(context, link) for link in context.node.links()) or "No active listeners\n"


def _listener(context: Context, link: Link) -> str:
    events, logs = context.events.handler(link), context.logs.handler(link)
    event_count, events_lost = (events.delivery.sent, events.delivery.lost) if events else (0, 0)
    creates, hangups = (events.creates, events.hangups) if events else (0, 0)
    log_count, logs_lost = (logs.delivery.sent, logs.delivery.lost) if logs else (0, 0)
    return (
        f"Listener to {link.name} with outbound sessions: {len(context.calls.of(link))}"
        f" events: {event_count} (lost:{events_lost}) logs: {log_count} (lost:{logs_lost}) {creates}/{hangups}\n"
    )


def sessions(context: Context, arguments: Sequence[str]) -> str:
    """A line for each call that processes of a node have."""
    if len(arguments) != 1:
        return USAGE
    link = next((link for link in context.node.links() if link.name.lower() == arguments[0].lower()), None)
    if link is None:
        return f"Could not find a listener for {arguments[0]}\n"
    lines = [f"Outbound session for {uuid} in state {_state(context, uuid)}\n" for uuid in context.calls.of(link)]
    return "".join(lines) or f"No active sessions for {arguments[0]}\n"


def _state(context: Context, uuid: str) -> str:
    with context.switch.locate(uuid, ended=True) as session:
        return session.state() if session is not None else "CS_DESTROY"


def bindings(context: Context, _: Sequence[str]) -> str:
    """A line for each section that a process is bound to."""
    lines = [
        f"{pid.node} {SECTIONS[section]}\n"
        for pid, sections in context.fetches.bindings()
        for section in Section
        if section in sections
    ]
    return "".join(lines) or "No bindings\n"


SECTIONS = {section: (section.name or "").lower() for section in Section} | {Section.LANGUAGES: "phrases"}


def handlers(context: Context, _: Sequence[str]) -> str:
    """For each link its event names, and the subclasses of CUSTOM."""
    return "".join(_handler(context, link) for link in context.node.links()) or "No active handlers\n"


def _handler(context: Context, link: Link) -> str:
    handler = context.events.handler(link)
    lines = [f"Listener {link.name}:", "-" * 32]
    if handler is not None:
        wanted = handler.subscription
        lines += [name for name in context.switch.event_types() if name != CUSTOM and wanted.wants(name, None)]
    lines.append("CUSTOM:")
    if handler is not None:
        lines += sorted("\t" + subclass.decode(errors="replace") for subclass in handler.subscription.subclasses)
    return "\n".join(lines) + "\n\n"


def debug(_: Context, arguments: Sequence[str]) -> str:
    """Whether every term that passes is logged."""
    if arguments:
        traffic.turn(arguments[0].lower() == "on")
    return f"+OK debug {'on' if traffic.is_shown() else 'off'}\n"


_COMMANDS: dict[str, Callable[[Context, Sequence[str]], str]] = {
    "listeners": listeners,
    "sessions": sessions,
    "bindings": bindings,
    "handlers": handlers,
    "debug": debug,
}
