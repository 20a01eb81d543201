"""Letting go of calls that are about to park, which no peer can time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from mod_erlang_py.calls.parking import Parking
from mod_erlang_py.events.subscription import Subscription
from mod_erlang_py.switch.port import Event, Form
from mod_erlang_py.switch.simulated.events import ReceivedEvent

UUID = "5f0d8f4e-3f5b-4a5e-9c77-1f3f5d3c9a10"


class Session:
    """A call whose thread is in the application."""

    uuid = UUID

    def __init__(self) -> None:
        self.parked = threading.Event()
        self.released = threading.Event()

    def park(self) -> None:
        self.parked.set()
        assert self.released.wait(10), "parked for ever"

    def let_go(self) -> bool:
        if self.parked.is_set():
            self.released.set()
        return self.parked.is_set()


class Subscriptions:
    """Keeps who is subscribed. added: called with each that comes."""

    def __init__(self) -> None:
        self.ones: list[Subscription] = []
        self.added: Callable[[], None] = lambda: None

    def add(self, one: Subscription) -> bool:
        self.ones.append(one)
        self.added()
        return True

    def end(self, one: Subscription) -> bool:
        if one in self.ones:
            self.ones.remove(one)
            return True
        return False


class Bench:
    def __init__(self) -> None:
        self.session = Session()
        self.subscriptions = Subscriptions()
        self.parking = Parking(cast(Any, self), cast(Any, self.subscriptions), Form.STRING)

    @contextmanager
    def locate(self, uuid: str) -> Iterator[Session]:
        yield self.session

    def let_go(self) -> None:
        self.parking.let_go(cast(Any, self.session))

    def park_event(self) -> None:
        """What the pump does with it."""
        received = ReceivedEvent(Event("CHANNEL_PARK", ((b"Unique-ID", UUID.encode()),)), {})
        for one in list(self.subscriptions.ones):
            assert one.notice is not None
            assert received.name in one.notice.names
            one.notice.take(received)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def in_thread(target: Any) -> None:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_a_call_that_is_let_go_just_before_it_parks(bench: Bench) -> None:
    """Nobody waits for it: the event that it has parked lets go of it."""
    with bench.parking.run(UUID) as run:
        assert not run.go_on
        in_thread(bench.let_go)  # comes too late for go_on
        parking = threading.Thread(target=bench.session.park, daemon=True)
        parking.start()
        assert bench.session.parked.wait(10)
        assert not bench.session.released.is_set()
        bench.park_event()
        parking.join(10)
        assert not parking.is_alive()
    assert bench.subscriptions.ones == []


def test_one_that_parks_while_it_is_let_go(bench: Bench) -> None:
    """Its event came before anybody would have heard of it."""
    bench.subscriptions.added = bench.session.parked.set
    with bench.parking.run(UUID):
        in_thread(bench.let_go)
        assert bench.session.released.is_set()
        assert bench.subscriptions.ones == []


def test_one_that_is_about_to_park_at_the_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is handed out any more; it goes on all the same, and one that is not let go is not waited for."""
    monkeypatch.setattr("mod_erlang_py.calls.parking.STOP_TIME", 60.0)
    with bench.parking.run("another"), bench.parking.run(UUID):
        in_thread(bench.let_go)
        stopping = threading.Thread(target=bench.parking.stop, daemon=True)
        stopping.start()
        bench.session.park()
    stopping.join(10)
    assert not stopping.is_alive()
    monkeypatch.setattr("mod_erlang_py.calls.parking.LOOK", 60.0)
    with bench.parking.run("another"):
        in_thread(bench.parking.stop)


def test_one_whose_event_is_lost(bench: Bench) -> None:
    with bench.parking.run(UUID):
        in_thread(bench.let_go)
        bench.session.parked.set()
        bench.parking.look_after()
        assert bench.session.released.is_set()


def test_a_call_that_was_let_go_does_not_park(bench: Bench) -> None:
    """Its process was gone when it was announced, on the call's own thread."""
    with bench.parking.run(UUID) as run:
        bench.let_go()
        assert run.go_on
        assert bench.subscriptions.ones == []


def test_a_call_that_is_let_go_and_does_not_park(bench: Bench) -> None:
    with bench.parking.run(UUID) as run:
        in_thread(bench.let_go)
        assert run.go_on
    assert bench.subscriptions.ones == []


def test_letting_go_of_a_call_that_no_application_parks(bench: Bench) -> None:
    bench.let_go()
    bench.session.parked.set()
    bench.let_go()
    assert bench.session.released.is_set()
    assert bench.subscriptions.ones == []
