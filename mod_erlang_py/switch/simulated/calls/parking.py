"""Parking a channel. Source: switch_ivr_park."""

from __future__ import annotations

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.expand import whole_number


def park(channel: Channel) -> None:
    """Returns when the channel is let go, transferred or hung up. By its own thread.

    The variable park_timeout: "seconds[:cause]", after which it is hung up.
    """
    if channel.controlled:
        channel.log(LogLevel.ERR, "Cannot park channels that are under control already.")
        return
    timeout = channel.variable(b"park_timeout")
    channel.set_variable(b"park_timeout", None)
    with channel.changed:
        channel.controlled = True
        channel.fire("CHANNEL_PARK")
    try:
        if not _stay(channel, None if timeout is None else whole_number(timeout)):
            cause = (timeout or b"").partition(b":")[2].decode("ascii", "replace")
            channel.hangup(Cause.of(cause))
    finally:
        with channel.changed:
            channel.controlled = False
            channel.fire("CHANNEL_UNPARK")


def _stay(channel: Channel, seconds: float | None) -> bool:
    """False when the time is over."""

    def over() -> bool:
        return not (channel.ready() and channel.controlled)

    while channel.wait(lambda: over() or channel.has_digits(), seconds):
        if over():
            return True
        channel.take_digit()
    return False
