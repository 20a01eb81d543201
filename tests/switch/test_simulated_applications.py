"""The applications of the dialplan, in the simulated switch and in a real one."""

from __future__ import annotations

import threading
import time
import wave
from pathlib import Path

import pytest

from mod_erlang_py.switch.port import Event
from tests.switch.conftest import MakeDesk, MakeSimulatedDesk
from tests.switch.desks import WAIT, Desk, extension, text
from tests.waiting import wait_until


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk(
        extension("pass", "bridge loopback/answered", "set after=${bridge_hangup_cause}", "park")
        + extension("early_pass", "bridge {ignore_early_media=true}loopback/early", "park")
        + extension("fails", "bridge loopback/busy", "answer", "park")
        + extension("fails_on", "set continue_on_fail=true", "bridge loopback/busy", "answer", "park")
        + extension(
            "fails_on_busy", "set continue_on_fail=NO_ANSWER,user_busy", "bridge loopback/busy", "answer", "park"
        )
        + extension("waits", "answer", "bridge loopback/park", "park")
    )


def application_call(desk: Desk, what: str) -> str:
    """A call whose called leg runs that, and has begun to."""
    uuid = desk.call(f"loopback/answered '&{what}'")
    desk.next("CHANNEL_EXECUTE", uuid)
    return uuid


def test_what_it_has_not_is_named_in_the_log(simulated_desk: MakeSimulatedDesk) -> None:
    desk = simulated_desk()
    uuid = desk.call("loopback/answered &sleep(1000)")
    desk.next("CHANNEL_HANGUP", uuid)
    wait_until(lambda: "The simulated switch has no sleep, only answer, bridge, " in desk.log())


# --- set ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        ("a=b", "a", "b"),
        ("a=b=c", "a", "b=c"),
        ("a,b", "a", "b"),
        ("a=${uuid} x", "a", "UUID x"),
        ("a=$${given}${nosuch}", "a", "yes"),
        ("a=${given", "a", "yes"),
        ("a=$given $", "a", "$given $"),
        ("A=b", "a", "b"),
        ("a=", "a", "_undef_"),
        ("a", "a", "_undef_"),
    ],
)
def test_set(desk: Desk, data: str, name: str, value: str) -> None:
    uuid = desk.call(f"{{a=old,given=yes}}loopback/answered '&set({data})'")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert (text(complete, f"variable_{name}") or text(complete, "variable_A") or "_undef_") == value.replace(
        "UUID", uuid
    )


def test_a_variable_needs_a_name(desk: Desk) -> None:
    uuid = desk.call("loopback/answered &set")
    desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    wait_until(lambda: "No variable name specified." in desk.log())


def test_what_is_not_understood_stays_as_it_is(simulated_desk: MakeSimulatedDesk) -> None:
    desk = simulated_desk(extension("sets", "set a=${uuid:0:2} ${echo(x)} ${echo x}", "answer", "park"))
    desk.call("loopback/sets &park")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", Application="set")
    assert text(complete, "variable_a") == "${uuid:0:2} ${echo(x)} ${echo x}"


# --- what takes its time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["playback(silence_stream://-1)", "park"])
def test_hanging_up_ends_whatever_runs(desk: Desk, what: str) -> None:
    uuid = application_call(desk, what)
    desk.ask(f"uuid_kill {uuid}")
    desk.next("CHANNEL_HANGUP_COMPLETE", uuid)
    desk.all_gone()


def test_playing(desk: Desk) -> None:
    began = time.monotonic()
    uuid = application_call(desk, "playback(silence_stream://60)")
    start, stop = desk.next("PLAYBACK_START", uuid), desk.next("PLAYBACK_STOP", uuid)
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert time.monotonic() - began >= 0.06
    assert text(start, "Playback-File-Path") == text(stop, "Playback-File-Path") == "silence_stream://60"
    assert text(stop, "Playback-Status") == "done"
    assert int(text(stop, "variable_playback_ms") or 0) >= 60
    assert text(complete, "Application-Response") == "FILE PLAYED"


def test_playing_until_the_call_ends(desk: Desk) -> None:
    uuid = application_call(desk, "playback(silence_stream://-1)")
    desk.ask(f"uuid_kill {uuid}")
    assert text(desk.next("PLAYBACK_STOP", uuid), "Playback-Status") == "done"
    assert text(desk.next("CHANNEL_EXECUTE_COMPLETE", uuid), "Application-Response") == "PLAYBACK ERROR"


