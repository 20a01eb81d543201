"""One connection after the other, each made of the seed and its number alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Protocol

from mod_erlang_py import etf
from mod_erlang_py.distribution.connection import encode_frame
from mod_erlang_py.distribution.control import RegSend, Send, SendSender, encode_control
from mod_erlang_py.distribution.epmd import EpmdEntry, alive2_request
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.handshake import AcceptorHandshake, InitiatorHandshake
from mod_erlang_py.distribution.handshake_events import Established, LocalNode, NameReceived, Status, StatusReceived
from mod_erlang_py.errors import HandshakeError
from mod_erlang_py.etf import Atom, Pid, Term
from scripts.trials.client import CREATION, Client
from scripts.trials.fuzz.frames import Said, Speaker
from scripts.trials.fuzz.handshakes import request_to_epmd, spoiled
from scripts.trials.switch import COOKIE

PATIENCE = 5.0
"""Seconds that a link has to answer what is asked last, or to be closed."""
MOMENT = 0.03
"""Seconds that are waited for what need not come."""


class End(Enum):
    """How a connection ended."""

    ANSWERED = "answered to the end"
    CLOSED = "closed by the node"
    LEFT = "left by us"


class Fault(Exception):
    """What must not be: a line for the operator."""


@dataclass(frozen=True)
class Outcome:
    """what: of which kind it was. frames: that were sent, or packets, or requests."""

    what: str
    frames: int
    end: End


class Node(Protocol):
    """Whom it is tried with. port: on 127.0.0.1. epmd_port: of the epmd that is its own."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def epmd_port(self) -> int: ...


class Rounds:
    """run(number) is the same each time, as far as the bytes go that are sent."""

    def __init__(self, node: Node, seed: int) -> None:
        self._node = node
        self._seed = seed

    def run(self, number: int) -> Outcome:
        """Raises Fault."""
        random = Random(f"{self._seed}:{number}")
        kinds: list[Callable[[Random, int], Outcome]] = [self._link] * 14 + [self._stranger] * 3
        kinds += [self._epmd] * 2 + [self._dialled]
        return random.choice(kinds)(random, number)

    def _client(self, random: Random) -> Client:
        """One of a few names: now and then the one before is not known to be gone yet. Raises Fault."""
        name = f"fuzz{random.randrange(8)}@localhost"
        try:
            return Client(self._node.port, name=name, to=self._node.name, cookie=COOKIE)
        except (OSError, HandshakeError) as error:
            raise Fault(f"a link with the cookie was refused: {error}") from None

    def _link(self, random: Random, number: int) -> Outcome:
        """Requests and signals, right and with something changed, which a link survives; then what it may not."""
        with self._client(random) as link:
            client = _Asking(link)
            node = client.pid_of_node()
            speaker = Speaker(random, link.pid, node, number)
            count = random.choice((1, 5, 30))
            good = [speaker.request() if random.random() < 0.8 else speaker.signal() for _ in range(count)]
            last = speaker.last()
            try:
                link.send_frame(b"".join(good))
                survived = client.answered(b"before")
            except ConnectionError:
                survived = False
            if not survived:
                raise Fault("a link was closed upon requests and signals that are right")
            return Outcome(last.what, count + last.frames, self._end(client, last))

    def _end(self, client: _Asking, last: Said) -> End:
        try:
            client.link.send_frame(last.data)
        except ConnectionError:
            return End.CLOSED
        if last.in_step:
            return End.ANSWERED if client.answered(b"behind") else End.CLOSED
        return _left(client.link.sock)

    def _stranger(self, random: Random, _: int) -> Outcome:
        """A handshake with us, with the cookie or without, in which one step is spoiled."""
        name = f"stranger{random.randrange(8)}@localhost"
        knows = random.random() < 0.5
        cookie = COOKIE if knows else "another"
        machine = InitiatorHandshake(_local(name), self._node.name, cookie, random.randrange(2**32))
        with socket.create_connection(("127.0.0.1", self._node.port), MOMENT) as sock:
            return _shaken(random, sock, machine, name, knows, "handshakes to it")

    def _dialled(self, random: Random, number: int) -> Outcome:
        """The same the other way round: the node is asked to connect to us, and finds us odd."""
        with ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.settimeout(PATIENCE)
            alive = f"dialled{number}"
            epmd = stack.enter_context(socket.create_connection(("127.0.0.1", self._node.epmd_port), PATIENCE))
            epmd.sendall(alive2_request(EpmdEntry(alive, listener.getsockname()[1])))
            if epmd.recv(64)[1:2] != b"\0":
                raise Fault(f"{alive} could not be registered")
            client = stack.enter_context(self._client(random))
            name = f"{alive}@localhost"
            client.send((Atom("bgapi"), Atom("erlang"), f"connect {name}".encode()))
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                raise Fault(f"{name} was not dialled in {PATIENCE:g} s") from None
            stack.enter_context(sock)
            sock.settimeout(MOMENT)
            knows = random.random() < 0.5
            machine = AcceptorHandshake(_local(name), lambda _: COOKIE if knows else "no", random.randrange(2**32))
            return _shaken(random, sock, machine, name, knows, "handshakes from it")

    def _epmd(self, random: Random, _: int) -> Outcome:
        """Requests to the node's own epmd, broken ones among them."""
        data, count = request_to_epmd(random)
        with socket.create_connection(("127.0.0.1", self._node.epmd_port), MOMENT) as sock:
            try:
                sock.sendall(data)
            except ConnectionError:
                return Outcome("requests to epmd", count, End.CLOSED)
            return Outcome("requests to epmd", count, _left(sock))


