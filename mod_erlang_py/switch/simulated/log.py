"""The switch's log: lines in the form of FreeSWITCH's console."""

from __future__ import annotations

import contextlib
import logging
import threading
from datetime import datetime
from pathlib import PurePath
from typing import TextIO

from mod_erlang_py.switch.port import LogLevel, level_of

DISABLED = -1
"""A threshold below every level."""


class ConsoleLog:
    """Writes lines to a stream; `threshold` is the mildest level that is written (console loglevel)."""

    def __init__(self, stream: TextIO) -> None:
        self.threshold: int = LogLevel.DEBUG
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, level: LogLevel, file: str, line: int, text: str, when: datetime | None = None) -> None:
        """`2026-11-23 12:00:00.000000 [NOTICE] file.py:12 text`, in local time.

        A stream that is closed or that nobody reads is ignored: a switch goes on without its console.
        """
        if level > self.threshold:
            return
        stamp = (when or datetime.now()).strftime("%Y-%m-%d %H:%M:%S.%f")
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        out = f"{stamp} [{level.name}] {file}:{line} {text}\n".encode(encoding, "backslashreplace")
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(out.decode(encoding))
            self._stream.flush()


class ConsoleHandler(logging.Handler):
    def __init__(self, log: ConsoleLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            when = datetime.fromtimestamp(record.created)
            file = PurePath(record.pathname).name
            self._log.write(level_of(record), file, record.lineno, self.format(record), when)
        except Exception:
            self.handleError(record)
