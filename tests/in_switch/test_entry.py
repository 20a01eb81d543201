"""Starting inside FreeSWITCH: what fails leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mod_erlang_py.switch.freeswitch import FreeSwitch
from tests.entries import FAILURES, Services, fresh_entry


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def entry(services: Services, switch: FreeSwitch) -> Iterator[Any]:
    with fresh_entry(services) as entry:
        yield entry
        services.fails.clear()
        if switch.has_module():
            switch.unload()


@pytest.mark.parametrize(("where", "error"), FAILURES)
def test_a_start_that_failed_can_be_tried_again(
    entry: Any, services: Services, switch: FreeSwitch, where: str, error: Callable[[], Exception]
) -> None:
    services.fails[where] = error()
    for _ in range(3):
        with pytest.raises(type(services.fails[where])):
            entry.start()
        assert all(service.stopped for service in services.made)
        assert switch.execute("module_exists", b"mod_erlang_py").output == b"false"
        assert not switch.execute("erlang", b"").found
    services.fails.clear()
    for _ in range(2):
        entry.start()
        entry.start()
        assert switch.execute("erlang", b"").output == b"number %d\n" % len(services.made)
        assert switch.execute("unload", b"mod_erlang_py").output == b"+OK\n"
        assert services.made[-1].stopped
