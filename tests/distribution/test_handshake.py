"""Frames: seen with OTP 25, OTP being otp@127.0.0.1 and we cn1@127.0.0.1."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from mod_erlang_py.distribution.flags import MANDATORY_25, OURS, DistFlags
from mod_erlang_py.distribution.handshake import (
    MAX_PACKET,
    AcceptorHandshake,
    InitiatorHandshake,
    State,
    digest,
    fresh_challenge,
)
from mod_erlang_py.distribution.handshake_events import (
    AliveAnswered,
    Established,
    LocalNode,
    NameReceived,
    PeerNode,
    Status,
    StatusReceived,
)
from mod_erlang_py.errors import CookieMismatch, HandshakeError

Machine: TypeAlias = AcceptorHandshake | InitiatorHandshake

OTP_FLAGS = 0xD07DF7FBD
OUR_CHALLENGE = 0xDEADBEEF
THEIR_CHALLENGE = 0x0BB69D76
US = LocalNode("cn1@127.0.0.1", OURS, 0x11223344)
PEER = PeerNode("otp@127.0.0.1", OURS & DistFlags(OTP_FLAGS), 0x6B03653A)

OTP_NAME = bytes.fromhex("001c 4e 0000000d07df7fbd 6b03653a 000d 6f7470403132372e302e302e31")
OTP_REPLY = bytes.fromhex("0015 72 0bb69d76 c3939b31d7a913d82e2ace09247c7b41")
OUR_CHALLENGE_PACKET = bytes.fromhex("0020 4e 0000002d075f4fbc deadbeef 11223344 000d 636e31403132372e302e302e31")


def packet(body: bytes, header: int = 2) -> bytes:
    return len(body).to_bytes(header, "big") + body


def name(node: bytes = b"otp@127.0.0.1", flags: int = OTP_FLAGS, tail: bytes = b"") -> bytes:
    return packet(struct.pack(">cQIH", b"N", flags, PEER.creation, len(node)) + node + tail)


def name_v5(flags: int = OTP_FLAGS & 0xFFFFFFFF, version: int = 5) -> bytes:
    return packet(struct.pack(">cHI", b"n", version, flags) + b"otp@127.0.0.1")


def complement(flags: int = OTP_FLAGS) -> bytes:
    return packet(struct.pack(">cII", b"c", flags >> 32, PEER.creation))


def status(word: bytes) -> bytes:
    return packet(b"s" + word)


def challenge(
    node: bytes = b"otp@127.0.0.1", flags: int = OTP_FLAGS, number: int = THEIR_CHALLENGE, tail: bytes = b""
) -> bytes:
    return packet(struct.pack(">cQIIH", b"N", flags, number, PEER.creation, len(node)) + node + tail)


def reply(cookie: str = "secret", ours: int = OUR_CHALLENGE) -> bytes:
    return packet(struct.pack(">cI", b"r", THEIR_CHALLENGE) + digest(cookie, ours))


def ack(cookie: str = "secret", ours: int = OUR_CHALLENGE) -> bytes:
    return packet(b"a" + digest(cookie, ours))


def acceptor(header: Literal[2, 4] = 2) -> AcceptorHandshake:
    return AcceptorHandshake(US, lambda _: "secret", OUR_CHALLENGE, header=header)


def initiator(header: Literal[2, 4] = 2) -> InitiatorHandshake:
    return InitiatorHandshake(US, PEER.name, "secret", OUR_CHALLENGE, header=header)


# --- the two ways through ---


def test_digest() -> None:
    assert digest("secret", 0xDEADBEEF).hex() == "c3939b31d7a913d82e2ace09247c7b41"
    assert digest("secret", 0xCAFEBABE).hex() == "52d44ecb249cb4af5680121ffb96e958"
    assert digest("secret", 5).hex() == "bee29934627d7deadb4e4d5baf923ad7"
    assert digest("\xe9", 5) != digest("é".encode().decode("latin-1"), 5)


def test_a_cookie_that_no_node_can_use() -> None:
    for make in (
        lambda: digest("ж", 5),
        lambda: InitiatorHandshake(US, PEER.name, "ж", 5),
    ):
        with pytest.raises(ValueError):
            make()


def test_fresh_challenges() -> None:
    challenges = {fresh_challenge() for _ in range(100)}
    assert len(challenges) > 90
    assert all(0 <= number < 1 << 32 for number in challenges)


def test_otp_connects_to_us() -> None:
    machine = acceptor()
    machine.receive_data(OTP_NAME)
    assert machine.events_received() == [NameReceived(PEER.name, PEER.flags, PEER.creation, 6)]
    assert machine.data_to_send() == b""
    machine.send_status(Status.OK)
    assert machine.data_to_send() == status(b"ok") + OUR_CHALLENGE_PACKET
    machine.receive_data(OTP_REPLY + b"\0\0\0\0")
    assert machine.data_to_send() == packet(b"a" + digest("secret", THEIR_CHALLENGE))
    assert machine.events_received() == [Established(PEER)]
    assert machine.state is State.CONNECTED
    assert machine.trailing_data == b"\0\0\0\0"


def test_we_connect_to_otp() -> None:
    machine = initiator()
    assert machine.data_to_send() == bytes.fromhex("001c 4e 0000002d075f4fbc 11223344 000d 636e31403132372e302e302e31")
    machine.receive_data(status(b"ok") + challenge())
    assert machine.events_received() == [StatusReceived(Status.OK)]
    assert machine.data_to_send() == packet(struct.pack(">cI", b"r", OUR_CHALLENGE) + digest("secret", THEIR_CHALLENGE))
    machine.receive_data(ack() + b"frame")
    assert machine.events_received() == [Established(PEER)]
    assert machine.state is State.CONNECTED
    assert machine.trailing_data == b"frame"
    machine.receive_data(b"more")
    assert machine.trailing_data == b"framemore"


def test_flags_are_what_both_sides_have() -> None:
    machine = acceptor()
    machine.receive_data(name(flags=MANDATORY_25 | DistFlags.FRAGMENTS | 1 << 60))
    [event] = machine.events_received()
    assert isinstance(event, NameReceived)
    assert event.flags == MANDATORY_25


def test_the_digest_flag_stands_for_the_others() -> None:
    machine = acceptor()
    machine.receive_data(name(flags=DistFlags.MANDATORY_25_DIGEST))
    [event] = machine.events_received()
    assert isinstance(event, NameReceived)
    assert event.flags == MANDATORY_25 | DistFlags.MANDATORY_25_DIGEST


def test_later_releases_may_append_fields() -> None:
    accepting = acceptor()
    accepting.receive_data(name(tail=b"more"))
    assert len(accepting.events_received()) == 1
    connecting = initiator()
    connecting.receive_data(status(b"ok") + challenge(tail=b"more"))
    assert connecting.state is State.ACK


def test_version_5_with_complement() -> None:
    machine = acceptor()
    machine.receive_data(name_v5())
    low = OURS & DistFlags(0xFFFFFFFF)
    assert machine.events_received() == [NameReceived(PEER.name, low, None, 5)]
    machine.send_status(Status.OK)
    assert machine.data_to_send() == status(b"ok") + OUR_CHALLENGE_PACKET
    machine.receive_data(complement() + reply())
    assert machine.events_received() == [Established(PEER)]


def test_a_v5_peer_must_complement_first() -> None:
    machine = acceptor()
    machine.receive_data(name_v5())
    machine.send_status(Status.OK)
    with pytest.raises(HandshakeError, match="send_complement"):
        machine.receive_data(reply())


# --- what the sides may say to each other ---


def test_simultaneous() -> None:
    machine = acceptor()
    machine.receive_data(OTP_NAME)
    machine.send_status(Status.OK_SIMULTANEOUS)
    assert machine.data_to_send() == status(b"ok_simultaneous") + OUR_CHALLENGE_PACKET
    connecting = initiator()
    connecting.receive_data(status(b"ok_simultaneous"))
    assert connecting.events_received() == [StatusReceived(Status.OK_SIMULTANEOUS)]
    assert connecting.state is State.CHALLENGE


@pytest.mark.parametrize("refusal", [Status.NOK, Status.NOT_ALLOWED])
def test_refusals(refusal: Status) -> None:
    machine = acceptor()
    machine.receive_data(OTP_NAME)
    machine.send_status(refusal)
    assert machine.data_to_send() == status(refusal.value.encode())
    assert machine.state is State.REFUSED
    connecting = initiator()
    with pytest.raises(HandshakeError) as caught:
        connecting.receive_data(status(refusal.value.encode()))
    assert (caught.value.step, caught.value.reason) == ("send_status", refusal.value)
    assert connecting.events_received() == [StatusReceived(refusal)]
    assert connecting.state is State.REFUSED


@pytest.mark.parametrize(
    ("answer", "replace", "after"), [(b"true", True, State.REPLY), (b"false", False, State.REFUSED)]
)
def test_alive_as_acceptor(answer: bytes, replace: bool, after: State) -> None:
    machine = acceptor()
    machine.receive_data(OTP_NAME)
    machine.events_received()
    machine.send_status(Status.ALIVE)
    assert machine.data_to_send() == status(b"alive")
    machine.receive_data(status(answer))
    assert machine.events_received() == [AliveAnswered(replace)]
    assert machine.data_to_send() == (OUR_CHALLENGE_PACKET if replace else b"")
    assert machine.state is after


@pytest.mark.parametrize(
    ("replace", "word", "after"), [(True, b"true", State.CHALLENGE), (False, b"false", State.REFUSED)]
)
def test_alive_as_initiator(replace: bool, word: bytes, after: State) -> None:
    machine = initiator()
    machine.data_to_send()
    machine.receive_data(status(b"alive"))
    assert machine.events_received() == [StatusReceived(Status.ALIVE)]
    machine.answer_alive(replace)
    assert machine.data_to_send() == status(word)
    assert machine.state is after


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        pytest.param(name(flags=MANDATORY_25 & ~DistFlags.UTF8_ATOMS), "UTF8_ATOMS", id="a flag missing"),
        pytest.param(name(flags=0), "EXTENDED_REFERENCES, NEW_FUN_TAGS", id="all flags missing"),
        pytest.param(name_v5(flags=MANDATORY_25 & ~DistFlags.HANDSHAKE_23), "HANDSHAKE_23", id="older than OTP 23"),
        pytest.param(name(b"127.0.0.1", OTP_FLAGS | DistFlags.NAME_ME), "asks for a name", id="NAME_ME"),
    ],
)
def test_peers_that_are_not_allowed(first: bytes, reason: str) -> None:
    machine = acceptor()
    with pytest.raises(HandshakeError, match=reason):
        machine.receive_data(first)
    assert machine.data_to_send() == status(b"not_allowed")
    assert machine.state is State.REFUSED
    assert machine.events_received() == []


# --- what ends it ---


@pytest.mark.parametrize(
    "node",
    [b"", b"otp", b"@host", b"otp@", b"otp@host@host", b"o\ntp@host", b"o\0tp@host", b"\xff@host", b"n" * 255 + b"@h"],
)
def test_node_names(node: bytes) -> None:
    for machine, first in ((acceptor(), name(node)), (initiator(), status(b"ok") + challenge(node))):
        with pytest.raises(HandshakeError):
            machine.receive_data(first)
        assert machine.state is State.FAILED


def test_names_need_not_be_ascii() -> None:
    machine = acceptor()
    machine.receive_data(name("узел@host".encode()))
    [event] = machine.events_received()
    assert isinstance(event, NameReceived)
    assert event.name == "узел@host"


def test_the_name_in_the_challenge_is_the_one_dialled() -> None:
    machine = initiator()
    with pytest.raises(HandshakeError, match=r"otp2@.* answered"):
        machine.receive_data(status(b"ok") + challenge(b"otp2@127.0.0.1"))


def test_the_acceptor_may_lack_flags_too() -> None:
    machine = initiator()
    with pytest.raises(HandshakeError, match="BIG_CREATION"):
        machine.receive_data(status(b"ok") + challenge(flags=MANDATORY_25 & ~DistFlags.BIG_CREATION))


def test_our_own_challenge_is_not_answered() -> None:
    own = initiator()
    elsewhere = InitiatorHandshake(US, PEER.name, "secret", 1, refused_challenges={THEIR_CHALLENGE})
    for machine, number in ((own, OUR_CHALLENGE), (elsewhere, THEIR_CHALLENGE)):
        machine.data_to_send()
        with pytest.raises(HandshakeError, match="our own"):
            machine.receive_data(status(b"ok") + challenge(number=number))
        assert machine.data_to_send() == b""


def test_our_own_challenge_is_not_answered_to_one_who_connects() -> None:
    own = acceptor()
    elsewhere = AcceptorHandshake(US, lambda _: "secret", OUR_CHALLENGE, refused_challenges={THEIR_CHALLENGE})
    for machine, number in ((own, OUR_CHALLENGE), (elsewhere, THEIR_CHALLENGE)):
        machine.receive_data(OTP_NAME)
        machine.send_status(Status.OK)
        machine.data_to_send()
        with pytest.raises(HandshakeError, match="our own"):
            machine.receive_data(packet(struct.pack(">cI", b"r", number) + digest("secret", OUR_CHALLENGE)))
        assert machine.data_to_send() == b""
        assert machine.state is State.FAILED


def test_another_cookie() -> None:
    accepting = acceptor()
    accepting.receive_data(OTP_NAME)
    accepting.send_status(Status.OK)
    accepting.events_received()
    accepting.data_to_send()
    with pytest.raises(CookieMismatch):
        accepting.receive_data(reply(cookie="guess"))
    assert (accepting.data_to_send(), accepting.events_received()) == (b"", [])
    connecting = initiator()
    connecting.receive_data(status(b"ok") + challenge())
    connecting.events_received()
    with pytest.raises(CookieMismatch):
        connecting.receive_data(ack(cookie="guess"))
    assert connecting.events_received() == []
    assert connecting.trailing_data == b""


@pytest.mark.parametrize("header", [2, 4])
def test_long_packets_are_refused_by_their_length(header: Literal[2, 4]) -> None:
    for machine in (acceptor(header), initiator(header)):
        with pytest.raises(HandshakeError, match="bytes"):
            machine.receive_data((MAX_PACKET + 1).to_bytes(header, "big"))
    for machine in (acceptor(header), initiator(header)):
        machine.receive_data(MAX_PACKET.to_bytes(header, "big"))
        assert machine.state is not State.FAILED


def test_empty_packets() -> None:
    for machine in (acceptor(), initiator()):
        with pytest.raises(HandshakeError):
            machine.receive_data(b"\0\0")


@pytest.mark.parametrize(
    "last",
    [packet(name()[2:18]), packet(name()[2:-1]), packet(b"N"), packet(b"n\0\5"), name_v5(version=6), packet(b"n")],
)
def test_malformed_names(last: bytes) -> None:
    machine = acceptor()
    with pytest.raises(HandshakeError):
        machine.receive_data(last)
    assert machine.state is State.FAILED


@pytest.mark.parametrize("cut", [packet(challenge()[2:20]), packet(challenge()[2:-1]), packet(b"N")])
def test_malformed_challenges(cut: bytes) -> None:
    machine = initiator()
    with pytest.raises(HandshakeError):
        machine.receive_data(status(b"ok") + cut)


# --- every state, every input ---


def in_state(state: State) -> Machine:
    """A machine that has come to state, its events and output taken."""
    machine: Machine
    if state in (State.STATUS, State.OUR_ALIVE_ANSWER, State.CHALLENGE, State.ACK):
        machine = initiator()
        if state is State.OUR_ALIVE_ANSWER:
            machine.receive_data(status(b"alive"))
        elif state is not State.STATUS:
            machine.receive_data(status(b"ok"))
        if state is State.ACK:
            machine.receive_data(challenge())
    else:
        machine = acceptor()
        if state is not State.NAME:
            machine.receive_data(name_v5() if state is State.COMPLEMENT else OTP_NAME)
        if state is State.ALIVE_ANSWER:
            machine.send_status(Status.ALIVE)
        elif state is State.REFUSED:
            machine.send_status(Status.NOK)
        elif state in (State.COMPLEMENT, State.REPLY, State.CONNECTED):
            machine.send_status(Status.OK)
        elif state is State.FAILED:
            with pytest.raises(HandshakeError):
                machine.receive_data(OTP_NAME)
        if state is State.CONNECTED:
            machine.receive_data(OTP_REPLY)
    machine.events_received()
    machine.data_to_send()
    assert machine.state is state
    return machine


PACKETS = {
    "name": OTP_NAME,
    "name_v5": name_v5(),
    "status ok": status(b"ok"),
    "status ok_simultaneous": status(b"ok_simultaneous"),
    "status alive": status(b"alive"),
    "status nok": status(b"nok"),
    "status not_allowed": status(b"not_allowed"),
    "status named": status(b"named:\0\1x"),
    "status ?": status(b"?"),
    "true": status(b"true"),
    "false": status(b"false"),
    "challenge": challenge(),
    "complement": complement(),
    "short complement": packet(b"c\0"),
    "long complement": packet(complement()[2:] + b"\0"),
    "reply": reply(),
    "short reply": packet(reply()[2:-1]),
    "long reply": packet(reply()[2:] + b"\0"),
    "ack": ack(),
    "short ack": packet(ack()[2:-1]),
    "long ack": packet(ack()[2:] + b"\0"),
    "alien": packet(b"x"),
}

MOVES = {
    (State.NAME, "name"): State.OUR_STATUS,
    (State.NAME, "name_v5"): State.OUR_STATUS,
    (State.ALIVE_ANSWER, "true"): State.REPLY,
    (State.ALIVE_ANSWER, "false"): State.REFUSED,
    (State.COMPLEMENT, "complement"): State.REPLY,
    (State.REPLY, "reply"): State.CONNECTED,
    (State.STATUS, "status ok"): State.CHALLENGE,
    (State.STATUS, "status ok_simultaneous"): State.CHALLENGE,
    (State.STATUS, "status alive"): State.OUR_ALIVE_ANSWER,
    (State.CHALLENGE, "challenge"): State.ACK,
    (State.ACK, "ack"): State.CONNECTED,
    **{(State.CONNECTED, what): State.CONNECTED for what in PACKETS},
}

ENDS_IN_REFUSED = {(State.STATUS, "status nok"), (State.STATUS, "status not_allowed")}


@pytest.mark.parametrize("what", PACKETS)
@pytest.mark.parametrize("state", State)
def test_every_packet_in_every_state(state: State, what: str) -> None:
    machine = in_state(state)
    after = MOVES.get((state, what))
    if after is not None:
        machine.receive_data(PACKETS[what])
        assert machine.state is after
        return
    with pytest.raises(HandshakeError):
        machine.receive_data(PACKETS[what])
    refused = state is State.REFUSED or (state, what) in ENDS_IN_REFUSED
    assert machine.state is (State.REFUSED if refused else State.FAILED)
    assert machine.data_to_send() == b""
    assert machine.trailing_data == b""
    with pytest.raises(HandshakeError, match="no more data"):
        machine.receive_data(b"")


CALLS: dict[str, Callable[[Machine], None]] = {
    "send_status": lambda machine: machine.send_status(Status.OK),  # type: ignore[union-attr]
    "answer_alive": lambda machine: machine.answer_alive(True),  # type: ignore[union-attr]
}


@pytest.mark.parametrize("state", State)
def test_calls_out_of_turn_change_nothing(state: State) -> None:
    machine = in_state(state)
    call = "send_status" if isinstance(machine, AcceptorHandshake) else "answer_alive"
    if state in (State.OUR_STATUS, State.OUR_ALIVE_ANSWER):
        CALLS[call](machine)
        assert machine.state is not state
        return
    with pytest.raises(HandshakeError, match=call):
        CALLS[call](machine)
    assert machine.state is state
    assert machine.data_to_send() == b""


# --- two of them joined ---


def chunks(data: bytes, cuts: Iterator[int]) -> Iterator[bytes]:
    while data:
        size = next(cuts)
        yield data[:size]
        data = data[size:]


def join(cuts: Iterator[int], header: Literal[2, 4], cookies: tuple[str, str], alive: bool) -> tuple[Machine, Machine]:
    """Run an initiator (cookies[0]) against an acceptor, their bytes cut as cuts says; frames follow at once."""
    b_node = LocalNode("b@h", OURS | DistFlags.PUBLISHED, 2)
    a = InitiatorHandshake(LocalNode("a@h", OURS, 1), "b@h", cookies[0], 10, header=header)
    b = AcceptorHandshake(b_node, lambda _: cookies[1], 20, header=header)
    done: dict[Machine, PeerNode] = {}
    while len(done) < 2:
        moved = False
        for sender, receiver in ((a, b), (b, a)):
            data = sender.data_to_send() + (b"to the other side" if sender in done and receiver not in done else b"")
            for chunk in chunks(data, cuts):
                moved = True
                receiver.receive_data(chunk)
                for event in receiver.events_received():
                    if isinstance(event, NameReceived):
                        b.send_status(Status.ALIVE if alive else Status.OK)
                    elif event == StatusReceived(Status.ALIVE):
                        a.answer_alive(True)
                    elif isinstance(event, Established):
                        done[receiver] = event.peer
        assert moved
    assert done == {a: PeerNode("b@h", OURS, 2), b: PeerNode("a@h", OURS, 1)}
    return a, b


def endless(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.sampled_from([2, 4]), st.booleans())
def test_joined_in_any_chunks(sizes: list[int], header: Literal[2, 4], alive: bool) -> None:
    a, b = join(endless(sizes), header, ("secret", "secret"), alive)
    assert a.trailing_data == b"to the other side"
    assert b.trailing_data == b""


@given(st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_joined_with_different_cookies(sizes: list[int]) -> None:
    with pytest.raises(CookieMismatch):
        join(endless(sizes), 2, ("secret", "other"), False)


@given(st.booleans(), st.binary(max_size=100))
def test_random_bytes(accepting: bool, data: bytes) -> None:
    machine: Machine = acceptor() if accepting else initiator()
    try:
        machine.receive_data(data)
    except HandshakeError:
        assert machine.state in (State.FAILED, State.REFUSED)


# --- somebody without the cookie ---


class Stranger(RuleBasedStateMachine):
    """Somebody without the cookie, on several connections with a node at once, to it and from it. He knows the
    protocol, passes on from one to another what he is told, breaks packets, and sends them in any pieces."""

    machines = Bundle("machines")

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[int] = []  # the node's challenges, which it does not answer itself
        self.all: list[Machine] = []
        self.digests = [bytes(16), digest("", 1)]
        self.challenges = [0, THEIR_CHALLENGE]

    def made(self, machine: Machine) -> Machine:
        self.all.append(machine)
        self.listen(machine)
        return machine

    @rule(target=machines)
    def connects(self) -> Machine:
        self.sent.append(len(self.sent) + 100)
        return self.made(AcceptorHandshake(US, lambda _: "secret", self.sent[-1], refused_challenges=self.sent))

    @rule(target=machines)
    def is_dialled(self) -> Machine:
        self.sent.append(len(self.sent) + 100)
        return self.made(InitiatorHandshake(US, PEER.name, "secret", self.sent[-1], refused_challenges=self.sent))

    def listen(self, machine: Machine) -> None:
        data = machine.data_to_send()
        while data:
            size = int.from_bytes(data[:2], "big")
            one, data = data[2 : 2 + size], data[2 + size :]
            if one[:1] == b"r":
                self.digests.append(one[5:])
                self.challenges.append(int.from_bytes(one[1:5], "big"))
            elif one[:1] == b"a":
                self.digests.append(one[1:])
            elif one[:1] == b"N" and isinstance(machine, AcceptorHandshake):
                self.challenges.append(int.from_bytes(one[9:13], "big"))

    def say(self, machine: Machine, data: bytes, status: Status = Status.OK, cut: int = 0) -> None:
        """status: what the node finds to say to a name."""
        over = machine.state in (State.FAILED, State.REFUSED)
        try:
            for piece in (data[:cut], data[cut:]):
                machine.receive_data(piece)
                for event in machine.events_received():
                    assert not isinstance(event, Established)
                    if isinstance(event, NameReceived) and isinstance(machine, AcceptorHandshake):
                        machine.send_status(status)
                    elif event == StatusReceived(Status.ALIVE) and isinstance(machine, InitiatorHandshake):
                        machine.answer_alive(status is not Status.ALIVE)
            assert not over
        except HandshakeError:
            assert machine.state in (State.FAILED, State.REFUSED)
        self.listen(machine)

    def packets(self, number: int, proof: bytes) -> dict[State, bytes]:
        return {
            State.NAME: name(),
            State.ALIVE_ANSWER: status(b"true"),
            State.COMPLEMENT: complement(),
            State.REPLY: packet(struct.pack(">cI", b"r", number) + proof),
            State.STATUS: status(b"ok"),
            State.CHALLENGE: challenge(number=number),
            State.ACK: packet(b"a" + proof),
        }

    @rule(machine=machines, steps=st.integers(1, 3), old=st.booleans())
    def goes_on(self, machine: Machine, steps: int, old: bool) -> None:
        """With what the other side waits for, and what he heard last."""
        for _ in range(steps):
            fitting = self.packets(self.challenges[-1], self.digests[-1]) | ({State.NAME: name_v5()} if old else {})
            self.say(machine, fitting.get(machine.state, b""))

    @rule(machine=machines, status=st.sampled_from(Status), choice=st.data())
    def says_what_belongs_somewhere(self, machine: Machine, status: Status, choice: st.DataObject) -> None:
        data = bytearray(choice.draw(self.anything()))
        if choice.draw(st.booleans()):
            data[choice.draw(st.integers(0, len(data) - 1))] = choice.draw(st.integers(0, 255))
        self.say(machine, bytes(data), status, choice.draw(st.integers(0, len(data))))

    def anything(self) -> st.SearchStrategy[bytes]:
        packets = st.builds(self.packets, st.sampled_from(self.challenges), st.sampled_from(self.digests))
        statuses = st.sampled_from([b"alive", b"nok", b"not_allowed", b"ok_simultaneous", b"false"]).map(status)
        return packets.flatmap(lambda one: st.sampled_from(list(one.values()))) | statuses

    @rule(machine=machines, data=st.binary(max_size=40))
    def says_anything(self, machine: Machine, data: bytes) -> None:
        self.say(machine, data)

    @invariant()
    def is_not_let_in(self) -> None:
        assert all(machine.state is not State.CONNECTED for machine in self.all)


TestStranger = Stranger.TestCase
