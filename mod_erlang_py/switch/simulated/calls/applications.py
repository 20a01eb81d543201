"""The dialplan's applications, each a function that runs on the channel's thread. Source: mod_dptools.c."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls import parking, progress
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.sounds import NoSound, duration
from mod_erlang_py.switch.simulated.words import is_true

SAMPLES_PER_MILLISECOND = 8
TERMINATORS = b"*"
"""The digits that end what is played, unless the variable playback_terminators says otherwise."""


class Calls(Protocol):
    """What an application may do beyond its own channel."""

    def bridge(self, channel: Channel, dial_string: bytes) -> Cause | None:
        """Call somebody and bridge the channel to him, until one of both ends it; why it did not come to that."""


@dataclass(frozen=True, slots=True)
class Application:
    """run: on the channel's thread, with the expanded data. media: it needs media."""

    name: str
    run: Callable[[Channel, bytes, Calls], None]
    media: bool = False


def names() -> list[str]:
    return sorted(_APPLICATIONS)


def find(name: str) -> Application | None:
    """The switch's own application of that name, in any case."""
    return _APPLICATIONS.get(name.lower())


def _answer(channel: Channel, _data: bytes, _calls: Calls) -> None:
    progress.answer(channel)


def _hangup(channel: Channel, data: bytes, _calls: Calls) -> None:
    channel.hangup(Cause.of(data.decode("ascii", "replace")))


def _park(channel: Channel, _data: bytes, _calls: Calls) -> None:
    parking.park(channel)


def _set(channel: Channel, data: bytes, _calls: Calls) -> None:
    """A comma will do where there is no equals sign, as in FreeSWITCH. The value is expanded once more."""
    if not data:
        channel.log(LogLevel.ERR, "No variable name specified.")
        return
    name, _, value = data.partition(b"=" if b"=" in data else b",")
    channel.set_variable(name, channel.expand(value))


def _bridge(channel: Channel, data: bytes, calls: Calls) -> None:
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


def _playback(channel: Channel, data: bytes, _calls: Calls) -> None:
    """Without a sound: it takes time, and tells of it. A digit that is a terminator ends it."""
    channel.set_variable(b"playback_terminator_used", None)
    channel.set_variable(b"current_application_response", _played(channel, data))


def _played(channel: Channel, path: bytes) -> bytes:
    if not path:
        return b"PLAYBACK ERROR"
    try:
        seconds = duration(path)
    except NoSound as error:
        channel.log(LogLevel.ERR, f"Cannot play {path.decode('utf-8', 'replace')}: {error}")
        return b"FILE NOT FOUND"
    about = ((b"Playback-File-Path", path),)
    channel.fire("PLAYBACK_START", behind=about)
    began = time.monotonic()
    stopped = _play(channel, seconds)
    passed = round(min(time.monotonic() - began, seconds) * 1000)
    channel.set_variables((
        (b"playback_last_offset_pos", b"%d" % (passed * SAMPLES_PER_MILLISECOND)),
        (b"playback_seconds", b"%d" % (passed // 1000)),
        (b"playback_ms", b"%d" % passed),
        (b"playback_samples", b"%d" % (passed * SAMPLES_PER_MILLISECOND)),
    ))  # fmt: skip
    channel.fire("PLAYBACK_STOP", behind=(*about, (b"Playback-Status", b"break" if stopped else b"done")))
    return b"FILE PLAYED" if channel.ready() else b"PLAYBACK ERROR"


def _play(channel: Channel, seconds: float) -> bool:
    """Until it is over, the channel is not ready any more, or a terminator comes; whether it was that."""
    terminators = channel.variable(b"playback_terminators") or TERMINATORS
    deadline = None if math.isinf(seconds) else time.monotonic() + seconds
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if not channel.wait(lambda: not channel.ready() or channel.has_digits(), left):
            return False
        if not channel.ready():
            return False
        digit = channel.take_digit()
        if digit is not None and terminators != b"none" and (digit in terminators or terminators == b"any"):
            channel.set_variable(b"playback_terminator_used", digit)
            return True


_APPLICATIONS = {
    one.name: one
    for one in (
        Application("answer", _answer),
        Application("bridge", _bridge),
        Application("hangup", _hangup),
        Application("park", _park),
        Application("playback", _playback, media=True),
        Application("set", _set),
    )
}
