"""How long a sound takes: what `playback` is given. Nothing is heard of it.

Source: mod_tone_stream.c, and teletone_run in libteletone_generate.c.
"""

from __future__ import annotations

import math
import re
import wave
from dataclasses import dataclass

from mod_erlang_py.switch.simulated.words import whole_number

_TONE, _SILENCE = b"tone_stream://", b"silence_stream://"
_LOOPS = re.compile(rb";loops=([^;]*).*", re.IGNORECASE | re.DOTALL)
_REPEATED = re.compile(rb"(?:^|;)\s*L=([^;]*)")
_SETTING = re.compile(rb"\s*([a-zA-Z<>+])=(.*)", re.DOTALL)
_ELEMENT = re.compile(rb"%\(([^,)]*),([^,)]*),([^,)]*)[^)]*\)|.\([^)]*\)|([0-9*#A-D])")
"""`%(tone,silence,frequency...)`, or the key of a telephone; other parentheses are silent here."""


class NoSound(Exception):
    """It cannot be played; str() says why."""


def duration(path: bytes) -> float:
    """Seconds; math.inf for what never ends. Raises NoSound."""
    if path.lower().startswith(_TONE):
        return _tone(path[len(_TONE) :])
    if path.lower().startswith(_SILENCE):
        milliseconds = whole_number(path[len(_SILENCE) :])
        if not milliseconds:
            raise NoSound("no silence is that short")
        return milliseconds / 1000 if milliseconds > 0 else math.inf
    try:
        with wave.open(path.decode("utf-8", "surrogateescape"), "rb") as file:
            return file.getnframes() / file.getframerate()
    except OSError as error:
        raise NoSound(error.strerror or str(error)) from None
    except (wave.Error, EOFError):
        raise NoSound("the simulated switch plays tone_stream, silence_stream, and files of the type wav") from None


def _tone(script: bytes) -> float:
    loops = 0
    if found := _LOOPS.search(script):
        loops, script = whole_number(found.group(1)), script[: found.start()]
    repeated = _REPEATED.search(script)
    times = max(whole_number(repeated.group(1)), 1) if repeated else 1
    generator = _Generator()
    seconds = sum(generator.run(script) for _ in range(min(times, _MOST_TIMES))) / 1000
    return math.inf if loops < 0 and seconds else seconds * max(loops, 1)


_MOST_TIMES = 10_000


@dataclass
class _Generator:
    """What a script sets: milliseconds of a key's tone, of the silence behind it; how often the next one is played."""

    tone: float = 250.0
    silence: float = 62.5
    loops: int = 1

    def run(self, script: bytes) -> float:
        """Milliseconds. What it sets is kept for the next time."""
        total = 0.0
        for part in script.split(b";"):
            if setting := _SETTING.fullmatch(part):
                self._set(setting.group(1), whole_number(setting.group(2)))
                continue
            for tone, silence, frequency, key in _ELEMENT.findall(part):
                if key:
                    once = self.tone + self.silence
                else:
                    once = whole_number(tone) + whole_number(silence) if whole_number(frequency) else 0
                total += once * max(self.loops, 1)
                self.loops = 1
        return total

    def _set(self, name: bytes, value: int) -> None:
        if name == b"d":
            self.tone = value
        elif name == b"w":
            self.silence = value
        elif name == b"l":
            self.loops = value
