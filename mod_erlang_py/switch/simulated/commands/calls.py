"""Commands that make calls, and end them all."""

from __future__ import annotations

from collections.abc import Sequence

from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Task
from mod_erlang_py.switch.simulated.calls.dialing import Dialed, Endpoint, parse
from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.expand import whole_number
from mod_erlang_py.switch.simulated.words import separate

_ORIGINATE = (
    "<call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] "
    "[<timeout_sec>]"
)


@command("originate", "Originate a call", _ORIGINATE)
def originate(context: Context, argument: bytes) -> bytes:
    """+OK and the UUID as soon as somebody answers, or there is early media, unless ignore_early_media is true."""
    words = separate(argument, b" ", 8)
    if not 2 <= len(words) <= 7:
        return usage(_ORIGINATE)
    dial_string, extension, dialplan, context_name, caller_name, caller_number, timeout = words + [b""] * (
        7 - len(words)
    )
    given = (
        (b"origination_caller_id_name", caller_name),
        (b"origination_caller_id_number", caller_number),
        (b"originate_timeout", b"%d" % whole_number(timeout) if timeout else b""),
    )
    dialed = parse(dial_string)
    dialed = Dialed((*dialed.variables, *((name, value) for name, value in given if value)), dialed.endpoint)
    made = context.exchange.originate(dialed, _target(extension, dialplan, context_name))
    if isinstance(made, Cause):
        return b"-ERR %s\n" % made.name.encode()
    return b"+OK %s\n" % made.profile.uuid


@command("hupall", "hupall", "<cause> [<var> <value>] [<var2> <value2>]")
def hupall(context: Context, argument: bytes) -> bytes:
    words = separate(argument, b" ", 3)
    cause = Cause.of(words[0].decode("ascii", "replace")) if words else Cause.MANAGER_REQUEST
    name = cause.name.encode()
    if len(words) == 3:
        context.exchange.hang_up_all(cause, (words[1], words[2]))
        return b"+OK hangup all channels matching [%s]=[%s] with cause: %s\n" % (words[1], words[2], name)
    context.exchange.hang_up_all(cause)
    return b"+OK hangup all channels with cause %s\n" % name


def _target(extension: bytes, dialplan: bytes, context: bytes) -> Sequence[Task] | Endpoint:
    if not extension.startswith(b"&") or extension == b"&":
        return Endpoint(extension, context or b"default", dialplan or b"XML", b"")
    name, _, rest = extension[1:].partition(b"(")
    return (Task(name, rest.rpartition(b")")[0] if b")" in rest else rest),)
