"""mod_erlang_py.entry as it is when FreeSWITCH has just started, with services that do what a test tells them to."""

from __future__ import annotations

import atexit
import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from mod_erlang_py.errors import ConfigError
from mod_erlang_py.switch.port import Module


class Services:
    """Makes them. fails: what to raise, in "init", in "start" before the module is loaded or "loaded", when it is."""

    def __init__(self) -> None:
        self.made: list[FakeService] = []
        self.fails: dict[str, Exception] = {}

    def __call__(self, switch: Any, limit_lines: Callable[[int], None]) -> FakeService:
        self.fail("init")
        self.made.append(FakeService(self, switch))
        return self.made[-1]

    def fail(self, where: str) -> None:
        if where in self.fails:
            raise self.fails[where]


class FakeService:
    """What entry needs of a service."""

    def __init__(self, services: Services, switch: Any) -> None:
        self._services = services
        self._switch = switch
        self.stops = 0

    def start(self) -> None:
        self._services.fail("start")
        self._switch.load(Module(lambda line: f"number {len(self._services.made)}\n", self.stop))
        self._services.fail("loaded")

    @property
    def stopped(self) -> bool:
        return self.stops > 0

    def stop(self) -> None:
        self.stops += 1
        self._services.fail("stop")


@contextmanager
def fresh_entry(services: Services) -> Iterator[Any]:
    logger = logging.getLogger("mod_erlang_py")
    before = logger.handlers[:], logger.level, logger.propagate, sys.getswitchinterval()
    logger.handlers.clear()
    with pytest.MonkeyPatch.context() as patch:
        service = ModuleType("mod_erlang_py.service")
        service.Service = services  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "mod_erlang_py.service", service)
        patch.delitem(sys.modules, "mod_erlang_py.entry", raising=False)
        entry = importlib.import_module("mod_erlang_py.entry")
        try:
            yield entry
        finally:
            atexit.unregister(entry._stop)
            sys.modules.pop("mod_erlang_py.entry")
            logger.handlers[:], logger.level, logger.propagate, interval = before
            sys.setswitchinterval(interval)


FAILURES: list[tuple[str, Callable[[], Exception]]] = [
    ("init", lambda: ConfigError("listen-port", "x", "a port")),
    ("start", lambda: OSError("no more threads")),
    ("loaded", lambda: RuntimeError("half-way")),
]
