"""Calls: how they come about, what is told of them, how they end; in the simulated switch, and in a real one."""

from __future__ import annotations

import queue
import threading

import pytest

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.port import LogLine
from mod_erlang_py.switch.simulated.calls.causes import Cause
from scripts.scratch import ScratchFreeSwitch
from tests.switch.conftest import MakeDesk, MakeSimulatedDesk
from tests.switch.desks import WAIT, Desk, extension, text, threads
from tests.switch.event_socket import EventSocket
from tests.waiting import wait_until


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk(
        extension("brief", "answer", "set x=y")
        + extension("sing", "playback silence_stream://-1")
        + extension("nowhere", "answer", "nosuchapp")
    )


# --- the story of a call ------------------------------------------------------------------------------------------


def without_hangup(story: list[str], cause: str) -> list[str]:
    """Where the hangup stands is not certain in FreeSWITCH: it is told by whoever hangs up, the rest by the channel."""
    hangup = f"CHANNEL_HANGUP {cause}"
    assert story.index("CHANNEL_PARK") < story.index(hangup)
    return [told for told in story if told != hangup]


def test_a_call_that_is_parked_and_hung_up(desk: Desk) -> None:
    uuid = desk.call()
    desk.next("CHANNEL_PARK", uuid)
    assert desk.ask(f"uuid_kill {uuid}") == "+OK\n"
    story = without_hangup(desk.story(uuid), "NORMAL_CLEARING")
    begin = story.index("CHANNEL_STATE CS_EXECUTE")
    progress = ["CHANNEL_ANSWER", "CHANNEL_CALLSTATE ACTIVE"]  # by the other leg, at any time
    skipped = ["CHANNEL_STATE CS_ROUTING", "CHANNEL_STATE CS_CONSUME_MEDIA"]  # by one that is answered by then
    assert [told for told in story[:begin] if told not in [*progress, *skipped]] == [
        "CHANNEL_OUTGOING",
        "CHANNEL_STATE CS_INIT",
        "CHANNEL_CREATE",
        "CHANNEL_ORIGINATE",
    ]
    states = [told for told in story[:begin] if told in skipped]
    assert states == skipped[: len(states)]
    assert [told for told in story[:begin] if told in progress] == progress
    assert story[begin:] == [
        "CHANNEL_STATE CS_EXECUTE",
        "CHANNEL_EXECUTE park",
        "CHANNEL_PARK",
        "CHANNEL_UNPARK",
        "CHANNEL_EXECUTE_COMPLETE park",
        "CHANNEL_STATE CS_HANGUP",
        "CHANNEL_CALLSTATE HANGUP",
        "CHANNEL_STATE CS_REPORTING",
        "CHANNEL_HANGUP_COMPLETE",
        "CHANNEL_DESTROY",
        "CHANNEL_STATE CS_DESTROY",
    ]


def test_the_leg_that_the_dialplan_routes(desk: Desk) -> None:
    uuid = desk.call()
    other = desk.other(uuid)
    desk.next("CHANNEL_PARK", other)
    desk.ask(f"uuid_kill {other} USER_BUSY")
    assert without_hangup(desk.story(other), "USER_BUSY") == [
        "CHANNEL_STATE CS_INIT",
        "CHANNEL_CREATE",
        "CHANNEL_CALLSTATE RINGING",
        "CHANNEL_STATE CS_ROUTING",
        "CHANNEL_STATE CS_EXECUTE",
        "CHANNEL_EXECUTE answer",
        "CHANNEL_ANSWER",
        "CHANNEL_CALLSTATE ACTIVE",
        "CHANNEL_EXECUTE_COMPLETE answer",
        "CHANNEL_EXECUTE park",
        "CHANNEL_PARK",
        "CHANNEL_UNPARK",
        "CHANNEL_EXECUTE_COMPLETE park",
        "CHANNEL_STATE CS_HANGUP",
        "CHANNEL_CALLSTATE HANGUP",
        "CHANNEL_STATE CS_REPORTING",
        "CHANNEL_HANGUP_COMPLETE",
        "CHANNEL_DESTROY",
        "CHANNEL_STATE CS_DESTROY",
    ]


def test_the_called_leg_is_answered_before_the_one_that_answers(desk: Desk) -> None:
    uuid = desk.call()
    first, second = desk.next("CHANNEL_ANSWER"), desk.next("CHANNEL_ANSWER")
    assert (first.uuid, second.uuid) == (uuid.encode(), desk.other(uuid).encode())
    assert [text(event, "Answer-State") for event in (first, second)] == ["answered", "answered"]


