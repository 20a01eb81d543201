"""What a command answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RULE = "-" * 80
USAGE = f"""USAGE:
{RULE}
erlang status
erlang listeners
erlang sessions <node_name>
erlang bindings
erlang handlers
erlang rights <node_name> [<api command>]
erlang connect <node_name>
erlang disconnect <node_name>
erlang debug <on|off>
erlang reload
Each with json as its last word answers in JSON.
{RULE}
"""


@dataclass(frozen=True, slots=True)
class Printout:
    """text: line feeds included. data: the same, as JSON will have it; `error` alone when it failed."""

    text: str
    data: Mapping[str, Any]


def usage() -> Printout:
    return Printout(USAGE, {"error": "unknown command or wrong arguments"})


def failed(text: str) -> Printout:
    """text: "-ERR reason\\n", or what mod_erlang_event says."""
    return Printout(text, {"error": text.removeprefix("-ERR ").rstrip("\n")})