class _Asking:
    """What a link still answers."""

    def __init__(self, link: Client) -> None:
        self.link = link
        self._asker = Pid(link.name, 2, 0, CREATION)

    def pid_of_node(self) -> Pid:
        """Raises Fault."""
        try:
            self._ask(Atom("getpid"))
            answer = self._answer(lambda term: isinstance(term, tuple) and len(term) == 2)
        except ConnectionError:
            answer = None
        pid = Pid.of(answer[1]) if answer else None
        if pid is None:
            raise Fault("a fresh link did not answer getpid")
        return pid

    def answered(self, text: bytes) -> bool:
        """False: it was closed. Raises Fault when it is up and does not answer."""
        try:
            self._ask((Atom("api"), Atom("echo"), text))
            return self._answer(lambda term: isinstance(term, tuple) and term[1:] == (text,)) is not None
        except ConnectionError:
            return False

    def _ask(self, term: Term) -> None:
        self.link.send_frame(encode_frame(encode_control(RegSend(self._asker, "asked")), etf.encode(term)))

    def _answer(self, wanted: Callable[[Term], bool]) -> Term:
        """Among all else that comes. Raises Fault, ConnectionError."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.link.sock.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                received = self.link.receive()
            except TimeoutError:
                break
            if isinstance(received.control, (Send, SendSender)) and received.control.to == self._asker:
                term = etf.decode(received.payload or b"")
                if wanted(term):
                    return term
        raise Fault(f"a link that is up did not answer in {PATIENCE:g} s")


def _left(sock: socket.socket) -> End:
    """Whether it is closed upon within a moment, whatever else comes."""
    sock.settimeout(MOMENT)
    until = time.monotonic() + MOMENT
    try:
        while sock.recv(65536):
            if time.monotonic() > until:
                return End.LEFT
    except TimeoutError:
        return End.LEFT
    except ConnectionError:
        pass
    return End.CLOSED


def _local(name: str) -> LocalNode:
    return LocalNode(name, OURS, CREATION)


def _shaken(
    random: Random,
    sock: socket.socket,
    machine: InitiatorHandshake | AcceptorHandshake,
    name: str,
    knows: bool,
    what: str,
) -> Outcome:
    """Raises Fault when the node lets in somebody who does not know the cookie."""
    spoil = random.randrange(4)
    established = False
    sent = 0
    end = End.LEFT
    with suppress(HandshakeError):
        for step in range(8):
            data = machine.data_to_send()
            if step == spoil:
                data = spoiled(random, data, name)
            try:
                if data:
                    sock.sendall(data)
                    sent += 1
                received = sock.recv(65536)
            except TimeoutError:
                break
            except ConnectionError:
                received = b""
            if not received:
                end = End.CLOSED
                break
            machine.receive_data(received)
            for event in machine.events_received():
                if isinstance(event, NameReceived) and isinstance(machine, AcceptorHandshake):
                    machine.send_status(random.choice((Status.OK, Status.OK, *Status)))
                elif event == StatusReceived(Status.ALIVE) and isinstance(machine, InitiatorHandshake):
                    machine.answer_alive(random.choice((True, True, False)))
                elif isinstance(event, Established):
                    established = True
    if established and not knows:
        raise Fault(f"{what}: let in without the cookie")
    return Outcome(what, sent, end)
