"""The switch's log: written to by Python's logging, and read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from mod_erlang_py.log_levels import LogLevel, level_of
from mod_erlang_py.switch.port import LogLine

from .ffi import LOG_FUNCTION, SUCCESS, lib

CHANNEL_LOG = 0
"""SWITCH_CHANNEL_ID_LOG."""

_given_to_c: list[Any] = []
"""Never let go of: the log thread may be on its way into a function that was just unbound."""


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


def bind(listener: Callable[[LogLine], None]) -> Callable[[], None]:
    """Call the listener for each line of the log, in the switch's log thread. Returns what ends it."""

    def line(node: Any, _level: int) -> int:
        try:
            one = node.contents
            listener(
                LogLine(
                    LogLevel(one.level), one.channel, one.file, one.func, one.line, one.data or b"", one.userdata or b""
                )
            )
        except Exception:
            pass  # logging it would come back here
        return SUCCESS

    function = LOG_FUNCTION(line)
    _given_to_c.append(function)
    lib().switch_log_bind_logger(function, LogLevel.DEBUG, 0)

    def unbind() -> None:
        lib().switch_log_unbind_logger(function)

    return unbind
