"""Commands about one channel. There are none yet, and these are the answers of a switch without any."""

from __future__ import annotations

from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.commands.words import separate

_NO_CHANNEL = b"-ERR No such channel!\n"
_KILL = "<uuid> [cause]"
_GETVAR = "<uuid> <var>"
_SETVAR = "<uuid> <var> [value]"
_DUMP = "<uuid> [format]"


@command("uuid_exists", "Check if a uuid exists", "<uuid>")
def uuid_exists(_context: Context, _argument: bytes) -> bytes:
    return b"false"


@command("uuid_kill", "Kill channel", _KILL)
def uuid_kill(_context: Context, argument: bytes) -> bytes:
    return _no_channel(argument, 1, _KILL)


@command("uuid_getvar", "Get a variable from a channel", _GETVAR)
def uuid_getvar(_context: Context, argument: bytes) -> bytes:
    return _no_channel(argument, 2, _GETVAR)


@command("uuid_setvar", "Set a variable", _SETVAR)
def uuid_setvar(_context: Context, argument: bytes) -> bytes:
    return _no_channel(argument, 2, _SETVAR)


@command("uuid_dump", "Dump session vars", _DUMP)
def uuid_dump(_context: Context, argument: bytes) -> bytes:
    return _no_channel(argument, 1, _DUMP)


def _no_channel(argument: bytes, words: int, syntax: str) -> bytes:
    return _NO_CHANNEL if len(separate(argument, b" ", words)) == words else usage(syntax)