@pytest.mark.parametrize(
    ("what", "milliseconds"),
    [
        ("tone_stream://%(1500,0,440)", 1500),
        ("tone_stream://%(100,50,440,480);loops=3", 450),
        ("tone_stream://L=3;%(100,50,440)", 450),
        ("tone_stream://l=2;%(100,50,440)%(100,0,480)", 400),
        ("tone_stream://v=-7;%(100,0,941.0,1477.0);>=2;+=.1;%(200, 0, 350, 440)", 300),
        ("tone_stream://12", 625),
        ("tone_stream://d=200;w=100;12", 600),
        ("tone_stream://%(100,50)", 0),
        ("tone_stream://%(100,50,0)", 0),
        ("tone_stream://nonsense", 0),
        ("silence_stream://500,1400", 500),
    ],
)
def test_what_is_played_takes_its_time(make_desk: MakeDesk, what: str, milliseconds: int) -> None:
    desk = make_desk(extension("plays", "answer", f"playback {what}", "park"))
    uuid = desk.other(desk.call("loopback/plays &park"))
    started, stopped = (_microseconds(desk.find(name, uuid)) for name in ("PLAYBACK_START", "PLAYBACK_STOP"))
    complete = desk.find("CHANNEL_EXECUTE_COMPLETE", uuid, Application="playback")
    assert text(complete, "Application-Response") == "FILE PLAYED"
    assert text(complete, "variable_playback_ms") == str(milliseconds)
    assert text(complete, "variable_playback_samples") == str(milliseconds * 8)
    assert milliseconds - 40 < (stopped - started) / 1000 < milliseconds + 400


def _microseconds(event: Event) -> int:
    return int(text(event, "Event-Date-Timestamp") or 0)


def test_a_wav_file_plays_for_as_long_as_it_is(desk: Desk, tmp_path: Path) -> None:
    desk.ask("load mod_sndfile")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000))
    uuid = application_call(desk, f"playback({tmp_path}/a.wav)")
    assert text(desk.next("PLAYBACK_STOP", uuid), "variable_playback_ms") == "1000"


@pytest.mark.parametrize("what", ["/no/such.wav", "no-such.wav", "/etc/hostname", "nosuch://x", "silence_stream://0"])
def test_what_cannot_be_played_is_not_found(desk: Desk, what: str) -> None:
    uuid = application_call(desk, f"playback({what})")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert text(complete, "Application-Response") == "FILE NOT FOUND"
    assert text(complete, "variable_playback_ms") is None
    assert [event.name for event in desk.events if event.name.startswith("PLAYBACK")] == []


def test_playing_nothing(desk: Desk) -> None:
    uuid = application_call(desk, "playback()")
    assert text(desk.next("CHANNEL_EXECUTE_COMPLETE", uuid), "Application-Response") == "PLAYBACK ERROR"


@pytest.mark.parametrize(
    ("terminators", "digits", "told"), [("", "1*2", "*"), ("{playback_terminators=12}", "*2", "2")]
)
def test_a_digit_stops_it(desk: Desk, terminators: str, digits: str, told: str) -> None:
    uuid = desk.call(f"{terminators}loopback/answered '&playback(silence_stream://-1)'")
    desk.next("PLAYBACK_START", uuid)
    desk.ask(f"uuid_recv_dtmf {uuid} {digits}")
    stop = desk.next("PLAYBACK_STOP", uuid)
    assert text(stop, "variable_playback_terminator_used") == told
    assert text(stop, "Playback-Status") == "break"


def test_no_digit_stops_it_when_none_shall(desk: Desk) -> None:
    uuid = desk.call("{playback_terminators=none}loopback/answered '&playback(silence_stream://-1)'")
    desk.next("PLAYBACK_START", uuid)
    desk.ask(f"uuid_recv_dtmf {uuid} *#")
    desk.next("DTMF", uuid, DTMF_Digit="#")
    desk.ask(f"uuid_kill {uuid}")
    assert text(desk.next("PLAYBACK_STOP", uuid), "variable_playback_terminator_used") is None


# --- bridge -------------------------------------------------------------------------------------------------------


def test_a_bridge(desk: Desk) -> None:
    uuid = desk.call("loopback/answered pass")
    bridge = desk.next("CHANNEL_BRIDGE", uuid)
    called = text(bridge, "Bridge-B-Unique-ID") or ""
    assert text(bridge, "Bridge-A-Unique-ID") == uuid
    assert text(bridge, "Other-Type") == "originatee"
    assert text(bridge, "Other-Leg-Unique-ID") == called
    desk.find("CHANNEL_STATE", called, Channel_State="CS_EXCHANGE_MEDIA")
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
    assert text(desk.next("CHANNEL_HANGUP", called), "Hangup-Cause") == "NORMAL_CLEARING"
    desk.all_gone()


def test_hanging_up_after_the_bridge(desk: Desk) -> None:
    uuid = desk.call("{hangup_after_bridge=true}loopback/answered pass")
    called = text(desk.next("CHANNEL_BRIDGE", uuid), "Bridge-B-Unique-ID") or ""
    desk.find("CHANNEL_STATE", called, Channel_State="CS_EXCHANGE_MEDIA")
    desk.ask(f"uuid_kill {called} USER_BUSY")
    assert text(desk.next("CHANNEL_HANGUP", uuid), "Hangup-Cause") == "USER_BUSY"


