"""Sessions: what the node does with a call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mod_erlang_py.switch.freeswitch import FreeSwitch
from mod_erlang_py.switch.port import EventSource, Session, Wanted
from tests.batches import take
from tests.in_switch.conftest import originate, parked
from tests.waiting import wait_until


@pytest.fixture
def ends(switch: FreeSwitch) -> Iterator[EventSource]:
    """The ends of calls."""
    source = switch.events({})
    source.want(Wanted(frozenset({"CHANNEL_HANGUP_COMPLETE", "CHANNEL_EXECUTE"})))
    yield source
    source.close()


def ended(source: EventSource, call: str) -> str:
    """The cause."""
    while True:
        for event in take(source, 10, 1):
            if event.name == "CHANNEL_HANGUP_COMPLETE" and event.uuid == call.encode():
                return (event.header(b"Hangup-Cause") or b"").decode()


def test_there_is_none(switch: FreeSwitch) -> None:
    for uuid in ("", "nobody", "ä", "0" * 5000):
        with switch.locate(uuid) as session:
            assert session is None
        with switch.locate(uuid, ended=True) as session:
            assert session is None


def test_a_parked_call(switch: FreeSwitch, call: str) -> None:
    with switch.locate(call) as session:
        assert session is not None
        assert session.uuid == call
        assert session.state() == "CS_EXECUTE"
        assert not session.has_hung_up()
        assert session.is_controlled()


def test_variables(switch: FreeSwitch, call: str) -> None:
    with switch.locate(call) as session:
        assert session is not None
        assert session.variable("kind") == b"test"
        assert session.variable("no_such") is None
        assert session.variable("") is None
        assert session.variable("destination_number") is not None  # of the caller profile


def test_let_go(switch: FreeSwitch, call: str, ends: EventSource) -> None:
    """The application returns; here it was the last."""
    with switch.locate(call) as session:
        assert session is not None
        assert session.let_go()
    assert ended(ends, call) == "NORMAL_CLEARING"
    with switch.locate(call) as session:
        assert session is None


def test_one_that_is_not_parked_is_not_let_go(switch: FreeSwitch) -> None:
    call = originate(switch, "&sleep(10000)")
    try:
        with switch.locate(call) as session:
            assert session is not None
            assert not session.let_go()
    finally:
        switch.execute("uuid_kill", call.encode())


@pytest.mark.parametrize(("cause", "shown"), [("USER_BUSY", "USER_BUSY"), ("no such cause", "NORMAL_CLEARING")])
def test_hangup(switch: FreeSwitch, call: str, ends: EventSource, cause: str, shown: str) -> None:
    with switch.locate(call) as session:
        assert session is not None
        session.hangup(cause)
        assert session.has_hung_up()
    assert ended(ends, call) == shown


def test_transfer(switch: FreeSwitch, call: str, ends: EventSource) -> None:
    """To the extension `park` of the dialplan, which answers first."""
    with switch.locate(call) as session:
        assert session is not None
        session.transfer("park", "XML", "default")
    while True:
        for event in take(ends, 10, 1):
            if event.header(b"Application") == b"answer" and event.uuid == call.encode():
                assert event.header(b"Caller-Destination-Number") == b"park"
                parked(switch, call)
                return


def test_send_message(switch: FreeSwitch, call: str) -> None:
    with switch.locate(call) as session:
        assert session is not None
        assert session.send_message(
            [
                (b"call-command", b"execute"),
                (b"execute-app-name", b"set"),
                (b"execute-app-arg", b"told=by a message"),
            ]
        )
        wait_until(lambda: session.variable("told") == b"by a message")


def test_more_messages_than_it_takes(switch: FreeSwitch) -> None:
    """Queued until it can read them, which it does not while it sleeps in this way."""
    call = originate(switch, "&system(sleep 2)")
    try:
        with switch.locate(call) as session:
            assert session is not None
            assert not all(session.send_message([(b"call-command", b"nothing")]) for _ in range(6000))
    finally:
        switch.execute("uuid_kill", call.encode())


def test_data(switch: FreeSwitch, call: str) -> None:
    """As notify_new_session of mod_erlang_event makes it."""
    with switch.locate(call) as session:
        assert session is not None
        data = session.data()
    assert data.name == "CHANNEL_DATA"
    assert data.uuid == call.encode()
    assert data.header(b"Channel-Destination-Number") is not None
    assert data.header(b"Channel-State") == b"CS_EXECUTE"
    assert data.header(b"variable_kind") == b"test"
    assert data.sequence > 0


def test_kept_after_its_end(switch: FreeSwitch, call: str, ends: EventSource) -> None:
    with switch.locate(call) as session:
        assert session is not None
        session.soft_lock(10)
        session.hangup("NORMAL_CLEARING")
    wait_until(lambda: found(switch, call, ended=False) is None)
    with switch.locate(call, ended=True) as session:
        assert session is not None
        assert session.has_hung_up()
        assert session.variable("kind") == b"test"
        session.soft_unlock()
    wait_until(lambda: found(switch, call, ended=True) is None)


def found(switch: FreeSwitch, call: str, ended: bool) -> Session | None:
    with switch.locate(call, ended) as session:
        return session
