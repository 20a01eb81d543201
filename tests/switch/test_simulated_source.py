"""The simulated switch's source of events keeps the contract."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mod_erlang_py.switch.port import Encoder, Event, EventSource, Form
from mod_erlang_py.switch.simulated.core import Core
from mod_erlang_py.switch.simulated.events import EventBus
from mod_erlang_py.switch.simulated.origin import Origin
from tests.switch.source_contract import SourceContract, Subject


class Simulated:
    implementation = "simulated"
    lossy = (100, 150)

    def __init__(self) -> None:
        core = Core("u", "h", "s", "1.2.3.4", "::1")
        self._bus = EventBus(core, lambda _: None, limit=100_000)
        self._small = EventBus(core, lambda _: None, limit=100)

    def source(self, encoders: Mapping[Form, Encoder], small: bool = False) -> EventSource:
        return (self._small if small else self._bus).source(encoders)

    def fire(self, event: Event) -> None:
        for bus in (self._bus, self._small):
            bus.fire(event, Origin("f", "g", 1))

    def settle(self) -> None:
        """Who fires delivers."""


class TestSimulatedSource(SourceContract):
    @pytest.fixture
    def subject(self) -> Subject:
        return Simulated()
