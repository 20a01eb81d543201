"""Leaves the log as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.models.world import LogWatch


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    yield
    log = logging.getLogger("mod_erlang_py")
    log.handlers = [one for one in log.handlers if not isinstance(one, LogWatch)]
