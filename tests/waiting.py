"""Waiting for what no event announces: a line in a log file, the number of a process's threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 10.0
"""Seconds after which a wait of a test has failed."""


def wait_until(found: Callable[[], T], timeout: float = DEADLINE, told: Callable[[], object] = lambda: "") -> T:
    """What found() returns, as soon as it is true. told: what the failure says besides."""
    deadline = time.monotonic() + timeout
    while not (value := found()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {timeout:g} s: {told()}")
        time.sleep(0.005)
    return value
