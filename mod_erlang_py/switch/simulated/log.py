"""The switch's log: lines in the form of FreeSWITCH's console, written to a stream and told to listeners."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import PurePath
from typing import TextIO

from mod_erlang_py.log_levels import LogLevel, level_of
from mod_erlang_py.switch.port import LogLine
from mod_erlang_py.switch.simulated.origin import Origin
from mod_erlang_py.switch.simulated.words import whole_number

CHANNEL = 0
"""The text channel of all lines (SWITCH_CHANNEL_ID_LOG)."""

QUEUE_LENGTH = 10_000
"""Lines that wait for a listener; those beyond it are dropped, as FreeSWITCH does."""

Listener = Callable[[LogLine], None]


def level_of_text(word: bytes) -> LogLevel | None:
    """A number, cut off at 7, or a name in any case. Source: switch_log_str2level."""
    if word[:1].isdigit():
        return LogLevel(min(whole_number(word), LogLevel.DEBUG))
    return LogLevel.__members__.get(word.decode("ascii", "replace").upper())


class ConsoleLog:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._feeds: tuple[_Feed, ...] = ()

    def write(self, level: LogLevel, origin: Origin, text: str, when: datetime | None = None, uuid: str = "") -> None:
        """`2026-11-23 12:00:00.000000 [NOTICE] file.py:12 text`, in local time. uuid: the call's it is about.

        A stream that is closed or that nobody reads is ignored: a switch goes on without its console.
        """
        stamp = (when or datetime.now()).strftime("%Y-%m-%d %H:%M:%S.%f")
        out = f"{stamp} [{level.name}] {origin.file}:{origin.line} {text}\n"
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        shown = out.encode(encoding, "backslashreplace").decode(encoding)
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(shown)
            self._stream.flush()
        if self._feeds:
            line = LogLine(
                level=level,
                channel=CHANNEL,
                file=origin.file.encode("utf-8", "surrogateescape"),
                function=origin.function.encode(),
                line=origin.line,
                text=out.encode("utf-8", "backslashreplace"),
                uuid=uuid.encode(),
            )
            for feed in self._feeds:
                feed.offer(line)

    def bind(self, listener: Listener) -> Callable[[], None]:
        """Call the listener for every line from now on. Returns what ends it, and waits until it is over."""
        feed = _Feed(listener)
        with self._lock:
            self._feeds += (feed,)

        def unbind() -> None:
            with self._lock:
                self._feeds = tuple(other for other in self._feeds if other is not feed)
            feed.end()

        return unbind

    def close(self) -> None:
        """End all listeners, after the lines that wait for them."""
        with self._lock:
            feeds, self._feeds = self._feeds, ()
        for feed in feeds:
            feed.drain()


class _Feed:
    """A listener's queue and thread, so that neither who logs nor another listener waits for it."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._lines: queue.Queue[LogLine | None] = queue.Queue()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="simulated-log", daemon=True)
        self._thread.start()

    def offer(self, line: LogLine) -> None:
        if self._lines.qsize() < QUEUE_LENGTH:
            self._lines.put(line)

    def end(self) -> None:
        self._ended = True
        self.drain()

    def drain(self) -> None:
        self._lines.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None and not self._ended:
            with contextlib.suppress(Exception):  # logging it would come back here
                self._listener(line)


class ConsoleHandler(logging.Handler):
    def __init__(self, log: ConsoleLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            when = datetime.fromtimestamp(record.created)
            origin = Origin(PurePath(record.pathname).name, record.funcName or "", record.lineno)
            self._log.write(level_of(record), origin, self.format(record), when)
        except Exception:
            self.handleError(record)
