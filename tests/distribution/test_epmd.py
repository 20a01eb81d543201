"""Vectors: seen between OTP 25 and its epmd."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mod_erlang_py.distribution.epmd import (
    AliveRequest,
    DumpRequest,
    EpmdEntry,
    KillRequest,
    NamesRequest,
    NodeType,
    PortPleaseRequest,
    StopRequest,
    alive2_request,
    alive2_response,
    decode_alive2_response,
    decode_names_response,
    decode_port2_response,
    decode_request,
    dump_response,
    names_request,
    names_response,
    port2_response,
    port_please2_request,
)
from mod_erlang_py.errors import EpmdError

CN1 = EpmdEntry("cn1", 5001)
REQUEST = bytes.fromhex("0010 78 1389 48 00 0006 0005 0003 636e31 0000")
PORT2 = bytes.fromhex("77 00 1389 48 00 0006 0005 0003 636e31 0000")

u16 = st.integers(0, 0xFFFF)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=50)
entries = st.builds(EpmdEntry, names, u16, st.integers(0, 255), u16, u16, st.binary(max_size=50))


def test_alive2_request() -> None:
    assert alive2_request(CN1) == REQUEST
    assert decode_request(REQUEST[2:]) == AliveRequest(CN1)
    assert alive2_request(EpmdEntry("cn1", 5001, NodeType.NORMAL))[5] == 77


@pytest.mark.parametrize(
    ("reply", "creation"), [("76 00 6b036535", 0x6B036535), ("79 00 0002", 2), ("76 00 00000001 ff", 1)]
)
def test_alive2_response(reply: str, creation: int) -> None:
    assert decode_alive2_response(bytes.fromhex(reply)) == creation


@pytest.mark.parametrize("reply", ["76 00 6b036535", "79 00 0002"])
def test_alive2_response_incomplete(reply: str) -> None:
    data = bytes.fromhex(reply)
    for size in range(len(data)):
        assert decode_alive2_response(data[:size]) is None


@pytest.mark.parametrize("reply", ["76 01 00000063", "79 01 0063", "77 00", "00"])
def test_alive2_refused(reply: str) -> None:
    with pytest.raises(EpmdError):
        decode_alive2_response(bytes.fromhex(reply))


def test_port_please2() -> None:
    request = port_please2_request("cn1")
    assert request == bytes.fromhex("0004 7a 636e31")
    assert decode_request(request[2:]) == PortPleaseRequest("cn1")
    assert decode_port2_response(PORT2) == CN1
    assert port2_response(CN1) == PORT2
    for size in range(len(PORT2)):
        assert decode_port2_response(PORT2[:size]) is None


def test_port2_unknown() -> None:
    assert port2_response(None) == b"\x77\x01"
    with pytest.raises(EpmdError, match="unknown"):
        decode_port2_response(b"\x77\x01")


@pytest.mark.parametrize("reply", ["76 00", PORT2.hex().replace("636e31", "ff6e31")])
def test_port2_garbage(reply: str) -> None:
    with pytest.raises(EpmdError):
        decode_port2_response(bytes.fromhex(reply))


def test_names() -> None:
    assert names_request() == bytes.fromhex("0001 6e")
    assert decode_request(b"n") == NamesRequest()
    reply = b"\0\0\x11\x11name otp at port 40123\nname cn1 at port 5001\n"
    assert decode_names_response(reply) == {"otp": 40123, "cn1": 5001}
    assert names_response(4369, [EpmdEntry("otp", 40123), CN1]) == reply
    assert decode_names_response(b"\0\0\x11\x11") == {}


@pytest.mark.parametrize("reply", [b"", b"\0\0\x11", b"\0\0\x11\x11name otp at po"])
def test_names_cut_short(reply: bytes) -> None:
    with pytest.raises(EpmdError):
        decode_names_response(reply)


@given(entries)
def test_entries_round_trip(entry: EpmdEntry) -> None:
    assert decode_request(alive2_request(entry)[2:]) == AliveRequest(entry)
    assert decode_port2_response(port2_response(entry)) == entry


@given(names)
def test_names_round_trip(name: str) -> None:
    asked = PortPleaseRequest(name)
    assert decode_request(port_please2_request(name)[2:]) == asked
    assert decode_request(port_please2_request(name)[2:] + b"\0") == asked  # as old nodes end it
    assert decode_request(b"s" + name.encode()) == StopRequest(name)


def test_the_requests_of_the_epmd_program() -> None:
    assert decode_request(b"d") == DumpRequest()
    assert decode_request(b"k") == KillRequest()
    reply = b"\0\0\x11\x11active name     <otp> at port 40123, fd = 5\n\0active name     <cn1> at port 5001, fd = 4\n\0"
    assert dump_response(4369, [(EpmdEntry("otp", 40123), 5), (CN1, 4)]) == reply
    assert dump_response(4369, []) == b"\0\0\x11\x11"


@pytest.mark.parametrize(("highest", "reply"), [(6, "76 00 6b036535"), (5, "79 00 0003")])
def test_epmd_answers_by_the_highest_version(highest: int, reply: str) -> None:
    creation = 0x6B036535 if highest == 6 else 3
    assert alive2_response(EpmdEntry("cn1", 5001, highest=highest), creation) == bytes.fromhex(reply)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"?",
        b"x",
        REQUEST[2:-1],
        b"z\xff",
        b"z",
        b"z\0",
        b"za\0b",
        b"s",
        b"x" + bytes(12),
        b"x" + bytes(9) + b"\1\0\0\0",
    ],
)
def test_requests_that_are_none(body: bytes) -> None:
    with pytest.raises(EpmdError):
        decode_request(body)


RESPONSES: list[Callable[[bytes], object]] = [decode_alive2_response, decode_port2_response, decode_names_response]
REPLIES = [bytes.fromhex("76 00 6b036535"), bytes.fromhex("79 00 0003"), PORT2, names_response(4369, [CN1] * 3)]


@given(st.binary(max_size=60))
@example(b"\0\0\x11\x11name otp at port " + b"1" * 5000)
def test_any_reply(data: bytes) -> None:
    for decode in RESPONSES:
        with suppress(EpmdError):
            decode(data)


@given(st.sampled_from(REPLIES), st.data())
def test_a_broken_reply(reply: bytes, choice: st.DataObject) -> None:
    broken = bytearray(reply)
    broken[choice.draw(st.integers(0, len(broken) - 1))] = choice.draw(st.integers(0, 255))
    test_any_reply.hypothesis.inner_test(bytes(broken))  # type: ignore[attr-defined]


@given(st.dictionaries(st.from_regex(r"[a-z0-9_.-]{1,20}", fullmatch=True), u16, max_size=5))
def test_names_are_listed_with_their_ports(listed: dict[str, int]) -> None:
    assert decode_names_response(names_response(4369, (EpmdEntry(*one) for one in listed.items()))) == listed
