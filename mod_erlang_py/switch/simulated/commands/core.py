"""Commands about the switch itself."""

from __future__ import annotations

import json
import re
import resource
import time

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.port import Event
from mod_erlang_py.switch.simulated.commands.registry import Context, built_in, command, usage
from mod_erlang_py.switch.simulated.core import IDLE_CPU, MAX_SESSIONS, SESSIONS_PER_SECOND, VERSION, duration
from mod_erlang_py.switch.simulated.loadable import OURS
from mod_erlang_py.switch.simulated.log import level_of_text
from mod_erlang_py.switch.simulated.origin import Origin
from mod_erlang_py.switch.simulated.words import separate, whole_number

_UNLOAD = "[-f] <mod_name>"
_SHOW = "channels count"

_LONGEST_SLEEP = 86_400_000
"""Milliseconds: a day."""


@command("status")
def status(context: Context, _argument: bytes) -> bytes:
    counts = context.exchange.counts()
    stack, most = (limit % 2**64 // 1024 for limit in resource.getrlimit(resource.RLIMIT_STACK))
    return (
        f"UP {duration(context.core.uptime())}\n"
        f"FreeSWITCH (Version {VERSION}: the simulated switch, not FreeSWITCH) is ready\n"
        f"{counts.ever} session(s) since startup\n"
        f"{counts.now} session(s) - peak {counts.peak}, last 5min {counts.peak_five_minutes} \n"
        f"{counts.rate} session(s) per Sec out of max {SESSIONS_PER_SECOND}, peak {counts.rate_peak}, "
        f"last 5min {counts.rate_five_minutes} \n"
        f"{MAX_SESSIONS} session(s) max\n"
        f"min idle cpu 0.00/{IDLE_CPU:.2f}\n"
        f"Current Stack Size/Max {stack}K/{most}K\n"
    ).encode()


@command("version")
def version(_context: Context, argument: bytes) -> bytes:
    words = separate(argument, b" ", 2)
    if words and b"short" in words[0].lower():
        return f"{VERSION}\n".encode()
    return f"FreeSWITCH Version {VERSION}~64bit ({f'{VERSION} ' if words else ''} 64bit)\n".encode()


@command("echo")
def echo(_context: Context, argument: bytes) -> bytes:
    return argument


@command("msleep")
def msleep(_context: Context, argument: bytes) -> bytes:
    time.sleep(min(max(0, whole_number(argument)), _LONGEST_SLEEP) / 1000)
    return b"+OK"


@command("global_getvar")
def global_getvar(context: Context, argument: bytes) -> bytes:
    if argument:
        return context.variables.get(argument) or b""
    return b"".join(b"%s=%s\n" % item for item in context.variables)


@command("reloadxml")
def reloadxml(context: Context, _argument: bytes) -> bytes:
    """Settings and users are read anew whenever they are asked for, so there is nothing to do but to say so."""
    context.fire(Event("RELOADXML"))
    return b"+OK [Success]\n"


@command("log")
def log(context: Context, argument: bytes) -> bytes:
    """A level nobody knows is DEBUG; a single word is the message."""
    first, blank, rest = argument.partition(b" ")
    level = level_of_text(first) if blank else None
    text = (rest if blank else first).decode("utf-8", "backslashreplace")
    context.console.write(LogLevel.DEBUG if level is None else level, Origin.caller(0), text)
    return b"+OK\n"


@command("show")
def show(context: Context, argument: bytes) -> bytes:
    """Of all the reports only the number of channels."""
    count = len(context.exchange.channels())
    match argument.lower().split():
        case [b"channels", b"count"]:
            return b"\n%d total.\n" % count
        case [b"channels", b"count", b"as", b"json"]:
            return b'{"row_count":%d,"rows":[]}' % count
    return usage(_SHOW)


@command("json")
def json_api(context: Context, argument: bytes) -> bytes:
    """Of all that there is only fsapi: another command (json_function, json_api_function)."""
    if not argument:
        return b"-ERR No JSON supplied.\n"
    try:
        asked = dict(json.loads(argument).items())  # of an object
    except (ValueError, AttributeError):
        return b"-ERR Parse error.\n"
    answer: dict[str, object]
    match asked:
        case {"command": "fsapi", "data": {"cmd": str(name), **more}} if name.lower() in built_in():
            said = built_in()[name.lower()](context, str(more.get("arg", "")).encode())
            answer = {"status": "success", "response": {"message": said.decode(errors="replace")}}
        case _:
            message = "Invalid request or non-existant command"
            answer = {"status": "error", "message": message, "response": None}
    return json.dumps(asked | answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@command("unload")
def unload(context: Context, argument: bytes) -> bytes:
    """Only mod_erlang_py can be unloaded."""
    name = re.sub(rb"\A-[^ ]* ", b"", argument)
    if not name:
        return usage(_UNLOAD)
    unloaded = name == OURS.encode() and context.modules.unload()
    return b"+OK\n" if unloaded else b"-ERR [No such module!]\n"
