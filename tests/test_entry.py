"""Starting inside FreeSWITCH; tests/in_switch/test_entry.py does it in one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Module
from tests.entries import FAILURES, Services, fresh_entry


class FakeSwitch:
    """What entry, and a service, do with the switch."""

    def __init__(self) -> None:
        self.module: Module | None = None
        self.busy = False

    def log_handler(self) -> logging.Handler:
        return logging.NullHandler()

    def load(self, module: Module) -> None:
        if self.module is not None:
            raise SwitchError("load", "loaded already")
        self.module = module

    def has_module(self) -> bool:
        return self.module is not None

    def unload(self) -> None:
        assert self.module is not None
        if self.busy:
            raise SwitchError("unload", "Module in use.")
        module, self.module = self.module, None
        module.shutdown()


@pytest.fixture
def switch() -> FakeSwitch:
    return FakeSwitch()


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def entry(services: Services, switch: FakeSwitch) -> Iterator[Any]:
    with fresh_entry(services) as entry:
        entry.FreeSwitch = lambda: switch
        yield entry


def test_started_once(entry: Any, services: Services, switch: FakeSwitch) -> None:
    entry.start()
    entry.start()
    assert len(services.made) == 1
    assert switch.has_module()


def test_started_again_after_its_end(entry: Any, services: Services, switch: FakeSwitch) -> None:
    entry.start()
    switch.unload()
    entry.start()
    assert [service.stopped for service in services.made] == [True, False]


@pytest.mark.parametrize(("where", "error"), FAILURES)
def test_a_start_that_failed_is_undone_and_can_be_tried_again(
    entry: Any, services: Services, switch: FakeSwitch, where: str, error: Callable[[], Exception]
) -> None:
    """It was "already running" until the switch restarted."""
    services.fails[where] = error()
    for _ in range(3):
        with pytest.raises(type(services.fails[where])):
            entry.start()
        assert all(service.stopped for service in services.made)
        assert not switch.has_module()
    services.fails.clear()
    entry.start()
    assert not services.made[-1].stopped
    assert switch.has_module()


def test_what_fails_while_it_is_undone_hides_nothing(entry: Any, services: Services, switch: FakeSwitch) -> None:
    services.fails = {"loaded": RuntimeError("first"), "stop": RuntimeError("second")}
    switch.busy = True
    with pytest.raises(RuntimeError, match="first"):
        entry.start()
    with pytest.raises(SwitchError, match="loaded already"):
        entry.start()
    switch.busy = False
    services.fails.clear()
    switch.unload()
    entry.start()
    assert not services.made[-1].stopped


def test_stopped_when_the_interpreter_ends(entry: Any, services: Services) -> None:
    entry._stop()
    entry.start()
    entry._stop()
    assert services.made[0].stopped
