"""Applications that send a call on, or bring it together with another."""

from __future__ import annotations

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.applications.registry import Calls, application
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.messages import is_true
from mod_erlang_py.switch.simulated.calls.transfer import transfer as do_transfer
from mod_erlang_py.switch.simulated.words import separate


@application("transfer", "Transfer a channel", "<exten> [<dialplan> <context>]")
def transfer(channel: Channel, data: bytes, calls: Calls) -> None:
    words = separate(data, b" ", 4)
    if not words:
        channel.log(LogLevel.ERR, "No extension specified.")
        return
    flag = words[0].lower()
    targets = words[1:] if flag in (b"-bleg", b"-both") else words
    extension, dialplan, context = (targets + [b""] * 3)[:3]
    if flag in (b"-bleg", b"-both"):
        partner = calls.find((channel.variable(b"signal_bond") or b"").decode("ascii", "replace"))
        if partner is None:
            channel.log(LogLevel.WARNING, "No B-leg present.")
        else:
            do_transfer(partner, extension, dialplan, context)
    if flag != b"-bleg":
        do_transfer(channel, extension, dialplan, context)


@application("bridge", "Bridge Audio", "<channel_url>")
def bridge(channel: Channel, data: bytes, calls: Calls) -> None:
    """Called and not reached, the channel is hung up for the same cause, unless the variable continue_on_fail is true
    or lists the cause."""
    if not data:
        return
    cause = calls.bridge(channel, data)
    if cause is None or channel.has_hung_up:
        return
    wish = channel.variable(b"continue_on_fail")
    causes = (wish or b"").decode("ascii", "replace").upper().split(",")
    if not is_true(wish) and cause.name not in causes and str(int(cause)) not in causes:
        channel.hangup(cause)
