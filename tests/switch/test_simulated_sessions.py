"""Sessions of the simulated switch, as the port gives them: to an application, and by UUID."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Application, Session, Wanted
from tests.switch.conftest import MakeSimulatedDesk
from tests.switch.desks import WAIT, SimulatedDesk, extension, text

Run = Callable[[Session, bytes], None]


class Ours:
    """The application `ours`: what it does is given by the test."""

    def __init__(self) -> None:
        self.run: Run = lambda session, _: session.park()
        self.seen: list[tuple[str, bytes, str]] = []
        self.application = Application("ours", "A test", "<data>", self._run)

    def _run(self, session: Session, data: bytes) -> None:
        self.seen.append((session.uuid, data, threading.current_thread().name))
        self.run(session, data)


@pytest.fixture
def ours() -> Ours:
    return Ours()


@pytest.fixture
def desk(simulated_desk: MakeSimulatedDesk, ours: Ours) -> SimulatedDesk:
    return simulated_desk(extension("ours", "ours first", "set after=it", "park"), (ours.application,))


def locate(desk: SimulatedDesk, uuid: str, use: Callable[[Session], object], ended: bool = False) -> object:
    with desk.switch.locate(uuid, ended) as session:
        assert session is not None
        return use(session)


# --- applications of the module -----------------------------------------------------------------------------------


def test_the_module_s_application_runs_on_the_channel_s_thread(desk: SimulatedDesk, ours: Ours) -> None:
    ours.run = lambda session, data: None
    uuid = desk.call("{x=y}loopback/answered '&ours(${x} ${destination_number})'")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert text(complete, "Application") == "ours"
    assert ours.seen == [(uuid, b"y answered", "simulated-call-loopback/answered-a")]


def test_it_is_the_module_s_as_long_as_that_is_loaded(desk: SimulatedDesk) -> None:
    desk.switch.unload()
    uuid = desk.call("loopback/answered &ours")
    assert text(desk.next("CHANNEL_HANGUP", uuid), "Hangup-Cause") == "DESTINATION_OUT_OF_ORDER"


@pytest.mark.parametrize("command", ["unload mod_erlang_py", "unload -f mod_erlang_py"])
def test_unloading_does_nothing_to_calls_in_its_applications(desk: SimulatedDesk, command: str) -> None:
    uuid = desk.call("loopback/answered &ours")
    desk.next("CHANNEL_PARK", uuid)
    assert desk.ask(command) == "+OK\n"
    assert desk.ask(f"uuid_exists {uuid}") == "true"


def test_an_application_that_fails_does_not_take_the_call_down(desk: SimulatedDesk, ours: Ours) -> None:
    def fail(_session: Session, _data: bytes) -> None:
        raise RuntimeError("stuck here")

    ours.run = fail
    uuid = desk.call("loopback/answered ours")
    assert text(desk.next("CHANNEL_PARK", uuid), "variable_after") == "it"
    assert "the application ours failed" in desk.log()
    assert "RuntimeError: stuck here" in desk.log()


# --- parking ------------------------------------------------------------------------------------------------------


def test_let_go_ends_the_parking_and_the_dialplan_goes_on(desk: SimulatedDesk) -> None:
    uuid = desk.call("loopback/answered ours")
    desk.next("CHANNEL_PARK", uuid)
    assert locate(desk, uuid, lambda session: session.is_controlled()) is True
    locate(desk, uuid, lambda session: session.let_go())
    unpark = desk.next("CHANNEL_UNPARK", uuid)
    assert text(unpark, "variable_after") is None
    assert text(desk.next("CHANNEL_PARK", uuid), "variable_after") == "it"


def test_let_go_of_what_is_not_parked_does_nothing(desk: SimulatedDesk, ours: Ours) -> None:
    def run(session: Session, _data: bytes) -> None:
        session.let_go()
        assert not session.is_controlled()
        session.park()

    ours.run = run
    uuid = desk.call("loopback/answered &ours")
    desk.next("CHANNEL_PARK", uuid)
    assert locate(desk, uuid, lambda session: session.is_controlled()) is True


def test_parking_by_another_thread_is_refused(desk: SimulatedDesk) -> None:
    uuid = desk.call()
    with desk.switch.locate(uuid) as session:
        assert session is not None
        with pytest.raises(SwitchError, match="not on the session's own thread"):
            session.park()


# --- what a session tells -----------------------------------------------------------------------------------------


def test_data_begin_with_the_caller_profile(desk: SimulatedDesk) -> None:
    uuid = desk.call("{x=y}loopback/answered &ours")
    desk.next("CHANNEL_PARK", uuid)
    with desk.switch.locate(uuid) as session:
        assert session is not None
        event = session.data()
    names = [name.decode() for name, _ in event.headers]
    assert event.name == "CHANNEL_DATA"
    assert names[0] == "Event-Name"
    begin = names.index("Event-Sequence") + 1
    assert names[begin : begin + 2] == ["Channel-Direction", "Channel-Logical-Direction"]
    assert names[names.index("Channel-Privacy-Hide-Number") + 1] == "Channel-State"
    assert text(event, "Channel-Channel-Name") == text(event, "Channel-Name") == "loopback/answered-a"
    assert text(event, "Channel-Unique-ID") == text(event, "Unique-ID") == uuid
    assert text(event, "variable_x") == "y"
    assert names[-1].startswith("variable_")
    assert len(set(names)) == len(names)


def test_variables(desk: SimulatedDesk) -> None:
    uuid = desk.call("{x=y}loopback/answered &ours")
    with desk.switch.locate(uuid) as session:
        assert session is not None
        assert session.variable("x") == session.variable("X") == b"y"
        assert session.variable("destination_number") == b"answered"
        assert session.variable("hostname") == desk.switch.hostname().encode()
        assert session.variable("nosuch") is None


def test_state(desk: SimulatedDesk, ours: Ours) -> None:
    states: list[tuple[str, bool]] = []

    def run(session: Session, _data: bytes) -> None:
        states.append((session.state(), session.has_hung_up()))
        session.hangup("USER_BUSY")
        states.append((session.state(), session.has_hung_up()))

    ours.run = run
    uuid = desk.call("loopback/answered &ours")
    assert text(desk.next("CHANNEL_HANGUP", uuid), "Hangup-Cause") == "USER_BUSY"
    desk.all_gone()
    assert states == [("CS_EXECUTE", False), ("CS_HANGUP", True)]


# --- messages -----------------------------------------------------------------------------------------------------


def test_commands_that_it_does_not_know_are_logged(desk: SimulatedDesk) -> None:
    uuid = desk.call("loopback/answered &ours")
    assert desk.send(uuid, call_command="unicast")
    assert desk.send(uuid, x="y")
    desk.send(uuid, call_command="execute", execute_app_name="set", execute_app_arg="a=b")
    desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert "does not know call-command 'unicast'" in desk.log()
    assert "does not know call-command ''" in desk.log()


def test_it_takes_no_more_messages_than_it_can_keep(desk: SimulatedDesk, ours: Ours) -> None:
    go = threading.Event()

    def run(_session: Session, _data: bytes) -> None:
        assert go.wait(WAIT)

    ours.run = run
    uuid = desk.call("loopback/answered &ours")
    desk.next("CHANNEL_EXECUTE", uuid)
    taken = 0
    while desk.send(uuid, call_command="unknown"):
        taken += 1
    assert taken == 256
    go.set()


def test_it_takes_none_after_the_hangup(desk: SimulatedDesk) -> None:
    uuid = desk.call("loopback/answered &ours")
    with desk.switch.locate(uuid) as session:
        assert session is not None
        session.hangup("NORMAL_CLEARING")
        assert not session.send_message([(b"call-command", b"hangup")])


# --- transfer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dialplan", "context"), [(None, None), ("XML", "default"), ("xml", None)])
def test_transfer(desk: SimulatedDesk, dialplan: str | None, context: str | None) -> None:
    uuid = desk.call("loopback/answered &ours")
    desk.next("CHANNEL_PARK", uuid)
    locate(desk, uuid, lambda session: session.transfer("park", dialplan, context))
    park = desk.next("CHANNEL_PARK", uuid)
    assert text(park, "Caller-Destination-Number") == "park"
    assert text(park, "Caller-Context") == "default"
    assert text(park, "Caller-Dialplan") == (dialplan or "xml")


def test_transfer_by_its_own_application(desk: SimulatedDesk, ours: Ours) -> None:
    ours.run = lambda session, _data: session.transfer("park", None, None)
    uuid = desk.call("loopback/answered ours")
    park = desk.next("CHANNEL_PARK", uuid)
    assert text(park, "Caller-Destination-Number") == "park"
    assert text(park, "variable_after") is None


def test_transfers_do_not_go_round_for_ever(desk: SimulatedDesk, ours: Ours) -> None:
    ours.run = lambda session, _data: session.transfer("ours", None, None)
    uuid = desk.call("loopback/answered ours")
    assert text(desk.next("CHANNEL_HANGUP", uuid), "Hangup-Cause") == "EXCHANGE_ROUTING_ERROR"


# --- finding, and keeping -----------------------------------------------------------------------------------------


def test_there_is_none_of_that_uuid(desk: SimulatedDesk) -> None:
    with desk.switch.locate("11111111-1111-1111-1111-111111111111") as session:
        assert session is None


def test_one_that_has_hung_up_is_found_only_when_it_is_asked_for(desk: SimulatedDesk) -> None:
    uuid = desk.call("loopback/answered &ours")
    with desk.switch.locate(uuid) as held:
        assert held is not None
        held.hangup("USER_BUSY")
        with desk.switch.locate(uuid) as session:
            assert session is None
        with desk.switch.locate(uuid, ended=True) as session:
            assert session is not None
            assert session.variable("destination_number") == b"answered"
            assert session.has_hung_up()


def test_it_is_not_destroyed_while_it_is_held(desk: SimulatedDesk) -> None:
    uuid = desk.call("loopback/answered &ours")
    with desk.switch.locate(uuid) as session:
        assert session is not None
        session.hangup("NORMAL_CLEARING")
        desk.next("CHANNEL_DESTROY")  # the other leg's
        assert not any(event.uuid == uuid.encode() for event in desk.events if event.name == "CHANNEL_DESTROY")
        assert session.state() == "CS_DESTROY"
    desk.next("CHANNEL_DESTROY", uuid)
    with desk.switch.locate(uuid, ended=True) as session:
        assert session is None


def test_a_soft_lock_keeps_it_until_it_is_undone(desk: SimulatedDesk, ours: Ours) -> None:
    def run(session: Session, _data: bytes) -> None:
        session.soft_lock(600)
        session.park()

    ours.run = run
    uuid = desk.call("loopback/answered &ours")
    desk.next("CHANNEL_PARK", uuid)
    desk.ask(f"uuid_kill {uuid}")
    desk.next("CHANNEL_HANGUP_COMPLETE", uuid)
    desk.next("CHANNEL_DESTROY")  # the other leg's
    locate(desk, uuid, lambda session: session.soft_unlock(), ended=True)
    assert desk.next("CHANNEL_DESTROY", uuid)
    assert [event.uuid for event in desk.events if event.name == "CHANNEL_DESTROY"][-1] == uuid.encode()
    desk.all_gone()


def test_a_soft_lock_does_not_last_for_ever(desk: SimulatedDesk, ours: Ours) -> None:
    ours.run = lambda session, _data: session.soft_lock(1)
    uuid = desk.call("loopback/answered &ours")
    desk.next("CHANNEL_DESTROY", uuid)


def test_stop_does_not_wait_for_a_soft_lock(desk: SimulatedDesk, ours: Ours) -> None:
    ours.run = lambda session, _data: session.soft_lock(600)
    uuid = desk.call("loopback/answered &ours")
    desk.next("CHANNEL_HANGUP_COMPLETE", uuid)
    desk.close()


# --- all at once --------------------------------------------------------------------------------------------------


def test_hanging_up_from_many_threads_is_one_hangup(desk: SimulatedDesk) -> None:
    uuid = desk.call("loopback/answered &ours")
    together = threading.Barrier(8)

    def hangup() -> None:
        with desk.switch.locate(uuid) as session:
            together.wait(WAIT)
            if session is not None:
                session.hangup("USER_BUSY")

    hanging = [threading.Thread(target=hangup) for _ in range(8)]
    for thread in hanging:
        thread.start()
    for thread in hanging:
        thread.join(WAIT)
    assert desk.story(uuid).count("CHANNEL_HANGUP USER_BUSY") == 1


def test_500_calls_at_once(desk: SimulatedDesk, ours: Ours) -> None:
    def run(session: Session, _data: bytes) -> None:
        session.soft_lock(5)
        session.park()
        session.soft_unlock()

    ours.run = run
    desk.source.want(Wanted(frozenset({"CHANNEL_PARK", "CHANNEL_DESTROY"})))
    answers: list[str] = []
    callers = [
        threading.Thread(target=lambda: answers.append(desk.ask("originate loopback/answered &ours")))
        for _ in range(500)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    uuids = {answer[4:].strip() for answer in answers if answer.startswith("+OK ")}
    assert len(uuids) == 500
    assert desk.ask("show channels count") == "\n1000 total.\n"
    assert {uuid for uuid, _, _ in ours.seen} <= uuids
    for uuid in uuids:
        with desk.switch.locate(uuid) as session:
            assert session is not None
            session.hangup("NORMAL_CLEARING")
    destroyed = {desk.next("CHANNEL_DESTROY").uuid for _ in range(1000)}
    assert len(destroyed) == 1000
    desk.all_gone()
    assert desk.log().count("[ERR]") == 0
