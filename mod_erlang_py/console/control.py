"""`erlang debug`, `erlang reload`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from mod_erlang_py.config.reload import Change
from mod_erlang_py.errors import ConfigError, SwitchError
from mod_erlang_py.node import traffic
from mod_erlang_py.requests.context import Context

from .printout import Printout, failed

RESTART = "unload mod_erlang_py, then pyrun erlang_py"


def debug(_: Context, arguments: Sequence[str]) -> Printout:
    """Whether every term that passes is logged."""
    if arguments:
        traffic.turn(arguments[0].lower() == "on")
    return Printout(f"+OK debug {'on' if traffic.is_shown() else 'off'}\n", {"debug": traffic.is_shown()})


def reload(context: Context, _: Sequence[str]) -> Printout:
    """Read the settings again, and put into force what can change while nodes are connected."""
    try:
        found = context.reload()
    except (ConfigError, SwitchError) as error:
        return failed(f"-ERR {error}; nothing changed\n")
    lines = [f"+OK {len(found.changed)} changed"]
    lines += [f"changed: {change}" for change in found.changed]
    lines += [f"needs a restart ({RESTART}): {change}" for change in found.pending]
    lines += [f"wrong: {error}; it stays as it was" for error in found.wrong]
    data = {
        "changed": _changes(found.changed),
        "needs_restart": _changes(found.pending),
        "wrong": [{"name": error.param, "value": error.value, "expected": error.expected} for error in found.wrong],
    }
    return Printout("".join(f"{line}\n" for line in lines), data)


def _changes(changes: Iterable[Change]) -> list[dict[str, str]]:
    return [asdict(change) for change in changes]
