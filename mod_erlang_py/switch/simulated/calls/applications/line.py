"""Applications about the line itself."""

from __future__ import annotations

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls import parking, progress
from mod_erlang_py.switch.simulated.calls.applications.registry import Calls, application
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.expand import whole_number
from mod_erlang_py.switch.simulated.log import level_of_text


@application("answer", "Answer the call")
def answer(channel: Channel, _data: bytes, _calls: Calls) -> None:
    progress.answer(channel)


@application("pre_answer", "Pre-Answer the call")
def pre_answer(channel: Channel, _data: bytes, _calls: Calls) -> None:
    progress.pre_answer(channel)


@application("ring_ready", "Indicate Ring_Ready")
def ring_ready(channel: Channel, _data: bytes, _calls: Calls) -> None:
    progress.ring_ready(channel)


@application("hangup", "Hangup the call", "[<cause>]")
def hangup(channel: Channel, data: bytes, _calls: Calls) -> None:
    channel.hangup(Cause.of(data.decode("ascii", "replace")))


@application("park", "Park")
def park(channel: Channel, _data: bytes, _calls: Calls) -> None:
    parking.park(channel)


@application("sleep", "Pause a channel", "<pausemilliseconds>")
def sleep(channel: Channel, data: bytes, _calls: Calls) -> None:
    """A digit ends it, and stays for what comes next."""
    if not data:
        channel.log(LogLevel.ERR, "No timeout specified.")
        return
    channel.wait(lambda: not channel.ready() or channel.has_digits(), max(0, whole_number(data)) / 1000)


@application("echo", "Echo", media=True)
def echo(channel: Channel, _data: bytes, _calls: Calls) -> None:
    """Nobody hears it: it waits for the end of the call."""
    channel.wait(lambda: not channel.ready())


@application("log", "Logs to the logger", "<log_level> <log_string>", inline=True)
def log(channel: Channel, data: bytes, _calls: Calls) -> None:
    """A level nobody knows is DEBUG; a single word is the message."""
    first, blank, rest = data.partition(b" ")
    level = level_of_text(first) if blank else None
    chosen = LogLevel.DEBUG if level is None or level < 0 else LogLevel(level)
    channel.log(chosen, (rest if blank else first).decode("utf-8", "backslashreplace"))
