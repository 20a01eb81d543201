"""Commands about a channel that is there, in the simulated switch and in a real one."""

from __future__ import annotations

import pytest

from tests.switch.conftest import MakeDesk
from tests.switch.desks import Desk, text


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()


@pytest.fixture
def uuid(desk: Desk) -> str:
    """A parked call's."""
    uuid = desk.call()
    desk.next("CHANNEL_PARK", uuid)
    return uuid


def test_uuid_exists_until_the_hangup(desk: Desk, uuid: str) -> None:
    assert desk.ask(f"uuid_exists {uuid}") == "true"
    assert desk.ask(f"uuid_kill {uuid}") == "+OK\n"
    assert desk.ask(f"uuid_exists {uuid}") == "false"
    assert desk.ask(f"uuid_kill {uuid}") == "-ERR No such channel!\n"


@pytest.mark.parametrize(
    ("given", "cause"),
    [("", "NORMAL_CLEARING"), ("user_busy", "USER_BUSY"), ("17", "USER_BUSY"), ("x", "NORMAL_CLEARING")],
)
def test_uuid_kill(desk: Desk, uuid: str, given: str, cause: str) -> None:
    desk.ask(f"uuid_kill {uuid} {given}")
    assert text(desk.next("CHANNEL_HANGUP", uuid), "Hangup-Cause") == cause


def test_variables(desk: Desk) -> None:
    uuid = desk.call("'{foo=bar  baz}loopback/answered' &park")
    assert desk.ask(f"uuid_getvar {uuid} FOO") == "bar  baz"
    assert desk.ask(f"uuid_getvar {uuid} nosuch") == "_undef_"
    assert desk.ask(f"uuid_getvar {uuid} destination_number") == "answered"
    assert desk.ask(f"uuid_getvar {uuid} hostname") == desk.ask("global_getvar hostname")
    assert desk.ask(f"uuid_getvar {uuid} uuid") == uuid


def test_digits(desk: Desk, uuid: str) -> None:
    assert desk.ask(f"uuid_recv_dtmf {uuid} 1x#") == f"+OK {uuid} received DTMF 1x#.\n"
    assert [text(desk.next("DTMF", uuid), "DTMF-Digit") for _ in range(2)] == ["1", "#"]
    assert desk.ask(f"uuid_recv_dtmf {uuid} xyz") == "-USAGE: <uuid> <dtmf_data>\n"
    assert desk.ask(f"uuid_send_dtmf {uuid} xyz") == "-ERR Operation failed\n"


def test_digits_go_to_the_other_end(desk: Desk, uuid: str) -> None:
    other = desk.other(uuid)
    desk.find("CHANNEL_PARK", other)
    assert desk.ask(f"uuid_send_dtmf {uuid} 5@250") == f"+OK {uuid} sent DTMF 5@250.\n"
    digit = desk.next("DTMF")
    assert digit.uuid == other.encode()
    assert text(digit, "DTMF-Digit") == "5"
    assert text(digit, "DTMF-Duration") == "2000"


def test_the_number_of_channels(desk: Desk, uuid: str) -> None:
    assert desk.sessions() == 2
    desk.ask(f"uuid_kill {uuid}")
    desk.all_gone()
