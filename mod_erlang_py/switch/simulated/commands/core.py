"""Commands about the switch itself."""

from __future__ import annotations

import os
import resource
import uuid

from mod_erlang_py.switch.port import Event
from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.core import IDLE_CPU, MAX_SESSIONS, SESSIONS_PER_SECOND, VERSION, duration
from mod_erlang_py.switch.simulated.words import separate

_GLOBAL_SETVAR = "<var>=<value> [=<value2>]"


@command("status", "Show current status")
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


@command("version", "Version", "[short]")
def version(_context: Context, argument: bytes) -> bytes:
    words = separate(argument, b" ", 2)
    if words and b"short" in words[0].lower():
        return f"{VERSION}\n".encode()
    return f"FreeSWITCH Version {VERSION}~64bit ({f'{VERSION} ' if words else ''} 64bit)\n".encode()


@command("hostname", "Return the system hostname")
def hostname(context: Context, _argument: bytes) -> bytes:
    return os.fsencode(context.core.hostname)


@command("switchname", "Return the switch name")
def switchname(context: Context, _argument: bytes) -> bytes:
    return os.fsencode(context.core.switchname)


@command("create_uuid", "Create a uuid", "<uuid> <other_uuid>")
def create_uuid(_context: Context, _argument: bytes) -> bytes:
    return str(uuid.uuid4()).encode()


@command("global_getvar", "Get global var", "<var>")
def global_getvar(context: Context, argument: bytes) -> bytes:
    if argument:
        return context.variables.get(argument) or b""
    return b"".join(b"%s=%s\n" % item for item in context.variables.items())


@command("global_setvar", "Set global var", _GLOBAL_SETVAR)
def global_setvar(context: Context, argument: bytes) -> bytes:
    """With a second value: only if the variable has that one now. The answer is +OK either way."""
    words = separate(argument, b"=", 3)
    if not words or not words[0]:
        return usage(_GLOBAL_SETVAR)
    name, value, present = words + [b""] * (3 - len(words))
    if present:
        context.variables.set_if(name, value, present)
    else:
        context.variables.set(name, value)
    return b"+OK"


@command("reloadxml", "Reload XML")
def reloadxml(context: Context, _argument: bytes) -> bytes:
    """Settings and users are read anew whenever they are asked for, so there is nothing to do but to say so."""
    context.fire(Event("RELOADXML"))
    return b"+OK [Success]\n"
