"""Commands that make calls, and about one that is there."""

from __future__ import annotations

from collections.abc import Sequence

from mod_erlang_py.switch.simulated.calls.bridging import send_digit
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import DIGITS, Channel, Task
from mod_erlang_py.switch.simulated.calls.dialing import Dialed, Endpoint, dialed_by
from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.words import separate, whole_number

_NO_CHANNEL = b"-ERR No such channel!\n"
_NO_SESSION = b"-ERR Cannot locate session!\n"
_ORIGINATE = (
    "<call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] "
    "[<timeout_sec>]"
)
_KILL = "<uuid> [cause]"
_GETVAR = "<uuid> <var>"
_DTMF = "<uuid> <dtmf_data>"


@command("originate")
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
    dialed = dialed_by(dial_string)
    dialed = Dialed((*dialed.variables, *((name, value) for name, value in given if value)), dialed.endpoint)
    made = context.exchange.originate(dialed, _target(extension, dialplan, context_name))
    if isinstance(made, Cause):
        return b"-ERR %s\n" % made.name.encode()
    return b"+OK %s\n" % made.profile.uuid


def _target(extension: bytes, dialplan: bytes, context: bytes) -> Sequence[Task] | Endpoint:
    if not extension.startswith(b"&") or extension == b"&":
        return Endpoint(extension, context or b"default", dialplan or b"XML", b"")
    name, _, data = extension[1:].partition(b")")[0].partition(b"(")
    return (Task(name, data),)


@command("uuid_exists")
def uuid_exists(context: Context, argument: bytes) -> bytes:
    return b"true" if _find(context, argument) else b"false"


@command("uuid_kill")
def uuid_kill(context: Context, argument: bytes) -> bytes:
    words = separate(argument, b" ", 2)
    if not words:
        return usage(_KILL)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_CHANNEL
    cause = words[1].decode("ascii", "replace") if len(words) > 1 else ""
    channel.hangup(Cause.of(cause))
    return b"+OK\n"


@command("uuid_getvar")
def uuid_getvar(context: Context, argument: bytes) -> bytes:
    words = separate(argument, b" ", 2)
    if len(words) != 2:
        return usage(_GETVAR)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_CHANNEL
    value = channel.variable(words[1])
    return b"_undef_" if value is None else value


@command("uuid_send_dtmf")
def uuid_send_dtmf(context: Context, argument: bytes) -> bytes:
    """To the other end: the other leg of the loopback pair receives them."""
    words = separate(argument, b" ", 2)
    if len(words) != 2:
        return usage(_DTMF)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_SESSION
    if not _digits(words[1]):
        return b"-ERR Operation failed\n"
    for digit in _digits(words[1]):
        send_digit(channel, bytes([digit]))
    return b"+OK %s sent DTMF %s.\n" % (words[0], words[1])


@command("uuid_recv_dtmf")
def uuid_recv_dtmf(context: Context, argument: bytes) -> bytes:
    """As if the other end had sent them."""
    words = separate(argument, b" ", 2)
    if len(words) != 2:
        return usage(_DTMF)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_SESSION
    if not _digits(words[1]):
        return usage(_DTMF)
    channel.receive_digits(_digits(words[1]))
    return b"+OK %s received DTMF %s.\n" % (words[0], words[1])


def _find(context: Context, word: bytes) -> Channel | None:
    return context.exchange.find(word.decode("utf-8", "replace"))


def _digits(text: bytes) -> bytes:
    """Those before @duration, which does not matter here."""
    return bytes(digit for digit in text.partition(b"@")[0] if digit in DIGITS)
