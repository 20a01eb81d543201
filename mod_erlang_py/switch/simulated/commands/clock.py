"""Commands about time."""

from __future__ import annotations

import re
import time

from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.expand import whole_number

_UPTIME = "[us|ms|s|m|h|d|microseconds|milliseconds|seconds|minutes|hours|days]"

_SCALES = {
    b"": 1_000_000,
    b"us": 1,
    b"microseconds": 1,
    b"ms": 1000,
    b"milliseconds": 1000,
    b"s": 1_000_000,
    b"seconds": 1_000_000,
    b"m": 60_000_000,
    b"minutes": 60_000_000,
    b"h": 3_600_000_000,
    b"hours": 3_600_000_000,
    b"d": 86_400_000_000,
    b"days": 86_400_000_000,
}

_LONGEST_SLEEP = 86_400_000
"""Milliseconds: a day."""

_LONGEST_DATE = 79
"""Bytes that strftime may answer; more becomes nothing."""

_KNOWN_FORMAT = re.compile(rb"(?:[^%]|%[CDrRTeaAbBcdHIjmMpSUwWxXyYzZ%])*")

_DATE_TIME = re.compile(r"(\d+)-(\d+)-(\d+)\s*(\d*):?(\d*):?(\d*)", re.ASCII)
_FOURTEEN_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})", re.ASCII)
_TIME_TODAY = re.compile(r"(\d*):?(\d*):?(\d*)$", re.ASCII)


@command("uptime", "Show uptime", _UPTIME)
def uptime(context: Context, argument: bytes) -> bytes:
    scale = _SCALES.get(argument.lower())
    return usage(_UPTIME) if scale is None else b"%d\n" % (context.core.uptime() // scale)


@command("msleep", "Sleep N milliseconds", "<milliseconds>")
def msleep(_context: Context, argument: bytes) -> bytes:
    time.sleep(min(max(0, whole_number(argument)), _LONGEST_SLEEP) / 1000)
    return b"+OK"


@command("strftime", "strftime", "<format_string>", module="mod_dptools")
def strftime(_context: Context, argument: bytes) -> bytes:
    """`strftime [<epoch>| ]<format>`. The character after the bar is skipped, in FreeSWITCH too."""
    epoch, bar, rest = argument.partition(b"|")
    pattern = rest[1:] if bar else argument
    if not _usable(pattern):
        return b""
    text = (pattern or b"%Y-%m-%d %H:%M:%S").decode("utf-8", "surrogateescape")
    try:
        moment = time.localtime(whole_number(epoch) if bar else None)
    except (OverflowError, OSError, ValueError):
        return b""
    # One by one: time.strftime does not take every text that may stand between them.
    dated = re.sub("%.", lambda found: time.strftime(found.group(), moment), text)
    out = dated.encode("utf-8", "surrogateescape")
    return out if len(out) <= _LONGEST_DATE else b""


def _usable(pattern: bytes) -> bool:
    """Whether FreeSWITCH knows every % in it."""
    return _KNOWN_FORMAT.fullmatch(pattern) is not None


@command("strepoch", "Convert a date string into epoch time", "<string>", module="mod_dptools")
def strepoch(_context: Context, argument: bytes) -> bytes:
    return b"%d" % int(_epoch(argument))


@command("strmicroepoch", "Convert a date string into micoepoch time", "<string>", module="mod_dptools")
def strmicroepoch(_context: Context, argument: bytes) -> bytes:
    return b"%d" % int(_epoch(argument) * 1_000_000)


def _epoch(argument: bytes) -> float:
    """Seconds since 1970; of now for "", 0 for no date or an earlier one. Dates are local.

    Forms: 2026-11-23 12:00:00, 20261123120000, and 12:00:00 for today.
    """
    if not argument:
        return time.time()
    text = argument.decode("ascii", "replace")
    found = _DATE_TIME.match(text) or _FOURTEEN_DIGITS.match(text)
    today = time.localtime()
    if found is not None:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    elif (found := _TIME_TODAY.match(text)) is not None:
        hour, minute, second = (int(part or 0) for part in found.groups())
        year, month, day = today.tm_year, today.tm_mon, today.tm_mday
    else:
        return 0
    try:
        return max(0.0, time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
    except (OverflowError, ValueError):
        return 0