def test_early_media_is_enough_unless_it_is_ignored(desk: Desk) -> None:
    uuid = desk.call("loopback/early &park")
    told = desk.next("CHANNEL_CALLSTATE", uuid, Channel_Call_State="EARLY")
    assert text(told, "Answer-State") == "early"
    assert text(told, "Original-Channel-Call-State") == "DOWN"
    assert desk.ask(f"uuid_getvar {uuid} endpoint_disposition") == "EARLY MEDIA"
    answers: list[str] = []
    line = "originate {origination_uuid=i,ignore_early_media=true}loopback/early &park"
    waiting = threading.Thread(target=lambda: answers.append(desk.ask(line)))
    waiting.start()
    desk.next("CHANNEL_CALLSTATE", "i", Channel_Call_State="EARLY")
    assert answers == []
    desk.ask("uuid_kill i USER_BUSY")
    waiting.join(WAIT)
    assert answers == ["-ERR USER_BUSY\n"]


def test_what_needs_media_is_pre_answered(desk: Desk) -> None:
    uuid = desk.call("loopback/sing &park")
    other = desk.other(uuid)
    desk.ask(f"uuid_kill {uuid}")
    story = desk.story(other)
    assert story.index("CHANNEL_PROGRESS_MEDIA") < story.index("CHANNEL_EXECUTE playback")


def test_hanging_up_one_leg_ends_the_other_for_the_same_cause(simulated_desk: MakeSimulatedDesk) -> None:
    """In FreeSWITCH too, unless the other one sees first that it is alone: then it is NORMAL_CLEARING."""
    desk = simulated_desk()
    uuid = desk.call()
    other = desk.other(uuid)
    desk.ask(f"uuid_kill {uuid} CALL_REJECTED")
    complete = desk.next("CHANNEL_HANGUP_COMPLETE", other)
    assert text(complete, "Hangup-Cause") == "CALL_REJECTED"
    assert text(complete, "variable_hangup_cause_q850") == "21"
    desk.all_gone()


def test_the_end_of_the_extension_is_the_end_of_the_call(desk: Desk) -> None:
    desk.ask("originate {origination_uuid=b}loopback/brief &park")  # over before or after that is answered
    assert text(desk.next("CHANNEL_HANGUP_COMPLETE", "b"), "Hangup-Cause") == "NORMAL_CLEARING"
    desk.all_gone()


def test_an_application_that_there_is_not(desk: Desk) -> None:
    uuid = desk.call("loopback/answered &nosuch(x)")
    assert text(desk.next("CHANNEL_HANGUP", uuid), "Hangup-Cause") == "DESTINATION_OUT_OF_ORDER"
    assert "CHANNEL_EXECUTE nosuch" not in desk.story(uuid)
    wait_until(lambda: "Invalid Application nosuch" in desk.log())
    desk.ask("originate loopback/nowhere &park")
    desk.all_gone()


# --- originate ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("loopback/busy &park", "USER_BUSY"),
        ("loopback/nosuch &park", "NO_ROUTE_DESTINATION"),
        ("loopback/answered/nocontext &park", "NO_ROUTE_DESTINATION"),
        ("loopback/answered/../default &park", "NO_ROUTE_DESTINATION"),
        ("loopback/answered/default/nodialplan &park", "NO_ROUTE_DESTINATION"),
        ("nosuch/x &park", "CHAN_NOT_IMPLEMENTED"),
        ("{originate_timeout=1}loopback/park &park", "NO_ANSWER"),
        ("{leg_timeout=1}loopback/park &park", "ALLOTTED_TIMEOUT"),
        ("loopback/park &park XML default name number 1", "NO_ANSWER"),
    ],
)
def test_calls_that_are_not_answered(desk: Desk, what: str, cause: str) -> None:
    assert desk.ask(f"originate {what}") == f"-ERR {cause}\n"
    desk.all_gone()


@pytest.mark.parametrize("arguments", ["", "loopback/answered", "loopback/a &park XML default n n 1 more"])
def test_originate_s_usage(desk: Desk, arguments: str) -> None:
    assert desk.ask(f"originate {arguments}").startswith("-USAGE: <call url> <exten>|&<application_name>")
    desk.all_gone()


def test_an_argument_ends_with_the_first_parenthesis(desk: Desk) -> None:
    uuid = desk.call("loopback/answered '&set(a=(b)c)'")
    assert text(desk.next("CHANNEL_EXECUTE_COMPLETE", uuid), "variable_a") == "(b"


def test_an_extension_for_the_called_leg(desk: Desk) -> None:
    uuid = desk.call("loopback/answered park XML default")
    park = desk.next("CHANNEL_PARK", uuid)
    assert text(park, "Caller-Destination-Number") == "park"
    assert text(park, "Caller-RDNIS") == "answered"
    assert text(park, "Caller-Context") == "default"
    assert text(park, "Caller-Profile-Index") == "2"


