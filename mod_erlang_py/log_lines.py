"""What our log lines are like: each is one line, what it quotes is cut, and not too many are about one peer.

Peers choose much of what stands there: their names, what they ask for, why they end.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

QUOTED = 2000
"""Characters that a line shows of one thing; so many it shows of a term when `erlang debug` is on."""
MINUTE = 60.0
PER_MINUTE = 100
"""Lines about one peer, unless the settings have another number."""
MAX_PEERS = 1000
"""Peers that are told apart at once; the lines about further ones are limited together."""
OTHERS = "others"


def about(peer: str) -> dict[str, str]:
    """For `extra` of a log call: the peer that the line is about, a node's name or an IP address."""
    return {"peer": peer}


def quoted(text: str) -> str:
    """It cut, and with escapes for what does not belong in a line: line ends, control characters."""
    shown = text if len(text) <= QUOTED else text[:QUOTED] + "…"
    if shown.isprintable():
        return shown
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown)


@dataclass(slots=True)
class _Minute:
    """Of one peer. since: when it began, on the monotonic clock."""

    since: float
    lines: int = 0
    left_out: int = 0


class LineHandler(logging.Handler):
    """Hands records on to another handler. per_minute: lines about one peer."""

    def __init__(
        self, to: logging.Handler, clock: Callable[[], float] = time.monotonic, per_minute: int = PER_MINUTE
    ) -> None:
        super().__init__()
        self._to = to
        self._per_minute = per_minute
        self._clock = clock
        self._counting = threading.Lock()
        self._minutes: dict[str, _Minute] = {}  # the one that began first is the first

    def createLock(self) -> None:  # noqa: N802
        """None: the other handler has its own, if it needs one."""
        self.lock = None

    def configure(self, per_minute: int) -> None:
        """A peer of which lines are left out already has to wait for its minute to be over."""
        self._per_minute = per_minute

    def emit(self, record: logging.LogRecord) -> None:
        try:
            for one in self._limited(record):
                self._to.handle(_in_one_line(one))
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        self._to.close()
        super().close()

    def _limited(self, record: logging.LogRecord) -> Iterator[logging.LogRecord]:
        """What is written of a record, and of those before it whose minute is over."""
        peer: str | None = getattr(record, "peer", None)
        with self._counting:
            left_out = [*self._over(self._clock())]
            too_many = 0 if peer is None else self._count(peer)
        for other, number in left_out:
            yield _record("%d more lines about %s were left out", number, other)
        if not too_many:
            yield record
        elif too_many == 1:
            yield _record("further lines about %s are left out until a minute is over, and counted", peer)

    def _over(self, now: float) -> Iterator[tuple[str, int]]:
        """The peers whose minute is over, and of how many lines too many."""
        while self._minutes:
            peer, minute = next(iter(self._minutes.items()))
            if now - minute.since < MINUTE:
                return
            del self._minutes[peer]
            if minute.left_out:
                yield peer, minute.left_out

    def _count(self, peer: str) -> int:
        """How many of its lines are left out by now; 0: this one is not."""
        if peer not in self._minutes and len(self._minutes) >= MAX_PEERS:
            peer = OTHERS
        minute = self._minutes.setdefault(peer, _Minute(self._clock()))
        if minute.left_out or minute.lines >= self._per_minute:
            minute.left_out += 1
        else:
            minute.lines += 1
        return minute.left_out


def _record(text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, arguments, None, "limit")


def _in_one_line(record: logging.LogRecord) -> logging.LogRecord:
    if not isinstance(record.args, tuple):
        return record
    shown = copy.copy(record)
    shown.args = tuple(map(_quoted, record.args))
    return shown


def _quoted(argument: Any) -> object:
    """As it is formatted: numbers as they are, the bytes of a %r cut, and all else as a text."""
    if argument is None or isinstance(argument, int | float):
        return argument
    if isinstance(argument, bytes):
        return argument if len(argument) <= QUOTED else argument[:QUOTED] + b"..."
    return quoted(str(argument))
