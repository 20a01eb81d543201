"""The levels of log lines: FreeSWITCH's, and what Python's `logging` makes of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import IntEnum


class LogLevel(IntEnum):
    """switch_log_level_t."""

    CONSOLE = 0
    ALERT = 1
    CRIT = 2
    ERR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


def level_of(record: logging.LogRecord) -> LogLevel:
    """The switch's level for a `logging` record; CRITICAL is CRIT, and a level between two is the milder one."""
    for floor, level in _LEVELS:
        if record.levelno >= floor:
            return level
    return LogLevel.DEBUG


NOTICE = 25
logging.addLevelName(NOTICE, "NOTICE")

_LEVELS: Iterable[tuple[int, LogLevel]] = (
    (logging.CRITICAL, LogLevel.CRIT),
    (logging.ERROR, LogLevel.ERR),
    (logging.WARNING, LogLevel.WARNING),
    (NOTICE, LogLevel.NOTICE),
    (logging.INFO, LogLevel.INFO),
)
