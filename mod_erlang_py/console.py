"""The API command `erlang`: what an operator asks in fs_cli. Formats are mod_erlang_event's (erlang_cmd)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mod_erlang_py.node import traffic
from mod_erlang_py.node.link import Link
from mod_erlang_py.requests.context import Context
from mod_erlang_py.subscription import CUSTOM

RULE = "-" * 80
USAGE = f"USAGE:\n{RULE}\nerlang listeners\nerlang handlers\nerlang debug <on|off>\n{RULE}\n"


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
        f"Listener to {link.name} with outbound sessions: 0 events: {event_count} (lost:{events_lost})"
        f" logs: {log_count} (lost:{logs_lost}) {creates}/{hangups}\n"
    )


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
    "handlers": handlers,
    "debug": debug,
}
