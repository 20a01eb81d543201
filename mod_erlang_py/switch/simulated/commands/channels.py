"""Commands about one channel."""

from __future__ import annotations

import json
import re
from xml.sax.saxutils import escape

from mod_erlang_py.switch.port import Event
from mod_erlang_py.switch.simulated.calls import progress
from mod_erlang_py.switch.simulated.calls.bridging import send_digit
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import DIGITS, Channel
from mod_erlang_py.switch.simulated.calls.states import State
from mod_erlang_py.switch.simulated.calls.transfer import transfer
from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.urls import url_encoded
from mod_erlang_py.switch.simulated.words import separate

_NO_CHANNEL = b"-ERR No such channel!\n"
_NO_SESSION = b"-ERR Cannot locate session!\n"
_KILL = "<uuid> [cause]"
_GETVAR = "<uuid> <var>"
_SETVAR = "<uuid> <var> [value]"
_DUMP = "<uuid> [format]"
_TRANSFER = "<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]"
_BRIDGE = "<uuid> <other_uuid>"
_DTMF = "<uuid> <dtmf_data>"


@command("uuid_exists", "Check if a uuid exists", "<uuid>")
def uuid_exists(context: Context, argument: bytes) -> bytes:
    return b"true" if _find(context, argument) else b"false"


@command("uuid_kill", "Kill channel", _KILL)
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


@command("uuid_answer", "answer", "<uuid>")
def uuid_answer(context: Context, argument: bytes) -> bytes:
    channel = _find(context, argument)
    if channel is None:
        return b"-ERROR\n"
    progress.answer(channel)
    return b"+OK\n"


@command("uuid_pre_answer", "pre_answer", "<uuid>")
def uuid_pre_answer(context: Context, argument: bytes) -> bytes:
    channel = _find(context, argument)
    if channel is None:
        return b"-ERROR\n"
    progress.pre_answer(channel)
    return b"+OK\n"


@command("uuid_park", "Park channel", "<uuid>")
def uuid_park(context: Context, argument: bytes) -> bytes:
    channel = _find(context, argument)
    if channel is None:
        return _NO_CHANNEL
    channel.set_state(State.PARK)
    return b"+OK\n"


@command("uuid_transfer", "Transfer a session", _TRANSFER)
def uuid_transfer(context: Context, argument: bytes) -> bytes:
    words = separate(argument, b" ", 5)
    if not 2 <= len(words) <= 5:
        return usage(_TRANSFER)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_CHANNEL
    flag = words[1].lower()
    flagged = flag in (b"-bleg", b"-both")
    extension, dialplan, context_name = (words[2 if flagged else 1 :] + [b""] * 3)[:3]
    if flagged:
        partner = _find(context, channel.variables.get(b"signal_bond") or b"")
        if partner is not None:
            transfer(partner, extension, dialplan, context_name)
    if flag != b"-bleg":
        transfer(channel, extension, dialplan, context_name)
    return b"+OK\n"


@command("uuid_bridge", "Bridge call legs", _BRIDGE)
def uuid_bridge(context: Context, argument: bytes) -> bytes:
    """The first one's thread bridges it to the second one, once that has left what it does."""
    words = separate(argument, b" ", 2)
    if len(words) != 2:
        return usage(_BRIDGE)
    channel, peer = (_find(context, word) for word in words)
    if channel is None or peer is None or channel is peer:
        return b"-ERR Invalid uuid\n"
    with channel.changed:
        channel.partner = peer
    peer.set_state(State.CONSUME_MEDIA)
    channel.set_state(State.SOFT_EXECUTE)
    return b"+OK %s\n" % peer.profile.uuid


@command("uuid_getvar", "Get a variable from a channel", _GETVAR)
def uuid_getvar(context: Context, argument: bytes) -> bytes:
    words = separate(argument, b" ", 2)
    if len(words) != 2:
        return usage(_GETVAR)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_CHANNEL
    value = channel.variable(words[1])
    return b"_undef_" if value is None else value


@command("uuid_setvar", "Set a variable", _SETVAR)
def uuid_setvar(context: Context, argument: bytes) -> bytes:
    words = separate(argument, b" ", 3)
    if len(words) < 2:
        return usage(_SETVAR)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_CHANNEL
    channel.set_variable(words[1], words[2] if len(words) > 2 else None)
    return b"+OK\n"


@command("uuid_dump", "Dump session vars", _DUMP)
def uuid_dump(context: Context, argument: bytes) -> bytes:
    """format: txt, xml or json."""
    words = separate(argument, b" ", 2)
    if not words:
        return usage(_DUMP)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_CHANNEL
    form = words[1].lower() if len(words) > 1 else b"txt"
    event = channel.data()
    if form == b"xml":
        return _as_xml(event)
    if form == b"json":
        return _as_json(event)
    return b"".join(b"%s: %s\n" % (name, url_encoded(value)) for name, value in event.headers) + b"\n"


@command("uuid_send_dtmf", "Send dtmf digits", _DTMF)
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


@command("uuid_recv_dtmf", "Receive dtmf digits", _DTMF)
def uuid_recv_dtmf(context: Context, argument: bytes) -> bytes:
    """As if the other end had sent them."""
    words = separate(argument, b" ", 2)
    if len(words) != 2:
        return usage(_DTMF)
    channel = _find(context, words[0])
    if channel is None:
        return _NO_SESSION
    if not _digits(words[1]):
        return b"-ERR Operation failed\n"
    channel.receive_digits(_digits(words[1]))
    return b"+OK %s received DTMF %s.\n" % (words[0], words[1])


def _find(context: Context, word: bytes) -> Channel | None:
    return context.exchange.find(word.decode("utf-8", "replace"))


def _digits(text: bytes) -> bytes:
    """Those before @duration, which does not matter here."""
    return bytes(digit for digit in text.partition(b"@")[0] if digit in DIGITS)


def _as_xml(event: Event) -> bytes:
    lines = (
        f"    <{name}>{escape(url_encoded(value).decode())}</{name}>\n"
        for raw, value in event.headers
        if re.fullmatch(r"[A-Za-z_][\w.-]*", name := raw.decode("ascii", "replace"), re.ASCII)
    )
    return f"<event>\n  <headers>\n{''.join(lines)}  </headers>\n</event>".encode()


def _as_json(event: Event) -> bytes:
    headers = {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in event.headers}
    return json.dumps(headers, separators=(",", ":"), ensure_ascii=False).encode()