def test_digits_pass_through_a_bridge_both_ways(desk: Desk) -> None:
    uuid = desk.call("loopback/answered pass")
    called = text(desk.next("CHANNEL_BRIDGE", uuid), "Bridge-B-Unique-ID") or ""
    far = desk.other(called)
    desk.find("CHANNEL_PARK", far)
    desk.ask(f"uuid_recv_dtmf {uuid} 1")
    desk.next("DTMF", far, DTMF_Digit="1")
    desk.ask(f"uuid_send_dtmf {far} 2")
    desk.next("DTMF", desk.other(uuid), DTMF_Digit="2")


@pytest.mark.parametrize(
    ("number", "answer"), [("fails", "-ERR USER_BUSY\n"), ("fails_on", "+OK"), ("fails_on_busy", "+OK")]
)
def test_a_bridge_that_fails(desk: Desk, number: str, answer: str) -> None:
    assert desk.ask(f"originate {{ignore_early_media=true}}loopback/{number} &park").startswith(answer)
    told = desk.next("CHANNEL_EXECUTE_COMPLETE", Application="bridge")
    assert text(told, "variable_originate_disposition") == "USER_BUSY"
    assert text(told, "variable_DIALSTATUS") == "BUSY"
    assert text(told, "variable_originate_failed_cause") == "USER_BUSY"
    assert text(told, "variable_last_bridge_hangup_cause") == "USER_BUSY"


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        ("USER_BUSY", "BUSY"),
        ("NO_ANSWER", "NOANSWER"),
        ("CALL_REJECTED", "DONTCALL"),
        ("DESTINATION_OUT_OF_ORDER", "INVALIDARGS"),
        ("NORMAL_TEMPORARY_FAILURE", "NORMAL_TEMPORARY_FAILURE"),
    ],
)
def test_what_a_bridge_fails_for(make_desk: MakeDesk, cause: str, status: str) -> None:
    desk = make_desk(extension("ends", f"hangup {cause}"))
    desk.call("{continue_on_fail=true}loopback/answered '&bridge(loopback/ends)'")
    told = desk.next("CHANNEL_EXECUTE_COMPLETE", Application="bridge")
    assert text(told, "variable_DIALSTATUS") == status
    for name in ("originate_disposition", "originate_failed_cause", "last_bridge_hangup_cause"):
        assert text(told, f"variable_{name}") == cause, name


def test_a_bridge_to_nobody_that_there_is(desk: Desk) -> None:
    desk.call("{continue_on_fail=true}loopback/answered '&bridge(nosuch/x)'")
    told = desk.next("CHANNEL_EXECUTE_COMPLETE", Application="bridge")
    assert text(told, "variable_originate_failed_cause") == "CHAN_NOT_IMPLEMENTED"
    assert text(told, "variable_last_bridge_hangup_cause") is None


@pytest.mark.parametrize(
    ("variables", "dialed", "cause"),
    [
        ("", "[leg_timeout=1]loopback/park", "ALLOTTED_TIMEOUT"),
        ("", "{leg_timeout=1}loopback/park", "ALLOTTED_TIMEOUT"),
        ("", "{leg_timeout=9,originate_timeout=1}loopback/park", "NO_ANSWER"),
        (",call_timeout=1", "loopback/park", "NO_ANSWER"),
    ],
)
def test_nobody_answers_in_time(desk: Desk, variables: str, dialed: str, cause: str) -> None:
    desk.call(f"{{continue_on_fail=true{variables}}}loopback/answered '&bridge({dialed})'")
    told = desk.next("CHANNEL_EXECUTE_COMPLETE", Application="bridge")
    assert text(told, "variable_originate_failed_cause") == cause


def test_a_bridge_waits_for_the_answer_when_early_media_is_ignored(desk: Desk) -> None:
    asked = threading.Thread(target=desk.ask, args=("originate {origination_uuid=a}loopback/early_pass &park",))
    asked.start()
    called = desk.next("CHANNEL_PARK", Channel_Name="loopback/early-b")
    assert not [event for event in desk.events if event.name == "CHANNEL_BRIDGE"]
    desk.ask(f"uuid_kill {called.uuid.decode() if called.uuid else ''} USER_BUSY")
    told = desk.next("CHANNEL_EXECUTE_COMPLETE", Application="bridge")
    assert text(told, "variable_originate_disposition") == "USER_BUSY"
    asked.join(WAIT)


def test_hanging_up_while_it_rings_cancels_the_call(desk: Desk, kind: str) -> None:
    uuid = desk.call("loopback/waits &park")
    called = desk.next("CHANNEL_PARK", None, Channel_Name="loopback/park-b")
    desk.ask(f"uuid_kill {uuid}")
    ended = desk.next("CHANNEL_HANGUP", called.uuid.decode() if called.uuid else "")
    quicker = {"NO_ANSWER"} if kind == "freeswitch" else set()  # now and then, on a busy machine
    assert text(ended, "Hangup-Cause") in {"ORIGINATOR_CANCEL"} | quicker
    desk.all_gone()
