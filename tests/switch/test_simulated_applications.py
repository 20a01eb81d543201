"""The applications of the simulated switch's dialplan."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mod_erlang_py.switch.simulated.calls.applications.registry import application
from tests.switch.simulated_calls import Desk, extension, text


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(
        tmp_path,
        extension("pass", "bridge loopback/answered", "set after=${bridge_hangup_cause}", "park")
        + extension("early_pass", "bridge {ignore_early_media=true}loopback/early", "park")
        + extension("exports", "export a=1", "export nolocal:b=2", "set c=3", "bridge loopback/answered")
        + extension("fails", "bridge loopback/busy", "answer", "park")
        + extension("fails_on", "set continue_on_fail=true", "bridge loopback/busy", "answer", "park")
        + extension(
            "fails_on_busy", "set continue_on_fail=NO_ANSWER,user_busy", "bridge loopback/busy", "answer", "park"
        )
        + extension("waits", "answer", "bridge loopback/park", "park"),
    )
    yield made
    made.close()


def application_call(desk: Desk, what: str) -> str:
    """A call whose called leg runs that, and has begun to."""
    uuid = desk.call(f"loopback/answered '&{what}'")
    desk.next("CHANNEL_EXECUTE", uuid)
    return uuid


# --- variables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        ("a=b", "a", "b"),
        ("a=b=c", "a", "b=c"),
        ("a,b", "a", "b"),
        ("a=${uuid} x", "a", "UUID x"),
        ("A=b", "a", "b"),
        ("a=", "a", "_undef_"),
        ("a", "a", "_undef_"),
    ],
)
def test_set(desk: Desk, data: str, name: str, value: str) -> None:
    uuid = desk.call(f"{{a=old}}loopback/answered '&set({data})'")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert (text(complete, f"variable_{name}") or text(complete, "variable_A") or "_undef_") == value.replace(
        "UUID", uuid
    )


def test_unset(desk: Desk) -> None:
    uuid = desk.call("{a=b}loopback/answered &unset(a)")
    assert text(desk.next("CHANNEL_EXECUTE", uuid), "variable_a") == "b"
    assert text(desk.next("CHANNEL_EXECUTE_COMPLETE", uuid), "variable_a") is None


@pytest.mark.parametrize("name", ["set", "unset", "export"])
def test_a_variable_needs_a_name(desk: Desk, name: str) -> None:
    uuid = desk.call(f"loopback/answered &{name}")
    desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert "No variable name specified." in desk.console.getvalue()


def test_export_gives_to_whom_is_called(desk: Desk) -> None:
    uuid = desk.call("loopback/answered exports")
    bridge = desk.next("CHANNEL_BRIDGE", uuid)
    called = text(bridge, "Bridge-B-Unique-ID") or ""
    for leg in (called, desk.other(called)):
        assert [desk.ask(f"uuid_getvar {leg} {name}") for name in "abc"] == ["1", "2", "_undef_"]
    assert [desk.ask(f"uuid_getvar {uuid} {name}") for name in "abc"] == ["1", "_undef_", "3"]
    assert desk.ask(f"uuid_getvar {uuid} export_vars") == "a,nolocal:b"


# --- time ---------------------------------------------------------------------------------------------------------


def test_sleep_takes_its_time_and_no_more(desk: Desk) -> None:
    uuid = application_call(desk, "sleep(60)")
    began = time.monotonic()
    desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert 0.03 < time.monotonic() - began < 5


@pytest.mark.parametrize("what", ["sleep(600000)", "echo", "playback(silence_stream://-1)", "park", "read(1 1)"])
def test_hanging_up_ends_whatever_runs(desk: Desk, what: str) -> None:
    uuid = application_call(desk, what)
    desk.ask(f"uuid_kill {uuid}")
    desk.next("CHANNEL_HANGUP_COMPLETE", uuid)
    desk.all_gone()


@pytest.mark.parametrize("what", ["sleep(600000)", "echo", "playback(silence_stream://-1)", "park"])
def test_a_transfer_ends_whatever_runs(desk: Desk, what: str) -> None:
    uuid = application_call(desk, what)
    desk.ask(f"uuid_transfer {uuid} park")
    park = desk.next("CHANNEL_PARK", uuid, Caller_Destination_Number="park")
    assert text(park, "Channel-State") == "CS_EXECUTE"


def test_a_digit_ends_a_sleep_and_is_left_for_the_next(desk: Desk) -> None:
    uuid = application_call(desk, "sleep(600000)")
    desk.ask(f"uuid_recv_dtmf {uuid} 1")
    story = desk.story(uuid)
    assert "CHANNEL_EXECUTE_COMPLETE sleep" in story
    assert "DTMF 1" not in story


# --- playing ------------------------------------------------------------------------------------------------------


def test_playing(desk: Desk) -> None:
    uuid = application_call(desk, "playback(silence_stream://30)")
    start, stop = desk.next("PLAYBACK_START", uuid), desk.next("PLAYBACK_STOP", uuid)
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert text(start, "Playback-File-Path") == text(stop, "Playback-File-Path") == "silence_stream://30"
    assert text(stop, "Playback-Status") == "done"
    assert int(text(stop, "variable_playback_ms") or 0) >= 30
    assert text(complete, "Application-Response") == "FILE PLAYED"


def test_any_file_plays(desk: Desk) -> None:
    uuid = application_call(desk, "playback(/no/such.wav)")
    assert int(text(desk.next("PLAYBACK_STOP", uuid), "variable_playback_ms") or 0) >= 100


@pytest.mark.parametrize(
    ("terminators", "digits", "told"), [("", "1*2", "*"), ("{playback_terminators=12}", "*2", "2")]
)
def test_a_digit_stops_it(desk: Desk, terminators: str, digits: str, told: str) -> None:
    uuid = desk.call(f"{terminators}loopback/answered '&playback(silence_stream://-1)'")
    desk.next("PLAYBACK_START", uuid)
    desk.ask(f"uuid_recv_dtmf {uuid} {digits}")
    stop = desk.next("PLAYBACK_STOP", uuid)
    assert text(stop, "Playback-Status") == "break"
    assert text(stop, "variable_playback_terminator_used") == told


def test_no_digit_stops_it_when_none_shall(desk: Desk) -> None:
    uuid = desk.call("{playback_terminators=none}loopback/answered '&playback(silence_stream://-1)'")
    desk.next("PLAYBACK_START", uuid)
    desk.ask(f"uuid_recv_dtmf {uuid} *#")
    desk.next("DTMF", uuid, DTMF_Digit="#")
    desk.ask(f"uuid_kill {uuid}")
    assert text(desk.next("PLAYBACK_STOP", uuid), "variable_playback_terminator_used") is None


# --- digits -------------------------------------------------------------------------------------------------------

PAGD = "play_and_get_digits(2 4 2 1000 # silence_stream://1 silence_stream://2 pin ^\\\\d+$)"


def read(desk: Desk, what: str, digits: str) -> dict[str, str]:
    """The variables of the channel once the application is done."""
    uuid = desk.call(f"loopback/answered '&{what}'")
    desk.next("PLAYBACK_STOP", uuid)
    desk.ask(f"uuid_recv_dtmf {uuid} {digits}")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    prefix = b"variable_"
    return {name.decode()[len(prefix) :]: value.decode() for name, value in complete.headers if name.startswith(prefix)}


@pytest.mark.parametrize(
    ("what", "digits", "pin", "terminator"),
    [
        ("read(1 4 silence_stream://1 pin 1000 #)", "12#", "12", "#"),
        ("read(1 4 silence_stream://1 pin 1000 #)", "12345", "1234", None),
        ("read(1 4 silence_stream://1 pin 1000 *)", "1#2*", "1#2", "*"),
        (PAGD, "12#", "12", "#"),
        (PAGD, "1234", "1234", None),
    ],
)
def test_reading_digits(desk: Desk, what: str, digits: str, pin: str, terminator: str | None) -> None:
    variables = read(desk, what, digits)
    assert variables["pin"] == pin
    assert variables["read_result"] == "success"
    assert variables.get("read_terminator_used") == terminator


def test_too_few_digits_are_a_failure(desk: Desk) -> None:
    variables = read(desk, "read(3 4 silence_stream://1 pin 1000 #)", "12#")
    assert variables["read_result"] == "failure"


def test_no_digits_in_time(desk: Desk) -> None:
    uuid = desk.call("loopback/answered '&read(1 4 silence_stream://1 pin 1000 #)'")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert text(complete, "variable_read_result") == "failure"
    assert text(complete, "variable_pin") is None


def test_a_second_try_after_digits_that_do_not_match(desk: Desk) -> None:
    uuid = desk.call(f"loopback/answered '&{PAGD}'")
    desk.next("PLAYBACK_STOP", uuid)
    desk.ask(f"uuid_recv_dtmf {uuid} 1*1#")
    desk.next("PLAYBACK_START", uuid, Playback_File_Path="silence_stream://2")
    desk.next("PLAYBACK_STOP", uuid)
    desk.next("PLAYBACK_STOP", uuid)
    desk.ask(f"uuid_recv_dtmf {uuid} 77#")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert text(complete, "variable_pin") == "77"


def test_digits_go_to_the_other_end(desk: Desk) -> None:
    uuid = desk.call()
    other = desk.other(uuid)
    desk.next("CHANNEL_PARK", other)
    assert desk.ask(f"uuid_send_dtmf {uuid} 5@300") == f"+OK {uuid} sent DTMF 5@300.\n"
    digit = desk.next("DTMF")
    assert digit.uuid == other.encode()
    assert text(digit, "DTMF-Digit") == "5"
    assert text(digit, "DTMF-Duration") == "2000"


# --- transfer and bridge ------------------------------------------------------------------------------------------


def test_transfer(desk: Desk) -> None:
    uuid = desk.call("loopback/answered '&transfer(park XML default)'")
    park = desk.next("CHANNEL_PARK", uuid)
    assert text(park, "Caller-Destination-Number") == "park"
    assert (text(park, "Caller-Transfer-Source") or "").endswith(":bl_xfer:park/default/XML")


def test_transfers_do_not_go_round_for_ever(tmp_path: Path) -> None:
    desk = Desk(tmp_path, extension("round", "transfer round"))
    assert desk.ask("originate loopback/round &park") == "-ERR EXCHANGE_ROUTING_ERROR\n"
    desk.close()


def test_a_bridge(desk: Desk) -> None:
    uuid = desk.call("loopback/answered pass")
    bridge = desk.next("CHANNEL_BRIDGE", uuid)
    called = text(bridge, "Bridge-B-Unique-ID") or ""
    assert text(bridge, "Bridge-A-Unique-ID") == uuid
    assert text(bridge, "Other-Type") == "originatee"
    assert text(bridge, "Other-Leg-Unique-ID") == called
    desk.next("CHANNEL_STATE", called, Channel_State="CS_EXCHANGE_MEDIA")
    assert desk.ask(f"uuid_getvar {uuid} signal_bond") == called
    assert desk.ask(f"uuid_getvar {called} signal_bond") == uuid
    desk.ask(f"uuid_kill {called} USER_BUSY")
    unbridge = desk.next("CHANNEL_UNBRIDGE", uuid)
    assert text(unbridge, "Bridge-B-Unique-ID") == called
    park = desk.next("CHANNEL_PARK", uuid)  # the dialplan goes on
    assert text(park, "variable_after") == "USER_BUSY"


def test_hanging_up_who_bridges_hangs_up_the_other(desk: Desk) -> None:
    uuid = desk.call("loopback/answered pass")
    called = text(desk.next("CHANNEL_BRIDGE", uuid), "Bridge-B-Unique-ID")
    desk.ask(f"uuid_kill {uuid} CALL_REJECTED")
    assert text(desk.next("CHANNEL_HANGUP", called), "Hangup-Cause") == "CALL_REJECTED"
    desk.all_gone()


def test_digits_pass_through_a_bridge_both_ways(desk: Desk) -> None:
    uuid = desk.call("loopback/answered pass")
    called = text(desk.next("CHANNEL_BRIDGE", uuid), "Bridge-B-Unique-ID") or ""
    far = desk.other(called)
    desk.ask(f"uuid_recv_dtmf {uuid} 1")
    desk.next("DTMF", far, DTMF_Digit="1")
    desk.ask(f"uuid_send_dtmf {far} 2")
    desk.next("DTMF", desk.other(uuid), DTMF_Digit="2")


def test_a_bridge_answers_who_bridges_when_the_other_answers(desk: Desk) -> None:
    line = "{ignore_early_media=true,origination_uuid=a}loopback/early_pass"
    asked = threading.Thread(target=desk.ask, args=(f"originate {line} &park",))
    asked.start()
    called = desk.next("CHANNEL_CREATE", Channel_Name="loopback/early-b")
    desk.ask(f"uuid_answer {called.uuid.decode() if called.uuid else ''}")
    asked.join(10)
    assert text(desk.next("CHANNEL_PARK", "a"), "Answer-State") == "answered"


@pytest.mark.parametrize(
    ("number", "answer"), [("fails", "-ERR USER_BUSY\n"), ("fails_on", "+OK"), ("fails_on_busy", "+OK")]
)
def test_a_bridge_that_fails(desk: Desk, number: str, answer: str) -> None:
    assert desk.ask(f"originate {{ignore_early_media=true}}loopback/{number} &park").startswith(answer)
    told = desk.next("CHANNEL_EXECUTE_COMPLETE", Application="bridge")
    assert text(told, "variable_originate_disposition") == "USER_BUSY"
    assert text(told, "variable_DIALSTATUS") == "BUSY"


def test_hanging_up_while_it_rings_cancels_the_call(desk: Desk) -> None:
    uuid = desk.call("loopback/waits &park")
    called = desk.next("CHANNEL_PARK", None, Channel_Name="loopback/park-b")
    desk.ask(f"uuid_kill {uuid}")
    ended = desk.next("CHANNEL_HANGUP", called.uuid.decode() if called.uuid else "")
    assert text(ended, "Hangup-Cause") == "ORIGINATOR_CANCEL"
    desk.all_gone()


def test_a_partner_that_is_transferred_is_not_hung_up(desk: Desk) -> None:
    uuid = desk.call("loopback/answered pass")
    called = text(desk.next("CHANNEL_BRIDGE", uuid), "Bridge-B-Unique-ID") or ""
    desk.next("CHANNEL_STATE", called, Channel_State="CS_EXCHANGE_MEDIA")
    assert desk.ask(f"uuid_transfer {uuid} -both park") == "+OK\n"
    parked = {desk.next("CHANNEL_PARK", Caller_Destination_Number="park").uuid for _ in range(2)}
    assert parked == {uuid.encode(), called.encode()}


# --- the registry -------------------------------------------------------------------------------------------------


def test_a_name_can_be_registered_once() -> None:
    with pytest.raises(ValueError, match="there is an application set already"):
        application("set", "")(lambda _channel, _data, _calls: None)


def test_show_application(desk: Desk) -> None:
    rows = desk.ask("show application").splitlines()
    assert rows[0] == "name,description,syntax,ikey"
    assert "park,Park,,mod_dptools" in rows
    assert desk.ask("show application park").splitlines()[1:] == ["park,Park,,mod_dptools", "", "1 total."]
