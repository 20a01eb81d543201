"""What an epmd answers; tests/node/test_epmd_server.py compares it with the real one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from mod_erlang_py.distribution import epmd_server
from mod_erlang_py.distribution.epmd import (
    EpmdEntry,
    alive2_request,
    decode_alive2_response,
    names_request,
    port2_response,
    port_please2_request,
)
from mod_erlang_py.distribution.epmd_server import MAX_EXTRA, MAX_REQUEST, Conversation, PortMapper
from mod_erlang_py.errors import EpmdError

CN1 = EpmdEntry("cn1", 5001)
REFUSED = bytes.fromhex("76 01 00000063")
SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=4)
DUMP, KILL, STOP = b"\0\1d", b"\0\1k", b"\0\4scn1"


@pytest.fixture
def mapper() -> PortMapper:
    return PortMapper(4369, 1000)


def ask(mapper: PortMapper, request: bytes, local: bool = True) -> tuple[bytes, Conversation]:
    conversation = Conversation(mapper, local, 7)
    return conversation.receive_data(request), conversation


def registered(mapper: PortMapper, entry: EpmdEntry) -> Conversation:
    reply, conversation = ask(mapper, alive2_request(entry))
    assert decode_alive2_response(reply) is not None
    assert (conversation.over, conversation.name) == (False, entry.name)
    return conversation


def test_a_registration_lasts_as_long_as_its_connection(mapper: PortMapper) -> None:
    conversation = registered(mapper, CN1)
    reply, asking = ask(mapper, port_please2_request("cn1"))
    assert (reply, asking.over) == (port2_response(CN1), True)
    assert conversation.receive_data(b"") == b""
    assert conversation.over
    assert ask(mapper, port_please2_request("cn1"))[0] == port2_response(None)


def test_a_byte_more_ends_a_registration(mapper: PortMapper) -> None:
    conversation = registered(mapper, CN1)
    assert conversation.receive_data(b"x") == b""
    assert conversation.over
    assert mapper.look_up("cn1") is None


def test_a_taken_name_is_refused_and_the_connection_stays(mapper: PortMapper) -> None:
    registered(mapper, CN1)
    reply, second = ask(mapper, alive2_request(EpmdEntry("cn1", 5002)))
    assert (reply, second.over, second.name) == (REFUSED, False, None)
    assert ask(mapper, alive2_request(EpmdEntry("cn1", 5002, highest=5)))[0] == bytes.fromhex("79 01 0063")
    second.receive_data(b"")
    assert second.over
    assert mapper.look_up("cn1") == CN1


@pytest.mark.parametrize(
    ("entry", "taken"),
    [
        (EpmdEntry("n" * 255, 1), True),
        (EpmdEntry("n" * 256, 1), False),
        (EpmdEntry("\U0001f600" * 255, 1), True),
        (EpmdEntry("n" * 1021, 1), False),
        (EpmdEntry("n", 1, extra=b"x" * MAX_EXTRA), True),
        (EpmdEntry("n", 1, extra=b"x" * (MAX_EXTRA + 1)), False),
        (EpmdEntry("\U0001f600" * 255, 1, extra=b"x" * MAX_EXTRA), True),
        (EpmdEntry("n", 0), True),
    ],
)
def test_how_much_a_node_may_register(mapper: PortMapper, entry: EpmdEntry, taken: bool) -> None:
    reply, conversation = ask(mapper, alive2_request(entry))
    assert (reply != REFUSED) == taken == (conversation.name is not None)
    if taken:
        assert ask(mapper, port_please2_request(entry.name))[0] == port2_response(entry)


def test_the_number_of_names_is_bounded(mapper: PortMapper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epmd_server, "MAX_NAMES", 2)
    one, _ = registered(mapper, CN1), registered(mapper, EpmdEntry("cn2", 5002))
    assert ask(mapper, alive2_request(EpmdEntry("cn3", 5003)))[0] == REFUSED
    one.end()
    registered(mapper, EpmdEntry("cn3", 5003))


def test_creations_increase(mapper: PortMapper) -> None:
    creations = []
    for _ in range(3):
        reply, conversation = ask(mapper, alive2_request(CN1))
        creations.append(decode_alive2_response(reply))
        conversation.end()
    assert creations == [1004, 1005, 1006]


@pytest.mark.parametrize("start", [0, 2**32 - 6, 2**32 - 1])
def test_a_creation_has_32_bits_and_is_none_of_an_old_node(start: int) -> None:
    mapper = PortMapper(4369, start)
    creations = [mapper.register(EpmdEntry(f"n{number}", 1), 7) for number in range(10)]
    assert all(creation is not None and 4 <= creation < 2**32 for creation in creations)
    assert len(set(creations)) == 10


def test_old_nodes_get_creations_of_their_own(mapper: PortMapper) -> None:
    replies = [ask(mapper, alive2_request(EpmdEntry(f"n{number}", 1, highest=5)))[0] for number in range(4)]
    assert [reply[:3] for reply in replies] == [b"y\0\0"] * 4
    assert {reply[3] for reply in replies} == {1, 2, 3}


def test_names_are_told_the_latest_first(mapper: PortMapper) -> None:
    registered(mapper, CN1)
    registered(mapper, EpmdEntry("ümlaut", 5002))
    reply, conversation = ask(mapper, names_request())
    assert reply == b"\0\0\x11\x11" + "name ümlaut at port 5002\nname cn1 at port 5001\n".encode()
    assert conversation.over
    assert ask(mapper, DUMP)[0] == b"\0\0\x11\x11" + (
        "active name     <ümlaut> at port 5002, fd = 7\n\0active name     <cn1> at port 5001, fd = 7\n\0".encode()
    )


def test_killed_only_while_nothing_is_registered(mapper: PortMapper) -> None:
    conversation = registered(mapper, CN1)
    assert ask(mapper, KILL)[0] == b"NO"
    assert not mapper.killed
    conversation.end()
    assert ask(mapper, KILL)[0] == b"OK"
    assert mapper.killed


def test_nothing_is_stopped(mapper: PortMapper) -> None:
    registered(mapper, CN1)
    reply, conversation = ask(mapper, STOP)
    assert (reply, conversation.over) == (b"", True)
    assert mapper.look_up("cn1") == CN1


@pytest.mark.parametrize("request_", [alive2_request(EpmdEntry("cn2", 1)), DUMP, KILL, STOP])
def test_what_other_machines_may_not(mapper: PortMapper, request_: bytes) -> None:
    registered(mapper, CN1)
    reply, conversation = ask(mapper, request_, local=False)
    assert (reply, conversation.over, conversation.name) == (b"", True, None)
    assert mapper.look_up("cn2") is None
    assert not mapper.killed
    assert ask(mapper, port_please2_request("cn1"), local=False)[0] == port2_response(CN1)
    assert b"cn1" in ask(mapper, names_request(), local=False)[0]


@pytest.mark.parametrize(
    "data",
    [b"\0\0", b"\0\1?", (MAX_REQUEST + 1).to_bytes(2, "big"), b"GET / HTTP/1.0\r\n", names_request() + b"x", b"\0\1z"],
    ids=["empty", "unknown", "long", "http", "more", "nameless"],
)
def test_what_is_closed_upon(mapper: PortMapper, data: bytes) -> None:
    reply, conversation = ask(mapper, data)
    assert (reply, conversation.over) == (b"", True)


def test_a_request_that_comes_in_pieces(mapper: PortMapper) -> None:
    conversation = Conversation(mapper, True, 7)
    *pieces, last = (bytes([byte]) for byte in alive2_request(CN1))
    for piece in pieces:
        assert conversation.receive_data(piece) == b""
        assert not conversation.over
    assert decode_alive2_response(conversation.receive_data(last)) == 1004


@given(st.lists(st.binary(max_size=40) | st.builds(lambda body: len(body).to_bytes(2, "big") + body, st.binary())))
def test_any_bytes(pieces: list[bytes]) -> None:
    mapper = PortMapper(4369, 1)
    conversation = Conversation(mapper, True, 7)
    for piece in pieces:
        if conversation.over:
            break
        conversation.receive_data(piece)
    conversation.end()
    assert mapper.entries() == []


@given(st.binary(max_size=100))
def test_any_request(body: bytes) -> None:
    """Whatever a request is made of, it is answered or closed upon."""
    mapper = PortMapper(4369, 1)
    reply, conversation = ask(mapper, len(body).to_bytes(2, "big") + body)
    assert reply or conversation.over
    if conversation.name is not None:
        with_name = port_please2_request(conversation.name)
        assert ask(mapper, with_name)[0].startswith(b"w\0")
    try:
        decode_alive2_response(reply)
    except EpmdError:
        assert not conversation.name


class Epmd(RuleBasedStateMachine):
    """Nodes that come and go by their connections, some of them from other machines, in pieces of any size."""

    connections = Bundle("connections")
    names = st.sampled_from(["a", "b", "c"])

    def __init__(self) -> None:
        super().__init__()
        self.mapper = PortMapper(4369, 1)
        self.held: dict[str, tuple[EpmdEntry, Conversation]] = {}
        self.local: dict[Conversation, bool] = {}

    @rule(target=connections, local=st.booleans())
    def connect(self, local: bool) -> Conversation:
        conversation = Conversation(self.mapper, local, 7)
        self.local[conversation] = local
        return conversation

    def feed(self, conversation: Conversation, data: bytes, sizes: list[int]) -> bytes:
        """What it answers; one that is over is no longer read from."""
        said = b""
        while data and not conversation.over:
            size = sizes[len(said) % len(sizes)]
            said += conversation.receive_data(data[:size])
            data = data[size:]
        return said

    @rule(conversation=connections, name=names, port=st.integers(1, 65535), sizes=SIZES)
    def register(self, conversation: Conversation, name: str, port: int, sizes: list[int]) -> None:
        if conversation.over or conversation._answered or conversation._data:
            self.say_anything(conversation, alive2_request(EpmdEntry(name, port)), sizes)
            return
        entry = EpmdEntry(name, port)
        reply = self.feed(conversation, alive2_request(entry), sizes)
        if not self.local[conversation]:
            assert (reply, conversation.over) == (b"", True)
        elif name in self.held:
            assert (reply, conversation.over) == (REFUSED, False)
        else:
            assert decode_alive2_response(reply)
            self.held[name] = (entry, conversation)

    @rule(conversation=connections, data=st.binary(min_size=1, max_size=20), sizes=SIZES)
    def say_anything(self, conversation: Conversation, data: bytes, sizes: list[int]) -> None:
        """What has been answered is over by it; what has said half a request says more of it, whatever that makes."""
        answered = conversation._answered
        self.feed(conversation, data, sizes)
        assert conversation.over or not answered
        if conversation.over:
            self.forget(conversation)
        elif conversation.name is not None:
            entry = self.mapper.look_up(conversation.name)
            assert entry is not None
            self.held[entry.name] = (entry, conversation)

    @rule(conversation=connections)
    def close(self, conversation: Conversation) -> None:
        conversation.end()
        self.forget(conversation)

    def forget(self, conversation: Conversation) -> None:
        assert conversation.over
        self.held = {name: one for name, one in self.held.items() if one[1] is not conversation}

    @rule(local=st.booleans())
    def kill(self, local: bool) -> None:
        reply, _ = ask(self.mapper, KILL, local)
        assert reply == ((b"NO" if self.held else b"OK") if local else b"")

    @invariant()
    def those_that_are_connected_are_known(self) -> None:
        assert [entry for entry, _ in self.mapper.entries()] == [entry for entry, _ in reversed(self.held.values())]
        for name in ("a", "b", "c"):
            known = self.held[name][0] if name in self.held else None
            assert ask(self.mapper, port_please2_request(name), local=False)[0] == port2_response(known)


TestEpmd = Epmd.TestCase