def test_its_variables_are_both_legs(desk: Desk) -> None:
    uuid = desk.call("{origination_uuid=mine,a=1,b=\\'2,3\\'}[c=4]loopback/answered &park")
    assert uuid == "mine"
    other = desk.other(uuid)
    for leg in (uuid, other):
        assert [desk.ask(f"uuid_getvar {leg} {name}") for name in "abc"] == ["1", "2,3", "4"]
    assert desk.call("{origination_uuid=mine}loopback/answered &park") != "mine"


def test_a_timeout_is_not_for_ever_and_others_do_not_wait_for_it(desk: Desk) -> None:
    answers: list[str] = []
    waiting = threading.Thread(
        target=lambda: answers.append(desk.ask("originate {origination_uuid=w}loopback/park &park"))
    )
    waiting.start()
    desk.next("CHANNEL_PARK")  # the -b leg
    assert answers == []
    assert desk.call()
    assert desk.ask("uuid_kill w ORIGINATOR_CANCEL") == "+OK\n"
    waiting.join(WAIT)
    assert answers == ["-ERR ORIGINATOR_CANCEL\n"]


def test_whoever_was_called_is_the_caller_then(desk: Desk) -> None:
    uuid = desk.call("loopback/answered/default &park XML default Joe 99")
    event = desk.next("CHANNEL_PARK", uuid)
    assert text(event, "Caller-Caller-ID-Name") == "Outbound Call"
    assert text(event, "Caller-Callee-ID-Number") == "99"
    assert text(event, "Caller-Orig-Caller-ID-Name") == "Joe"
    assert text(event, "variable_channel_cid_flipped") == "yes"
    assert desk.ask(f"uuid_getvar {desk.other(uuid)} caller_id_name") == "Joe"


# --- headers ------------------------------------------------------------------------------------------------------

FIRST_HEADERS = [
    "Channel-State",
    "Channel-Call-State",
    "Channel-State-Number",
    "Channel-Name",
    "Unique-ID",
    "Call-Direction",
    "Presence-Call-Direction",
    "Channel-HIT-Dialplan",
    "Channel-Call-UUID",
    "Answer-State",
    "Channel-Read-Codec-Name",
    "Channel-Read-Codec-Rate",
    "Channel-Read-Codec-Bit-Rate",
    "Channel-Write-Codec-Name",
    "Channel-Write-Codec-Rate",
    "Channel-Write-Codec-Bit-Rate",
    "Caller-Direction",
    "Caller-Logical-Direction",
    "Caller-Dialplan",
    "Caller-Caller-ID-Number",
    "Caller-Orig-Caller-ID-Number",
    "Caller-Callee-ID-Name",
    "Caller-Callee-ID-Number",
    "Caller-ANI",
    "Caller-Destination-Number",
    "Caller-Unique-ID",
    "Caller-Source",
    "Caller-Context",
    "Caller-Channel-Name",
    "Caller-Profile-Index",
    "Caller-Profile-Created-Time",
]
"""Of a CHANNEL_CREATE, behind Event-Sequence."""


def test_the_headers_are_in_freeswitch_s_order(desk: Desk) -> None:
    uuid = desk.call()
    event = desk.next("CHANNEL_CREATE", uuid)
    names = [name.decode() for name, _ in event.headers]
    begin = names.index("Event-Sequence") + 1
    assert names[begin : begin + len(FIRST_HEADERS)] == FIRST_HEADERS
    variables = names.index("variable_direction")
    assert all(name.startswith("variable_") for name in names[variables:])
    assert names[variables - 1] == "Caller-Privacy-Hide-Number"
    assert text(event, "Channel-Name") == "loopback/answered-a"
    assert text(event, "Channel-State-Number") == "2"


def test_only_some_events_hold_the_variables(desk: Desk) -> None:
    uuid = desk.call("{x=y}loopback/answered &park")
    desk.ask(f"uuid_kill {uuid}")
    desk.story(uuid)
    with_variables = {event.name for event in desk.events if text(event, "variable_x") == "y"}
    assert {"CHANNEL_CREATE", "CHANNEL_EXECUTE", "CHANNEL_HANGUP", "CHANNEL_DESTROY"} <= with_variables
    assert with_variables.isdisjoint({"CHANNEL_STATE", "CHANNEL_CALLSTATE", "CHANNEL_OUTGOING"})


def test_execute_tells_of_the_application(desk: Desk) -> None:
    uuid = desk.call("loopback/answered &set(a=${destination_number})")
    began = desk.next("CHANNEL_EXECUTE", uuid)
    done = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert text(began, "Application") == "set"
    assert text(began, "Application-Data") == "a=answered"
    assert text(done, "Application-Response") == "_none_"
    assert text(began, "Application-UUID") == text(done, "Application-UUID") != ""


