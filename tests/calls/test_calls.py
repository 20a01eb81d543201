"""What of the calls no peer can time: see tests/peers/test_calls.py for the rest."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from mod_erlang_py.calls.calls import HANGUP, Call, Calls
from mod_erlang_py.config.disposition import Continue
from mod_erlang_py.events.interest import Names, Subscription
from mod_erlang_py.switch.port import Event
from tests.waiting import wait_until

UUID = "5f0d8f4e-3f5b-4a5e-9c77-1f3f5d3c9a10"


class Session:
    """A call whose thread is in the application. reached: before it parks; may_park: for it to go on."""

    uuid = UUID

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.may_park = threading.Event()
        self.parked = threading.Event()
        self.released = threading.Event()

    def is_controlled(self) -> bool:
        return self.parked.is_set()

    def park(self) -> None:
        self.reached.set()
        assert self.may_park.wait(10)
        self.parked.set()
        assert self.released.wait(10), "parked for ever"

    def let_go(self) -> bool:
        if self.parked.is_set():
            self.released.set()
        return self.parked.is_set()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    nobody = cast(Any, None)
    monkeypatch.setattr(Calls, "_hand_over", lambda *_: True)
    return Calls(nobody, nobody, nobody, nobody, nobody, Continue(), nobody)


def start(target: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def test_a_call_that_is_let_go_just_before_it_parks(calls: Calls) -> None:
    session = cast(Any, Session())
    application = start(calls.application, session, b"taker node@host")
    assert session.reached.wait(10)
    letting_go = start(calls._let_go, session)
    wait_until(lambda: calls._parking[UUID].go_on)
    session.may_park.set()
    for thread in (letting_go, application):
        thread.join(10)
        assert not thread.is_alive()
    assert calls._parking == {}


def test_a_call_that_was_let_go_does_not_park(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handler was gone when it was announced, on the call's own thread."""
    session = cast(Any, Session())

    def hand_over(*_: object) -> bool:
        calls._let_go(session)
        return True

    monkeypatch.setattr(Calls, "_hand_over", hand_over)
    calls.application(session, b"taker node@host")
    assert not session.reached.is_set()


def test_letting_go_of_a_call_that_no_application_parks(calls: Calls) -> None:
    calls._let_go(cast(Any, Session()))


@pytest.mark.parametrize(
    ("name", "uuid", "sequence", "wanted"),
    [
        ("CHANNEL_STATE", UUID, 7, True),
        ("CHANNEL_STATE", UUID, 6, False),
        ("CHANNEL_STATE", "another", 7, False),
        ("CHANNEL_HANGUP", UUID, 6, True),
        ("CHANNEL_HANGUP_COMPLETE", UUID, 6, True),
    ],
)
def test_events_from_before_the_attaching_are_not_read(
    calls: Calls, name: str, uuid: str, sequence: int, wanted: bool
) -> None:
    calls._calls[UUID] = Call(UUID, since=7)
    assert calls.want(Event(name, ((b"Unique-ID", uuid.encode()), (b"Event-Sequence", b"%d" % sequence)))) is wanted


def test_what_the_process_does_not_want_is_not_read(calls: Calls) -> None:
    call = calls._calls[UUID] = Call(UUID, since=0)
    call.subscription = Subscription().add(Names(frozenset({"DTMF"}), frozenset()))
    parked, dtmf, hangup = (Event(name, ((b"Unique-ID", UUID.encode()),)) for name in ("CHANNEL_PARK", "DTMF", HANGUP))
    assert [calls.want(what) for what in (parked, dtmf, hangup)] == [True, True, True]  # kept, until it is announced
    call.kept = None
    assert [calls.want(what) for what in (parked, dtmf, hangup)] == [False, True, True]


def test_what_belongs_to_no_call_is_not_read(calls: Calls) -> None:
    calls._calls[UUID] = Call(UUID, since=0)
    assert not calls.want(Event("HEARTBEAT", ((b"Event-Sequence", b"9"),)))
