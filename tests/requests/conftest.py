"""A dispatcher on fakes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mod_erlang_py.config.settings import Config, Encoding
from mod_erlang_py.node.threads import Threads
from tests.requests.asking import Bench


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Of encoding string; with @pytest.mark.parametrize("bench", ["binary"], indirect=True) of that."""
    threads = Threads()
    encoding = Encoding(getattr(request, "param", "string"))
    bench = Bench(threads, Config(encoding=encoding))
    yield bench
    bench.workers.stop()
    assert threads.join(10) == []
