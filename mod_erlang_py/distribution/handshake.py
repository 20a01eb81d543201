"""The distribution handshake: one machine for the side that accepts, one for the side that connects.

    machine.receive_data(chunk)          any split of the stream
    for event in machine.events_received(): ...
    send(machine.data_to_send())
    machine.trailing_data                after Established: the first bytes of the connected phase

Either raises HandshakeError (CookieMismatch is one); then data_to_send has what may still be said to the
peer, the events up to there can be read, and the machine takes no more data.
Source: ERTS "Distribution Protocol", section "Distribution Handshake"; the v6 messages of OTP 23, and on the
accepting side the v5 name with its complement, which OTP 23 and 24 send when they cannot ask epmd.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable, Container, Mapping
from enum import Enum
from typing import ClassVar, Literal, TypeAlias

from mod_erlang_py.distribution.flags import DistFlags, expanded, missing, names
from mod_erlang_py.distribution.handshake_events import (
    AliveAnswered,
    Established,
    Event,
    LocalNode,
    NameReceived,
    PeerNode,
    Status,
    StatusReceived,
)
from mod_erlang_py.errors import CookieMismatch, HandshakeError

MAX_PACKET = 1200
"""Bytes of the longest packet we take: 15 and a name of 255 characters, with room for more fields."""

_TLS = b"\x16\3"
"""How a TLS client hello begins; as a length it is over MAX_PACKET."""


class State(Enum):
    """What a machine waits for; the values name the step in errors."""

    NAME = "send_name"
    OUR_STATUS = "our send_status"
    ALIVE_ANSWER = "answer to alive"
    COMPLEMENT = "send_complement"
    REPLY = "send_challenge_reply"
    STATUS = "send_status"
    OUR_ALIVE_ANSWER = "our answer to alive"
    CHALLENGE = "send_challenge"
    ACK = "send_challenge_ack"
    CONNECTED = "connected"
    REFUSED = "refused"  # one side said no, in the protocol's own words
    FAILED = "failed"


_WORDS = {status.value.encode(): status for status in Status}


def digest(cookie: str, challenge: int) -> bytes:
    """MD5 of the cookie, one byte a character, and the received challenge in decimal: 16 bytes.

    Raises: ValueError for a cookie with a character over 255, which no Erlang node can use.
    """
    return hashlib.md5(cookie.encode("latin-1") + str(challenge).encode(), usedforsecurity=False).digest()


def fresh_challenge() -> int:
    """A challenge nobody can guess, 32 bits."""
    return secrets.randbits(32)


def node_name(data: bytes, step: str) -> str:
    """A full node name from the wire: one @, both halves non-empty, printable, at most 255 characters.

    Raises: HandshakeError at that step.
    """
    try:
        name = data.decode()
    except UnicodeDecodeError:
        raise HandshakeError(step, "node name that is not UTF-8") from None
    before, _, host = name.partition("@")
    if not before or not host or "@" in host or len(name) > 255 or not name.isprintable():
        raise HandshakeError(step, f"{name[:80]!r} is no node name")
    return name


_Handlers: TypeAlias = Mapping[tuple[State, bytes], Callable[..., None]]


class _Handshake:
    """What both machines share: packets in, packets out, events, one state.

    cookie: between us and the peer, asked for once its name is known. challenge: a fresh_challenge(). header: bytes of
    a packet's length, 4 on TLS.
    refused_challenges: those that this node has sent itself, whatever the cookie. A peer that hands us one of them
    wants us to answer our own question, to give the answer where it was asked.
    """

    _handlers: ClassVar[_Handlers]

    def __init__(
        self,
        local: LocalNode,
        cookie: Callable[[], str],
        challenge: int,
        header: Literal[2, 4],
        refused_challenges: Container[int],
        state: State,
    ) -> None:
        self._local = local
        self._cookie = cookie
        self._challenge = challenge
        self._refused_challenges = refused_challenges
        self._header = header
        self._state = state
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._events: list[Event] = []

    @property
    def state(self) -> State:
        return self._state

    @property
    def trailing_data(self) -> bytes:
        """What came after the handshake's last packet: it belongs to the connected phase."""
        return bytes(self._buffer) if self._state is State.CONNECTED else b""

    def receive_data(self, chunk: bytes) -> None:
        """Take bytes from the peer.

        Raises: HandshakeError for what does not belong in this state, CookieMismatch for a wrong digest.
        """
        if self._state in (State.REFUSED, State.FAILED):
            raise HandshakeError(self._state.value, "no more data is taken")
        self._buffer += chunk
        try:
            while self._state is not State.CONNECTED and (packet := self._next_packet()) is not None:
                self._handle(packet)
        except HandshakeError:
            self._fail()
            raise

    def events_received(self) -> list[Event]:
        """The events since the last call."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """The bytes to send since the last call."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _next_packet(self) -> bytes | None:
        buffer, header = self._buffer, self._header
        if len(buffer) < header:
            return None
        size = int.from_bytes(buffer[:header], "big")
        if header == 2 and buffer[:2] == _TLS:
            raise HandshakeError(self._state.value, "the peer speaks TLS, and this port is for plain TCP")
        if not 0 < size <= MAX_PACKET:
            raise HandshakeError(self._state.value, f"packet of {size} bytes")
        if len(buffer) < header + size:
            return None
        packet = bytes(buffer[header : header + size])
        del buffer[: header + size]
        return packet

    def _handle(self, packet: bytes) -> None:
        handler = self._handlers.get((self._state, packet[:1]))
        if handler is None:
            raise HandshakeError(self._state.value, f"unexpected packet {packet[:1]!r} of {len(packet)} bytes")
        try:
            handler(self, packet)
        except struct.error:
            raise HandshakeError(self._state.value, f"malformed packet {packet[:1]!r} of {len(packet)} bytes") from None

    def _fail(self) -> None:
        if self._state is not State.REFUSED:
            self._state = State.FAILED
        self._buffer.clear()

    def _send(self, packet: bytes) -> None:
        self._out.append(len(packet).to_bytes(self._header, "big") + packet)

    def _expect(self, state: State, call: str) -> None:
        if self._state is not state:
            raise HandshakeError(self._state.value, f"{call} does not belong here")

    def _common_flags(self, word: int) -> DistFlags:
        # Of a stranger's word only what we have too: the enum keeps every combination it has seen.
        return DistFlags(self._local.flags.value & expanded(word))

    def _verify(self, answer: bytes) -> None:
        if not hmac.compare_digest(answer, digest(self._cookie(), self._challenge)):
            raise CookieMismatch(self._state.value, "the peer has another cookie")

    def _answer(self, challenge: int) -> bytes:
        """The digest for the peer's challenge."""
        if challenge == self._challenge or challenge in self._refused_challenges:
            raise HandshakeError(self._state.value, "the peer sends a challenge of our own")
        return digest(self._cookie(), challenge)


