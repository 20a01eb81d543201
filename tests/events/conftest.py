"""A running pump."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.events.pumping import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench().start()
    yield bench
    bench.stop()
