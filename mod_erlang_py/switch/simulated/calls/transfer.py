"""Sending a channel to another extension. Source: switch_ivr_session_transfer."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.profile import microseconds
from mod_erlang_py.switch.simulated.calls.states import State
from mod_erlang_py.switch.simulated.words import whole_number

MAX_FORWARDS = 70


def transfer(channel: Channel, extension: bytes, dialplan: bytes | None, context: bytes | None) -> None:
    """Route it anew, whatever it does now; None: as it was routed before. By any thread."""
    with channel.changed:
        if channel.has_hung_up:
            return
        before = channel.variables.get(b"max_forwards")
        forwards = MAX_FORWARDS if before is None else whole_number(before) - 1
        if forwards > 0:
            extension = extension or b"service"
            dialplan = dialplan or channel.profile.dialplan or b"XML"
            context = context or channel.profile.context or b"default"
            _set_profile(channel, extension, dialplan, context, forwards)
            channel.calling = False
            channel.hit_dialplan = True
            channel.transferring = True
            channel.state = State.ROUTING
            channel.changed.notify_all()
    if forwards <= 0:
        channel.hangup(Cause.EXCHANGE_ROUTING_ERROR)
        return
    channel.tell_watchers()
    where = f"{_shown(dialplan)}[{_shown(extension)}@{_shown(context)}]"
    channel.log(LogLevel.NOTICE, f"Transfer {channel.name} to {where}")


def _set_profile(channel: Channel, extension: bytes, dialplan: bytes, context: bytes, forwards: int) -> None:
    old = channel.profile
    source = b"%d:%s:bl_xfer:%s/%s/%s" % (
        time.time(), str(uuid.uuid4()).encode(), extension, context, dialplan
    )  # fmt: skip
    channel.profile = replace(
        old,
        dialplan=dialplan,
        context=context,
        destination_number=extension,
        rdnis=old.destination_number,
        transfer_source=source,
        profile_index=old.profile_index + 1,
        times=replace(old.times, profile_created=microseconds()),
    )
    channel.variables.set(b"max_forwards", b"%d" % forwards)
    channel.variables.set(b"signal_bond", None)
    channel.variables.set(b"transfer_history", source)
    channel.variables.set(b"transfer_source", source)


def _shown(text: bytes | None) -> str:
    return (text or b"").decode("utf-8", "replace")
