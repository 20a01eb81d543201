"""Playing, without a sound: it takes time, and tells of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from mod_erlang_py.switch.simulated.calls.applications.registry import Calls, application
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.expand import whole_number

FILE_MILLISECONDS = 100
"""How long a file plays, whatever is in it, or whether there is one."""

SAMPLES_PER_MILLISECOND = 8
TERMINATORS = b"*"
"""The digits that end it, unless the variable playback_terminators says otherwise."""

_SILENCE = re.compile(rb"silence_stream://(-?\d{1,9})")


@application("playback", "Playback File", "<path>", media=True)
def playback(channel: Channel, data: bytes, _calls: Calls) -> None:
    channel.set_variable(b"playback_terminator_used", None)
    terminators = channel.variable(b"playback_terminators") or TERMINATORS

    def stop(digit: bytes) -> bool:
        if terminators == b"none" or not (digit in terminators or terminators == b"any"):
            return False
        channel.set_variable(b"playback_terminator_used", digit)
        return True

    play(channel, data, stop)
    channel.set_variable(b"current_application_response", b"FILE PLAYED")


def play(channel: Channel, path: bytes, stop: Callable[[bytes], bool]) -> None:
    """Until it is over, the channel is not ready any more, or `stop` says so to a digit."""
    if not path:
        return
    about = ((b"Playback-File-Path", path),)
    channel.fire("PLAYBACK_START", behind=about)
    began = time.monotonic()
    done = _pass_time(channel, _seconds(path), stop)
    passed = int((time.monotonic() - began) * 1000)
    channel.set_variables((
        (b"playback_last_offset_pos", b"%d" % (passed * SAMPLES_PER_MILLISECOND)),
        (b"playback_seconds", b"%d" % (passed // 1000)),
        (b"playback_ms", b"%d" % passed),
        (b"playback_samples", b"%d" % (passed * SAMPLES_PER_MILLISECOND)),
    ))  # fmt: skip
    channel.fire("PLAYBACK_STOP", behind=(*about, (b"Playback-Status", b"done" if done else b"break")))


def _pass_time(channel: Channel, seconds: float | None, stop: Callable[[bytes], bool]) -> bool:
    """Whether it came to its end."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if not channel.wait(lambda: not channel.ready() or channel.has_digits(), left):
            return True
        if not channel.ready():
            return False
        digit = channel.take_digit()
        if digit is not None and stop(digit):
            return False


def _seconds(path: bytes) -> float | None:
    """None: for ever."""
    found = _SILENCE.match(path)
    if found is None:
        return FILE_MILLISECONDS / 1000
    milliseconds = whole_number(found.group(1))
    return None if milliseconds < 0 else milliseconds / 1000
