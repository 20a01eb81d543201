"""Commands of the simulated switch about a channel that is there. Answers as FreeSWITCH 1.11.1's were."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.switch.simulated_calls import Desk, extension, text


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, extension("pass", "bridge loopback/answered", "park"))
    yield made
    made.close()


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


def test_variables(desk: Desk, uuid: str) -> None:
    assert desk.ask(f"uuid_getvar {uuid} foo") == "_undef_"
    assert desk.ask(f"uuid_setvar {uuid} foo  bar baz") == "+OK\n"
    assert desk.ask(f"uuid_getvar {uuid} FOO") == "bar baz"
    assert desk.ask(f"uuid_setvar {uuid} foo") == "+OK\n"
    assert desk.ask(f"uuid_getvar {uuid} foo") == "_undef_"
    assert desk.ask(f"uuid_getvar {uuid} destination_number") == "answered"
    assert desk.ask(f"uuid_getvar {uuid} hostname") == desk.switch.hostname()
    assert desk.ask(f"eval uuid:{uuid} ${{uuid}} ${{destination_number:0:3}}") == f"{uuid} ans"


def test_uuid_dump(desk: Desk, uuid: str) -> None:
    desk.ask(f"uuid_setvar {uuid} foo a b")
    dump = desk.ask(f"uuid_dump {uuid}")
    assert dump.startswith("Event-Name: CHANNEL_DATA\nCore-UUID: ")
    assert f"\nUnique-ID: {uuid}\n" in dump
    assert "\nCaller-Caller-ID-Name: Outbound%20Call\n" in dump
    assert dump.endswith("\nvariable_foo: a%20b\n\n")
    in_json = json.loads(desk.ask(f"uuid_dump {uuid} json"))
    assert in_json["variable_foo"] == "a b"
    assert next(iter(in_json)) == "Event-Name"
    root = etree.fromstring(desk.ask(f"uuid_dump {uuid} xml").encode())
    assert root.findtext("headers/variable_foo") == "a%20b"


def test_uuid_park_and_back(desk: Desk, uuid: str) -> None:
    assert desk.ask(f"uuid_park {uuid}") == "+OK\n"
    assert text(desk.next("CHANNEL_PARK", uuid), "Channel-State") == "CS_PARK"
    assert desk.ask(f"uuid_transfer {uuid} park") == "+OK\n"
    assert text(desk.next("CHANNEL_PARK", uuid), "Channel-State") == "CS_EXECUTE"


def test_a_transfer_to_nowhere_is_the_end(desk: Desk, uuid: str) -> None:
    assert desk.ask(f"uuid_transfer {uuid} nosuch") == "+OK\n"
    assert text(desk.next("CHANNEL_HANGUP", uuid), "Hangup-Cause") == "NO_ROUTE_DESTINATION"


def test_uuid_transfer_of_the_other_one_of_a_bridge(desk: Desk, uuid: str) -> None:
    desk.ask(f"uuid_transfer {uuid} pass")
    called = text(desk.next("CHANNEL_BRIDGE", uuid), "Bridge-B-Unique-ID")
    assert desk.ask(f"uuid_transfer {uuid} -bleg park") == "+OK\n"
    assert text(desk.next("CHANNEL_PARK", called), "Caller-Destination-Number") == "park"


def test_uuid_bridge(desk: Desk, uuid: str) -> None:
    other = desk.call()
    assert desk.ask(f"uuid_bridge {uuid} {other}") == f"+OK {other}\n"
    bridge = desk.next("CHANNEL_BRIDGE", uuid)
    assert text(bridge, "Bridge-B-Unique-ID") == other
    assert text(bridge, "Channel-State") == "CS_SOFT_EXECUTE"
    desk.next("CHANNEL_STATE", other, Channel_State="CS_EXCHANGE_MEDIA")
    desk.ask(f"uuid_kill {other}")
    desk.next("CHANNEL_UNBRIDGE", uuid)
    assert text(desk.find("CHANNEL_HANGUP", uuid), "Hangup-Cause") == "NORMAL_CLEARING"
    desk.all_gone()


@pytest.mark.parametrize("other", ["nosuch", "itself"])
def test_uuid_bridge_to_nobody(desk: Desk, uuid: str, other: str) -> None:
    other = uuid if other == "itself" else other
    assert desk.ask(f"uuid_bridge {uuid} {other}") == "-ERR Invalid uuid\n"


def test_digits(desk: Desk, uuid: str) -> None:
    assert desk.ask(f"uuid_recv_dtmf {uuid} 1x#") == f"+OK {uuid} received DTMF 1x#.\n"
    assert [text(desk.next("DTMF", uuid), "DTMF-Digit") for _ in range(2)] == ["1", "#"]
    assert desk.ask(f"uuid_recv_dtmf {uuid} xyz") == "-ERR Operation failed\n"
    assert desk.ask(f"uuid_send_dtmf {uuid} xyz") == "-ERR Operation failed\n"


def test_uuid_answer_does_nothing_for_who_was_called(desk: Desk) -> None:
    uuid = desk.call("loopback/early &park")
    desk.next("CHANNEL_PARK", uuid)
    assert desk.ask(f"uuid_answer {uuid}") == "+OK\n"
    assert desk.ask(f"uuid_pre_answer {uuid}") == "+OK\n"
    assert "Answer-State: early\n" in desk.ask(f"uuid_dump {uuid}")
    assert desk.ask(f"uuid_answer {desk.other(uuid)}") == "+OK\n"
    assert "Answer-State: answered\n" in desk.ask(f"uuid_dump {uuid}")


def test_hupall(desk: Desk) -> None:
    one, two = desk.call("{group=a}loopback/answered &park"), desk.call("{group=b}loopback/answered &park")
    assert desk.ask("hupall USER_BUSY group a").startswith("+OK")
    assert text(desk.find("CHANNEL_HANGUP", one), "Hangup-Cause") == "USER_BUSY"
    assert desk.ask(f"uuid_exists {two}") == "true"
    desk.ask("hupall")
    assert text(desk.find("CHANNEL_HANGUP", two), "Hangup-Cause") == "MANAGER_REQUEST"
    desk.all_gone()


COLUMNS = (
    "uuid,direction,created,created_epoch,name,state,cid_name,cid_num,ip_addr,dest,application,application_data,"
    "dialplan,context,read_codec,read_rate,read_bit_rate,write_codec,write_rate,write_bit_rate,secure,hostname,presence_id,"
    "presence_data,accountcode,callstate,callee_name,callee_num,callee_direction,call_uuid,sent_callee_name,"
    "sent_callee_num,initial_cid_name,initial_cid_num,initial_ip_addr,initial_dest,initial_dialplan,initial_context"
)


def test_show_channels(desk: Desk, uuid: str) -> None:
    other = desk.other(uuid)
    lines = desk.ask("show channels").splitlines()
    assert lines[0] == COLUMNS
    assert lines[3:] == ["", "2 total."]
    rows = [dict(zip(COLUMNS.split(","), line.split(","), strict=True)) for line in lines[1:3]]
    assert [row["uuid"] for row in rows] == [uuid, other]
    assert rows[0] | {"created": "", "created_epoch": "", "hostname": ""} == dict.fromkeys(COLUMNS.split(","), "") | {
        "uuid": uuid,
        "direction": "outbound",
        "name": "loopback/answered-a",
        "state": "CS_EXECUTE",
        "cid_name": "Outbound Call",
        "cid_num": "answered",
        "dest": "answered",
        "application": "park",
        "dialplan": "xml",
        "context": "default",
        "read_codec": "L16",
        "read_rate": "8000",
        "read_bit_rate": "128000",
        "write_codec": "L16",
        "write_rate": "8000",
        "write_bit_rate": "128000",
        "callstate": "ACTIVE",
        "callee_num": "0000000000",
        "call_uuid": uuid,
        "initial_cid_num": "0000000000",
        "initial_dest": "answered",
        "initial_dialplan": "xml",
        "initial_context": "default",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rows[0]["created"])
    assert desk.ask("show channels count") == "\n2 total.\n"
    assert desk.ask("show channels count as json") == '{"row_count":2,"rows":[]}'
    assert desk.ask("show channels count as xml") == '<result row_count="2"></result>\n'
    assert desk.ask(f"show channels like {other}").splitlines()[1:] == [lines[2], "", "1 total."]


def test_show_calls(desk: Desk, uuid: str) -> None:
    """A bridged pair is one call."""
    assert desk.ask("show calls count") == "\n2 total.\n"
    desk.ask(f"uuid_transfer {uuid} pass")
    called = text(desk.next("CHANNEL_BRIDGE", uuid), "Bridge-B-Unique-ID")
    assert desk.ask("show calls count") == "\n3 total.\n"
    lines = desk.ask("show calls").splitlines()
    (row,) = (line.split(",") for line in lines[1:] if line.startswith(uuid))
    assert row[lines[0].split(",").index("b_uuid")] == called
