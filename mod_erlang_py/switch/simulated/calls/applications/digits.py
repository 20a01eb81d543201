"""Asking for digits. Source: switch_ivr_read and switch_play_and_get_digits in switch_ivr_play_say.c."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.applications.playing import play
from mod_erlang_py.switch.simulated.calls.applications.registry import Calls, application
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.transfer import transfer
from mod_erlang_py.switch.simulated.expand import whole_number
from mod_erlang_py.switch.simulated.regex import matcher
from mod_erlang_py.switch.simulated.words import separate

MIN_TIMEOUT = 1000
"""Milliseconds."""

_READ = "<min> <max> <file> <var_name> <timeout> <terminators> <digit_timeout>"
_PLAY_AND_GET = (
    "<min> <max> <tries> <timeout> <terminators> <file> <invalid_file> <var_name> <regexp> [<digit_timeout>] "
    "['<failure_ext> [failure_dp [failure_context]]']"
)


class Outcome(Enum):
    SUCCESS = b"success"
    TIMEOUT = b"timeout"
    FAILURE = b"failure"


@dataclass(frozen=True, slots=True)
class Wish:
    """least, most: digits. timeouts in milliseconds: to the first digit, and from one to the next."""

    least: int
    most: int
    file: bytes
    variable: bytes
    timeout: int
    terminators: bytes
    digit_timeout: int


@application("read", "Read Digits", _READ, media=True)
def read(channel: Channel, data: bytes, _calls: Calls) -> None:
    words = separate(data, b" ", 7)
    if not words:
        channel.log(LogLevel.ERR, "No arguments specified.")
        return
    least, most, file, variable, timeout, terminators, digit_timeout = words + [b""] * (7 - len(words))
    collect(channel, _wish(max(1, whole_number(least)), most, file, variable, timeout, terminators or b"#",
                           digit_timeout))  # fmt: skip


@application("play_and_get_digits", "Play and get Digits", _PLAY_AND_GET, media=True)
def play_and_get_digits(channel: Channel, data: bytes, _calls: Calls) -> None:
    """The variable gets what matches the regular expression; what does not is in <variable>_invalid at the end."""
    words = separate(data, b" ", 11)
    if not words:
        channel.log(LogLevel.ERR, "No arguments specified.")
        return
    words += [b""] * (11 - len(words))
    least, most, tries, timeout, terminators, file, invalid, variable, regex, digit_timeout, failure = words
    wish = _wish(max(0, whole_number(least)), most, file, variable, timeout, terminators or b"#", digit_timeout)
    if variable:
        channel.set_variable(variable + b"_invalid", None)
    for _ in range(whole_number(tries)):
        digits, outcome = collect(channel, wish)
        enough = outcome is Outcome.SUCCESS or (outcome is Outcome.TIMEOUT and len(digits) >= wish.least)
        if enough and _accepted(channel, wish, digits, regex):
            return
        if not channel.ready():
            return
        play(channel, invalid, lambda _: False)
    if failure:
        extension, dialplan, context = (separate(failure, b" ", 3) + [b""] * 3)[:3]
        transfer(channel, extension, dialplan, context)


def collect(channel: Channel, wish: Wish) -> tuple[bytes, Outcome]:
    """Play the file, which a digit ends, and take digits; they are in the wish's variable, read_result says how it
    went, read_terminator_used what ended it."""
    channel.set_variables(((b"read_result", None), (b"read_terminator_used", None)))
    if wish.variable:
        channel.set_variable(wish.variable, None)
    digits, terminator = bytearray(), b""

    def take(digit: bytes) -> bool:
        nonlocal terminator
        if digit in wish.terminators:
            terminator = digit
        else:
            digits.extend(digit)
        return True

    if wish.file.lower() not in (b"", b"silence"):
        play(channel, wish.file, take)
    timed_out = False
    while channel.ready() and not terminator and len(digits) < wish.most and not timed_out:
        milliseconds = wish.digit_timeout if digits else wish.timeout
        timed_out = not channel.wait(lambda: not channel.ready() or channel.has_digits(), milliseconds / 1000)
        digit = channel.take_digit() if channel.ready() and not timed_out else None
        if digit is not None:
            take(digit)
    if terminator:
        channel.set_variable(b"read_terminator_used", terminator)
    outcome = Outcome.TIMEOUT if timed_out else Outcome.SUCCESS
    if len(digits) < wish.least or not channel.ready():
        outcome = Outcome.FAILURE
    channel.set_variable(b"read_result", outcome.value)
    if wish.variable and digits:
        channel.set_variable(wish.variable, bytes(digits))
    return bytes(digits), outcome


def _accepted(channel: Channel, wish: Wish, digits: bytes, regex: bytes) -> bool:
    if not digits:
        return wish.least == 0 and channel.variable(b"read_terminator_used") is not None
    if not regex:
        return True
    try:
        if matcher(regex)(digits):
            return True
    except SwitchError as error:
        channel.log(LogLevel.ERR, str(error))
    channel.set_variables(((wish.variable, None), (wish.variable + b"_invalid", digits)))
    return False


def _wish(
    least: int, most: bytes, file: bytes, variable: bytes, timeout: bytes, terminators: bytes, digit_timeout: bytes
) -> Wish:
    first = max(MIN_TIMEOUT, whole_number(timeout))
    return Wish(
        least, max(least, whole_number(most)), file, variable, first, terminators, whole_number(digit_timeout) or first
    )