def test_the_end_tells_how_long_it_was(desk: Desk) -> None:
    uuid = desk.call()
    desk.ask(f"uuid_kill {uuid}")
    event = desk.next("CHANNEL_HANGUP_COMPLETE", uuid)
    created, answered, hungup = (
        int(text(event, f"Caller-Channel-{name}-Time") or 0) for name in ("Created", "Answered", "Hangup")
    )
    assert 0 < created <= answered <= hungup
    assert text(event, "variable_uduration") == str(hungup - created)
    assert text(event, "variable_billusec") == str(hungup - answered)


def test_log_lines_of_a_call_carry_its_uuid(simulated_desk: MakeSimulatedDesk) -> None:
    desk = simulated_desk()
    lines: queue.Queue[LogLine] = queue.Queue()
    end = desk.switch.bind_log(lines.put)
    uuid = desk.call("loopback/answered &nosuch")
    while (line := lines.get(timeout=WAIT)).level is not LogLevel.ERR:
        assert line.uuid != b"" or b"simulated switch" in line.text
    end()
    assert (line.uuid, line.text.rpartition(b" ")[2]) == (uuid.encode(), b"nosuch\n")


# --- counts -------------------------------------------------------------------------------------------------------


def test_status_and_heartbeat_count_channels(simulated_desk: MakeSimulatedDesk) -> None:
    desk = simulated_desk()
    uuid = desk.call()
    status = desk.ask("status").splitlines()
    assert status[2] == "2 session(s) since startup"
    assert status[3] == "2 session(s) - peak 2, last 5min 2 "
    desk.ask(f"uuid_kill {uuid}")
    desk.all_gone()
    status = desk.ask("status").splitlines()
    assert status[2:4] == ["2 session(s) since startup", "0 session(s) - peak 2, last 5min 2 "]
    assert status[4].endswith("peak 2, last 5min 2 ")


def test_no_more_channels_than_may_be(simulated_desk: MakeSimulatedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = simulated_desk()
    monkeypatch.setattr("mod_erlang_py.switch.simulated.calls.table.MAX_SESSIONS", 3)
    uuid = desk.call()
    assert desk.ask("originate loopback/answered &park") == "-ERR DESTINATION_OUT_OF_ORDER\n"  # no -b leg
    desk.ask(f"uuid_kill {uuid}")
    desk.all_gone()
    assert desk.call()


# --- the end of the switch ----------------------------------------------------------------------------------------


def test_stop_ends_all_calls_and_their_threads(simulated_desk: MakeSimulatedDesk) -> None:
    desk = simulated_desk()
    for _ in range(5):
        desk.call()
    assert len(threads()) == 10
    assert all(thread.daemon for thread in threads())
    desk.switch.stop()
    assert threads() == []
    assert text(desk.next("CHANNEL_HANGUP"), "Hangup-Cause") == "SYSTEM_SHUTDOWN"
    assert desk.ask("originate loopback/answered &park") == "-ERR DESTINATION_OUT_OF_ORDER\n"


# --- causes -------------------------------------------------------------------------------------------------------

CAUSES = [
    ("USER_BUSY", Cause.USER_BUSY),
    ("user_busy", Cause.USER_BUSY),
    ("17", Cause.USER_BUSY),
    ("487", Cause.ORIGINATOR_CANCEL),
    ("NOSUCH", Cause.NORMAL_CLEARING),
    *((cause.name, cause) for cause in Cause),
    *((str(int(cause)), cause) for cause in Cause),
]


def test_causes_by_name_and_number() -> None:
    for given, cause in [*CAUSES, *((given, Cause.NORMAL_CLEARING) for given in ("", "9999", "1²"))]:
        assert Cause.of(given) is cause, given


@pytest.mark.freeswitch
def test_freeswitch_s_causes(freeswitch: ScratchFreeSwitch) -> None:
    """hupall says how it has understood a cause. NONE is none to it."""
    with EventSocket(freeswitch) as connection:
        for given, cause in CAUSES:
            if cause is not Cause.NONE:
                answer = connection.api(f"hupall {given}").decode()
                assert answer == f"+OK hangup all channels with cause {cause.name}\n"
        told = (connection.api(f"hupall {number}").split()[-1].decode() for number in range(1, 1000))
        known = {number: name for number, name in enumerate(told, 1) if name != "UNKNOWN"}
    assert known == {int(cause): cause.name for cause in Cause if cause is not Cause.NONE}


@pytest.mark.parametrize("cause", [Cause.USER_BUSY, Cause.INTERWORKING, Cause.MANAGER_REQUEST, Cause.ORIGINATOR_CANCEL])
def test_causes_as_the_telephone_network_knows_them(desk: Desk, cause: Cause) -> None:
    uuid = desk.call()
    desk.ask(f"uuid_kill {uuid} {cause.name}")
    complete = desk.next("CHANNEL_HANGUP_COMPLETE", uuid)
    assert text(complete, "variable_hangup_cause") == cause.name
    assert text(complete, "variable_hangup_cause_q850") == str(cause.q850())
