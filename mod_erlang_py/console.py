"""The API command `erlang`: what an operator asks in fs_cli. Formats are mod_erlang_event's (erlang_cmd)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mod_erlang_py.requests.context import Context

RULE = "-" * 80
USAGE = f"USAGE:\n{RULE}\nerlang listeners\n{RULE}\n"


def run(context: Context, line: str) -> str:
    """What the command line prints; the usage for anything unknown."""
    name, *arguments = line.split() or [""]
    command = _COMMANDS.get(name.lower())
    if command is None:
        return USAGE
    return command(context, arguments)


def listeners(context: Context, _: Sequence[str]) -> str:
    """A line for each link."""
    lines = [
        f"Listener to {link.name} with outbound sessions: 0 events: 0 (lost:0) logs: 0 (lost:0) 0/0\n"
        for link in context.node.links()
    ]
    return "".join(lines) or "No active listeners\n"


_COMMANDS: dict[str, Callable[[Context, Sequence[str]], str]] = {"listeners": listeners}
