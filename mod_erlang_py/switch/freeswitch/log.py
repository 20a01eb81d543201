"""Python's logging, written to the switch's log."""

from __future__ import annotations

import logging

from mod_erlang_py.switch.port import level_of

from .ffi import lib

CHANNEL_LOG = 0
"""SWITCH_CHANNEL_ID_LOG."""


class SwitchLogHandler(logging.Handler):
    """Each record is one line of the switch's log, with the Python file, function and line it came from."""

    def createLock(self) -> None:  # noqa: N802
        """None: switch_log_printf is thread-safe, and no lock of ours may be held while the switch runs."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record).encode(errors="replace").replace(b"\0", b"\\0")
            lib().switch_log_printf(
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
