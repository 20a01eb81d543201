"""The switch's log (handle_msg_set_log_level and handle_msg_atom in handle_msg.c)."""

from __future__ import annotations

from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import BadArg
from mod_erlang_py.etf import Term, atom_text
from mod_erlang_py.log_levels import LogLevel

from . import targets
from .context import OK, Request
from .registry import request

LEVELS = {level.name: level for level in LogLevel if level is not LogLevel.CONSOLE} | {"ERROR": LogLevel.ERR}


@request("register_log_handler", 0, 2, family=Family.LOGS)
def register_log_handler(ask: Request) -> Term:
    """The sender is linked and becomes the log handler of its node, at level DEBUG. `{register_log_handler, Target}`:
    another process becomes that of its own node. Ours."""
    targets.register(ask, ask.context.logs.register)
    return OK


@request("set_log_level", 2, family=Family.LOGS)
def set_log_level(ask: Request) -> Term:
    """`{set_log_level, Level}`: an atom, of the switch's levels but console; `error` is `err`."""
    level = LEVELS.get((atom_text(ask.term[1]) or "").upper())
    if level is None:
        raise BadArg("no such level")
    ask.context.logs.set_level(ask.link, level)
    return OK


@request("nolog", 0, family=Family.LOGS)
def nolog(ask: Request) -> Term:
    """No more lines for the node's handler; `ok`, also when it has none."""
    ask.context.logs.nolog(ask.link)
    return OK
