"""Early media and answer: what the -b leg of a loopback pair does, the -a leg hears first.

For the leg that was called (outbound) these do nothing, as in FreeSWITCH: it is answered by the other end.
Source: channel_receive_message in mod_loopback.c.
"""

from __future__ import annotations

from mod_erlang_py.switch.simulated.calls.channel import Channel


def pre_answer(channel: Channel) -> None:
    if channel.outbound or channel.has_hung_up or channel.has_media:
        return
    if channel.other is not None:
        channel.other.mark_early()
    channel.mark_early()


def answer(channel: Channel) -> None:
    if channel.outbound or channel.has_hung_up or channel.answered:
        return
    if channel.other is not None:
        channel.other.mark_answered()
    channel.mark_answered()