def _v6_name(packet: bytes, offset: int, step: str) -> str:
    """The name that stands at offset behind its length; later fields may follow it."""
    (size,) = struct.unpack_from(">H", packet, offset)
    name = packet[offset + 2 : offset + 2 + size]
    if len(name) < size:
        raise HandshakeError(step, "node name cut short")
    return node_name(name, step)


class AcceptorHandshake(_Handshake):
    """The side that was connected to.

    cookie_of: the cookie between us and a node of that name, of characters up to 255. The others: see _Handshake.
    """

    def __init__(
        self,
        local: LocalNode,
        cookie_of: Callable[[str], str],
        challenge: int,
        *,
        header: Literal[2, 4] = 2,
        refused_challenges: Container[int] = (),
    ) -> None:
        super().__init__(local, lambda: cookie_of(self._name), challenge, header, refused_challenges, State.NAME)
        self._name = ""
        self._flags = 0
        self._creation: int | None = None

    def send_status(self, status: Status) -> None:
        """Answer the NameReceived. ALIVE waits for the peer's AliveAnswered; NOK and NOT_ALLOWED end it.

        Raises: HandshakeError, without any effect, when no name is waiting for it.
        """
        self._expect(State.OUR_STATUS, "send_status")
        self._send(b"s" + status.value.encode())
        if status in (Status.NOK, Status.NOT_ALLOWED):
            self._state = State.REFUSED
        elif status is Status.ALIVE:
            self._state = State.ALIVE_ANSWER
        else:
            self._send_challenge()

    def _receive_name_v6(self, packet: bytes) -> None:
        flags, creation = struct.unpack_from(">QI", packet, 1)
        self._check_flags(flags)
        self._introduce(_v6_name(packet, 13, self._state.value), flags, creation, 6)

    def _receive_name_v5(self, packet: bytes) -> None:
        version, flags = struct.unpack_from(">HI", packet, 1)
        if version != 5:
            raise HandshakeError(self._state.value, f"handshake version {version}")
        self._check_flags(flags)
        self._introduce(node_name(packet[7:], self._state.value), flags, None, 5)

    def _check_flags(self, flags: int) -> None:
        if flags & DistFlags.NAME_ME.value:
            self._refuse("the peer asks for a name")
        if lacking := missing(flags):
            self._refuse(f"the peer lacks {names(lacking)}")

    def _refuse(self, reason: str) -> None:
        step = self._state.value
        self._send(b"s" + Status.NOT_ALLOWED.value.encode())
        self._state = State.REFUSED
        raise HandshakeError(step, reason)

    def _introduce(self, name: str, flags: int, creation: int | None, version: Literal[5, 6]) -> None:
        self._name, self._flags, self._creation = name, flags, creation
        self._state = State.OUR_STATUS
        self._events.append(NameReceived(name, self._common_flags(flags), creation, version))

    def _receive_alive_answer(self, packet: bytes) -> None:
        if packet not in (b"strue", b"sfalse"):
            raise HandshakeError(self._state.value, f"{packet[1:41]!r} is no answer")
        replace = packet == b"strue"
        self._events.append(AliveAnswered(replace))
        if replace:
            self._send_challenge()
        else:
            self._state = State.REFUSED

    def _send_challenge(self) -> None:
        name = self._local.name.encode()
        head = struct.pack(">cQIIH", b"N", self._local.flags, self._challenge, self._local.creation, len(name))
        self._send(head + name)
        self._state = State.COMPLEMENT if self._creation is None else State.REPLY

    def _receive_complement(self, packet: bytes) -> None:
        high, self._creation = struct.unpack(">xII", packet)
        self._flags |= high << 32
        self._state = State.REPLY

    def _receive_reply(self, packet: bytes) -> None:
        challenge, answer = struct.unpack(">xI16s", packet)
        self._verify(answer)
        self._send(b"a" + self._answer(challenge))
        self._state = State.CONNECTED
        peer = PeerNode(self._name, self._common_flags(self._flags), self._creation or 0)
        self._events.append(Established(peer))

    _handlers: ClassVar[_Handlers] = {
        (State.NAME, b"N"): _receive_name_v6,
        (State.NAME, b"n"): _receive_name_v5,
        (State.ALIVE_ANSWER, b"s"): _receive_alive_answer,
        (State.COMPLEMENT, b"c"): _receive_complement,
        (State.REPLY, b"r"): _receive_reply,
    }


