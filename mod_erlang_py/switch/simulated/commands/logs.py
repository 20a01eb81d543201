"""Commands about the log."""

from __future__ import annotations

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.commands.registry import Context, command
from mod_erlang_py.switch.simulated.log import DISABLED, level_of_text
from mod_erlang_py.switch.simulated.origin import Origin
from mod_erlang_py.switch.simulated.words import separate

_RULE = "-" * 80 + "\n"
_CONSOLE_USAGE = (
    f"USAGE:\n{_RULE}console help\nconsole loglevel [[0-7] | <loglevel_string>]\n"
    f"console uuid [on|off|toggle]\nconsole json [on|off|toggle]\nconsole colorize [on|off|toggle]\n{_RULE}"
).encode()
_LOGLEVEL_USAGE = (
    f"USAGE:\n{_RULE}console loglevel [[0-7] | <loglevel_string>]\n\n"
    "Set the logging verbosity of the console from 0 (least verbose) to\n"
    "7 (debugging), or specify the loglevel as a string:\n\n"
    + "".join(f"  {level.value} {level.name.lower()}\n" for level in LogLevel)
    + _RULE
).encode()


@command("log", "Log", "<level> <message>")
def log(context: Context, argument: bytes) -> bytes:
    """A level nobody knows is DEBUG; a single word is the message."""
    first, blank, rest = argument.partition(b" ")
    level = level_of_text(first) if blank else None
    text = (rest if blank else first).decode("utf-8", "backslashreplace")
    chosen = LogLevel.DEBUG if level is None or level < 0 else LogLevel(level)
    context.console.write(chosen, Origin.caller(0), text)
    return b"+OK\n"


@command("console", "Console", "loglevel [level]", module="mod_console")
def console(context: Context, argument: bytes) -> bytes:
    """Only loglevel: there are no colours, no JSON lines and no uuids of calls in this console."""
    words = separate(argument, b" ", 3)
    if not words or words[0].lower() != b"loglevel":
        return _CONSOLE_USAGE
    if len(words) > 1:
        if words[1].lower() == b"help":
            return _LOGLEVEL_USAGE
        level = level_of_text(words[1])
        if level is None:
            return b"-ERR Invalid console loglevel (%s)!\n\n" % words[1]
        context.console.threshold = level
    threshold = context.console.threshold
    name = "DISABLE" if threshold == DISABLED else LogLevel(threshold).name
    return f"+OK console log level set to {name}\n".encode()
