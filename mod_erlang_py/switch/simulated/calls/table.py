"""All channels there are, and how many there were."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.core import MAX_SESSIONS

FIVE_MINUTES = 300


@dataclass(frozen=True, slots=True)
class Counts:
    """Of channels ("sessions"). rate: made in the last full or current second, the higher one of both."""

    now: int = 0
    ever: int = 0
    peak: int = 0
    peak_five_minutes: int = 0
    rate: int = 0
    rate_peak: int = 0
    rate_five_minutes: int = 0


@dataclass(slots=True)
class _Second:
    at: int
    made: int
    peak: int


class Table:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._reserved = 0
        self._ever = 0
        self._peak = 0
        self._rate_peak = 0
        self._seconds: deque[_Second] = deque()
        self._open = True

    def reserve(self) -> int | None:
        """The number of a channel to be added; None when there are as many as may be, or no more are taken."""
        with self._lock:
            if not self._open or len(self._channels) + self._reserved >= MAX_SESSIONS:
                return None
            self._reserved += 1
            self._ever += 1
            return self._ever

    def add(self, channel: Channel) -> bool:
        """Instead of one that was reserved. False when no more are taken, or there is one of that UUID."""
        with self._lock:
            self._reserved -= 1
            if not self._open or channel.uuid in self._channels:
                return False
            self._channels[channel.uuid] = channel
            self._count()
            return True

    def remove(self, channel: Channel) -> None:
        with self._lock:
            if self._channels.get(channel.uuid) is channel:
                del self._channels[channel.uuid]

    def find(self, uuid: str) -> Channel | None:
        with self._lock:
            return self._channels.get(uuid)

    def all(self) -> list[Channel]:
        """In the order they were made."""
        with self._lock:
            return list(self._channels.values())

    def close(self) -> list[Channel]:
        """Take no more; those there are."""
        with self._lock:
            self._open = False
            return list(self._channels.values())

    def counts(self) -> Counts:
        with self._lock:
            now = int(time.monotonic())
            self._forget(now)
            return Counts(
                now=len(self._channels),
                ever=self._ever,
                peak=self._peak,
                peak_five_minutes=max([len(self._channels), *(second.peak for second in self._seconds)]),
                rate=max((second.made for second in self._seconds if second.at >= now - 1), default=0),
                rate_peak=self._rate_peak,
                rate_five_minutes=max((second.made for second in self._seconds), default=0),
            )

    def _count(self) -> None:
        now = int(time.monotonic())
        self._forget(now)
        if not self._seconds or self._seconds[-1].at != now:
            self._seconds.append(_Second(now, 0, 0))
        last = self._seconds[-1]
        last.made += 1
        last.peak = max(last.peak, len(self._channels))
        self._peak = max(self._peak, len(self._channels))
        self._rate_peak = max(self._rate_peak, last.made)

    def _forget(self, now: int) -> None:
        while self._seconds and self._seconds[0].at < now - FIVE_MINUTES:
            self._seconds.popleft()