class InitiatorHandshake(_Handshake):
    """The side that connects; its name is in data_to_send from the start.

    peer_name: the full name we dial; whoever answers must bear it. cookie: between us and that node. The others: see
    _Handshake. Raises: ValueError for a cookie with a character over 255.
    status: what the peer has answered; None until then.
    """

    status: Status | None = None

    def __init__(
        self,
        local: LocalNode,
        peer_name: str,
        cookie: str,
        challenge: int,
        *,
        header: Literal[2, 4] = 2,
        refused_challenges: Container[int] = (),
    ) -> None:
        cookie.encode("latin-1")  # fail here rather than in the middle of a handshake
        super().__init__(local, lambda: cookie, challenge, header, refused_challenges, State.STATUS)
        self._peer_name = peer_name
        self._flags = 0
        self._creation = 0
        name = local.name.encode()
        self._send(struct.pack(">cQIH", b"N", local.flags, local.creation, len(name)) + name)

    def answer_alive(self, replace: bool) -> None:
        """Answer StatusReceived(ALIVE): True replaces the old link, False gives this attempt up.

        Raises: HandshakeError, without any effect, when the peer did not ask.
        """
        self._expect(State.OUR_ALIVE_ANSWER, "answer_alive")
        self._send(b"strue" if replace else b"sfalse")
        self._state = State.CHALLENGE if replace else State.REFUSED

    def _receive_status(self, packet: bytes) -> None:
        status = _WORDS.get(packet[1:])
        if status is None:
            raise HandshakeError(self._state.value, f"unknown status {packet[1:41]!r}")
        self.status = status
        self._events.append(StatusReceived(status))
        if status is Status.ALIVE:
            self._state = State.OUR_ALIVE_ANSWER
        elif status in (Status.OK, Status.OK_SIMULTANEOUS):
            self._state = State.CHALLENGE
        else:
            step = self._state.value
            self._state = State.REFUSED
            raise HandshakeError(step, status.value)

    def _receive_challenge(self, packet: bytes) -> None:
        step = self._state.value
        flags, challenge, self._creation = struct.unpack_from(">QII", packet, 1)
        name = _v6_name(packet, 17, step)
        if name != self._peer_name:
            raise HandshakeError(step, f"we dialled {self._peer_name}, {name} answered")
        if lacking := missing(flags):
            raise HandshakeError(step, f"the peer lacks {names(lacking)}")
        answer = self._answer(challenge)
        self._flags = flags
        self._send(struct.pack(">cI", b"r", self._challenge) + answer)
        self._state = State.ACK

    def _receive_ack(self, packet: bytes) -> None:
        (answer,) = struct.unpack(">x16s", packet)
        self._verify(answer)
        self._state = State.CONNECTED
        self._events.append(Established(PeerNode(self._peer_name, self._common_flags(self._flags), self._creation)))

    _handlers: ClassVar[_Handlers] = {
        (State.STATUS, b"s"): _receive_status,
        (State.CHALLENGE, b"N"): _receive_challenge,
        (State.ACK, b"a"): _receive_ack,
    }
