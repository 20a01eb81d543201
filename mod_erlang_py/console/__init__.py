"""The API command `erlang`: what an operator asks in fs_cli, each also as JSON.

printout.py  what a command answers; the usage
status.py    the node at a glance
listing.py   listeners, sessions, handlers, bindings: in mod_erlang_event's formats
rights.py    what a node may ask for
links.py     connect, disconnect
control.py   debug, reload
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from mod_erlang_py.requests.context import Context
from mod_erlang_py.switch.port import Completion

from .control import debug, reload
from .links import connect, disconnect
from .listing import bindings, handlers, listeners, sessions
from .printout import USAGE, Printout, usage
from .rights import rights
from .status import status

__all__ = ["USAGE", "completion", "run"]


def run(context: Context, line: str) -> str:
    """What the command line prints; the usage for anything unknown. With a last word `json`, a JSON document."""
    name, *arguments = line.split() or [""]
    as_json = arguments[-1:] != [] and arguments[-1].lower() == "json"
    command = _COMMANDS.get(name.lower())
    answer = command(context, arguments[:-1] if as_json else arguments) if command else usage()
    return json.dumps(answer.data) + "\n" if as_json else answer.text


def completion(context: Context) -> Completion:
    """What TAB offers after `erlang`."""
    return Completion(_LINES, {_NODES: lambda: [link.name for link in context.node.links()]})


_COMMANDS: dict[str, Callable[[Context, Sequence[str]], Printout]] = {
    "status": status,
    "listeners": listeners,
    "sessions": sessions,
    "bindings": bindings,
    "handlers": handlers,
    "rights": rights,
    "connect": connect,
    "disconnect": disconnect,
    "debug": debug,
    "reload": reload,
}

_NODES = "::erlang::list_nodes"
_LINES = (
    "status json",
    "listeners json",
    f"sessions {_NODES} json",
    "bindings json",
    "handlers json",
    f"rights {_NODES} json",
    "connect _any_ json",
    f"disconnect {_NODES} json",
    "debug ::[on:off json",
    "reload json",
)
