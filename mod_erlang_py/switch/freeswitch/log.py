"""The switch's log: written to by Python's logging, and read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from mod_erlang_py.log_levels import LogLevel, level_of
from mod_erlang_py.switch.port import LogLine

from .ffi import without_gil
from .structs import LOG_FUNCTION, SUCCESS

CHANNEL_LOG = 0
"""SWITCH_CHANNEL_ID_LOG."""
UNHEARD = 1000
"""Lines without a listener after which the log is no longer listened to. Not at once: each time that somebody begins,
the switch takes 40 bytes that it never gives back."""


class SwitchLogHandler(logging.Handler):
    """Each record is one line of the switch's log, with the Python file, function and line it came from."""

    def createLock(self) -> None:  # noqa: N802
        """None: switch_log_printf is thread-safe, and no lock of ours may be held while the switch runs."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record).encode(errors="replace").replace(b"\0", b"\\0")
            without_gil().switch_log_printf(
                CHANNEL_LOG,
                record.filename.encode() if hasattr(record, "filename") else b"",
                (record.funcName or "").encode(),
                record.lineno,
                None,
                level_of(record),
                b"%s\n",
                text,
            )
        except Exception:
            self.handleError(record)


class _Listeners:
    """Those who read the log, by one function of the switch's log thread, which runs with a mutex of the log held."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # never waited for in the log thread
        self._listeners: tuple[Callable[[LogLine], None], ...] = ()
        self._bound = False
        self._unheard = 0
        self._function = LOG_FUNCTION(self._line)

    def add(self, listener: Callable[[LogLine], None]) -> None:
        with self._lock:
            self._listeners += (listener,)
            if not self._bound:
                self._bound = True
                without_gil().switch_log_bind_logger(self._function, LogLevel.DEBUG, 0)

    def remove(self, listener: Callable[[LogLine], None]) -> None:
        with self._lock:
            self._listeners = tuple(other for other in self._listeners if other is not listener)
            self._unheard = 0

    def unbind(self) -> None:
        """At once, if nobody listens."""
        with self._lock:
            self._unbind()

    def _unbind(self) -> None:
        if self._bound and not self._listeners:
            self._bound = False
            without_gil().switch_log_unbind_logger(self._function)

    def _line(self, node: Any, _level: int) -> int:
        try:
            if self._listeners:
                line = _read(node.contents)
                for listener in self._listeners:
                    listener(line)
            else:
                self._unheard += 1
                if self._unheard >= UNHEARD and self._lock.acquire(blocking=False):
                    try:
                        self._unbind()
                    finally:
                        self._lock.release()
        except Exception:
            pass  # logging it would come back here
        return SUCCESS


def _read(node: Any) -> LogLine:
    return LogLine(
        LogLevel(node.level),
        node.channel,
        node.file,
        node.func,
        node.line,
        node.data or b"",
        node.userdata or b"",
    )


_listeners = _Listeners()


def bind(listener: Callable[[LogLine], None]) -> Callable[[], None]:
    """Call the listener for each line of the log, in the switch's log thread. Returns what ends it."""
    _listeners.add(listener)
    return lambda: _listeners.remove(listener)


def unbind() -> None:
    """Have the log thread call nothing of ours any more: soon there may be no Python."""
    _listeners.unbind()
