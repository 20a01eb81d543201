"""What a client can find out about the node it talks to. Ours."""

from __future__ import annotations

import platform

from mod_erlang_py import installed
from mod_erlang_py.etf import Atom, Term

from . import registry
from .context import OK, Request
from .registry import request

CAPABILITIES = ("subscriptions", "targets", "json", "gen_server", "rpc", "spawn", "pg")
"""What the names of the messages do not tell.

subscriptions: subscribe with all of its options. targets: where a message names a process, it may be a pid of any
node, a name, or {Name, Node}. json: api with #{format => json}. gen_server, rpc: the messages as calls and casts, and
as functions of the module `freeswitch`. spawn, pg: in the dialplan's data.
"""


@request("version", 1, family=None, expected="{version}")
def version(ask: Request) -> Term:
    """`{version}`: `{ok, #{versions => #{Name => S}, capabilities => [Atom], messages => [{Tag, Arity}], encoding =>
    Atom}}`; the arity of a message that is an atom is 0."""
    text, config = ask.context.text, ask.context.node.config
    versions = {
        "mod_erlang_py": installed.RUNNING.version,
        "switch": ask.context.switch.description,
        "python": platform.python_version(),
    }
    return (
        OK,
        {
            Atom("versions"): {Atom(name): text(number.encode()) for name, number in versions.items()},
            Atom("capabilities"): list(map(Atom, CAPABILITIES)),
            Atom("messages"): [(Atom(tag), arity) for tag, arity in registry.messages()],
            Atom("encoding"): Atom(config.encoding.value),
        },
    )
