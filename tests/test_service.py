"""Starts that fail, and stopping what was half started."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mod_erlang_py.errors import ConfigError, SwitchError
from mod_erlang_py.logs import Logs
from mod_erlang_py.node.node import Node
from mod_erlang_py.service import Service
from mod_erlang_py.switch.port import Implementation, Module
from mod_erlang_py.switch.simulated import SimulatedSwitch
from mod_erlang_py.xml.fetches import Fetches
from scripts.scratch import write_settings


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("erlang:")]


@pytest.fixture
def made(tmp_path: Path, free_port: Callable[[], int]) -> Service:
    settings = {"listen-ip": "127.0.0.1", "listen-port": str(free_port()), "cookie": "c", "epmd": "none"}
    write_settings(tmp_path, settings)
    return Service(SimulatedSwitch(tmp_path, log_to=io.StringIO()))


def fail(*_: object) -> None:
    raise SwitchError("switch_core", "refused")


def test_an_event_source_that_cannot_be_had(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for is what is used, or the start fails and says which setting it was."""
    settings = {"listen-port": str(free_port()), "epmd": "none", "event-source": "compiled"}
    write_settings(tmp_path, settings)
    asked = []

    def events(_: object, encoders: object, implementation: Implementation) -> None:
        asked.append(implementation)
        raise SwitchError("the compiled event source", "not built")

    monkeypatch.setattr(SimulatedSwitch, "events", events)
    with pytest.raises(ConfigError, match=r"event-source='compiled': .*or auto; the compiled event source: not built"):
        Service(SimulatedSwitch(tmp_path, log_to=io.StringIO()))
    assert asked == [Implementation.COMPILED]


def no_threads(*_: object) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize(
    ("owner", "step", "error"),
    [
        (Fetches, "start", fail),
        (Node, "start", no_threads),
        (SimulatedSwitch, "load", fail),
    ],
    ids=["look-ups", "node", "module"],
)
def test_a_start_that_fails_leaves_nothing(
    made: Service, monkeypatch: pytest.MonkeyPatch, owner: type, step: str, error: Callable[..., None]
) -> None:
    """Whichever step it is; and another start is possible."""
    switch = made._switch
    assert isinstance(switch, SimulatedSwitch)
    with monkeypatch.context() as failing:
        failing.setattr(owner, step, error)
        with pytest.raises((SwitchError, RuntimeError)):
            made.start()
    assert made.stopped
    assert threads() == []
    assert switch._bus._sources == ()
    again = Service(switch)
    again.start()
    again.stop()
    assert threads() == []


def test_every_step_of_stopping_is_taken(made: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever one of them raises."""
    made.start()
    stop = Logs.stop

    def stop_and_fail(logs: Logs) -> None:
        stop(logs)
        raise OSError("bad descriptor")

    monkeypatch.setattr(Logs, "stop", stop_and_fail)
    made.stop()
    assert threads() == []


def test_the_module_is_there_only_when_all_runs(made: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[list[str]] = []
    load = SimulatedSwitch.load

    def look(switch: SimulatedSwitch, module: Module) -> None:
        running.append(threads())
        load(switch, module)

    monkeypatch.setattr(SimulatedSwitch, "load", look)
    made.start()
    made.stop()
    assert {"erlang:events", "erlang:logs", "erlang:acceptor"} <= set(running[0])
