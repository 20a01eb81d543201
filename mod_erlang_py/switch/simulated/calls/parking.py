"""Parking a channel. Source: switch_ivr_park."""

from __future__ import annotations

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.channel import Channel


def park(channel: Channel) -> None:
    """Returns when the channel is let go, transferred or hung up. By its own thread."""
    if channel.controlled:
        channel.log(LogLevel.ERR, "Cannot park channels that are under control already.")
        return
    with channel.changed:
        channel.controlled = True
        channel.fire("CHANNEL_PARK")
    try:
        _stay(channel)
    finally:
        with channel.changed:
            channel.controlled = False
            channel.fire("CHANNEL_UNPARK")


def _stay(channel: Channel) -> None:
    def over() -> bool:
        return not (channel.ready() and channel.controlled)

    while not over():
        channel.wait(lambda: over() or channel.has_digits())
        if not over():
            channel.take_digit()
