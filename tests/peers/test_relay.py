"""Those who have no cookie, and let the node answer its own challenges.

Anybody may register a name that is down with epmd, and wait until the switch dials it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from mod_erlang_py.distribution import epmd
from mod_erlang_py.distribution.epmd import EpmdEntry
from mod_erlang_py.distribution.flags import OURS
from tests.conftest import RunningNode, StartNode
from tests.peers.erl import Erl
from tests.peers.test_console import configure
from tests.waiting import wait_until


class Impostor:
    """A node without a cookie, registered as `name`, that the switch dials. Packets are without their length."""

    def __init__(self, node: RunningNode, name: str) -> None:
        self._node = node
        self.name = name
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(15)
        port = int(self._server.getsockname()[1])
        self._said = ""
        self._epmd = socket.create_connection(("127.0.0.1", node.epmd_port), timeout=15)
        self._epmd.sendall(epmd.alive2_request(EpmdEntry(name, port)))
        assert self._epmd.recv(6)[1] == 0
        self._connecting = threading.Thread(target=self._have_it_dialled)
        self._connecting.start()
        self._dialled, _ = self._server.accept()
        self._dialled.settimeout(15)
        assert receive(self._dialled)[:1] == b"N"
        send(self._dialled, b"sok")

    def _have_it_dialled(self) -> None:
        self._said = self._node.api(f"erlang connect {self.name}@localhost")

    def said(self) -> str:
        """What came of the dialling."""
        self._connecting.join(15)
        return self._said

    def ask(self, challenge: int) -> tuple[int, bytes] | None:
        """Hand the node a challenge as our own: its challenge, and its digest for ours; None when it hangs up."""
        send(self._dialled, challenge_packet(self.name, challenge))
        packet = receive(self._dialled)
        if not packet:
            return None
        tag, its_challenge, digest = struct.unpack(">cI16s", packet)
        assert tag == b"r"
        return its_challenge, digest

    def acknowledge(self, digest: bytes) -> None:
        send(self._dialled, b"a" + digest)

    def close(self) -> None:
        for sock in (self._dialled, self._epmd, self._server):
            sock.close()
        self._connecting.join(15)


@pytest.fixture
def impostors(node: RunningNode) -> Iterator[list[Impostor]]:
    """Two, dialled by the node at the same time."""
    made: list[Impostor] = []
    try:
        for name in ("relay1", "relay2"):
            made.append(Impostor(node, name))
        yield made
    finally:
        for one in made:
            one.close()


def challenge_packet(name: str, challenge: int) -> bytes:
    full = f"{name}@localhost".encode()
    return struct.pack(">cQIIH", b"N", OURS, challenge, 7, len(full)) + full


def send(sock: socket.socket, packet: bytes) -> None:
    sock.sendall(struct.pack(">H", len(packet)) + packet)


def receive(sock: socket.socket) -> bytes:
    """The next packet of a handshake; b"" when the node has closed."""
    with contextlib.suppress(ConnectionResetError):
        head = sock.recv(2, socket.MSG_WAITALL)
        if len(head) == 2:
            return sock.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
    return b""


def test_a_challenge_of_an_incoming_connection(node: RunningNode, peer: Erl, impostors: list[Impostor]) -> None:
    """The digest that the dialling side would make for it opens the connection that it came from."""
    refuses_its_own(node, impostors[0])
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"


def test_a_challenge_of_a_connection_whose_name_has_another_cookie(start_node: StartNode) -> None:
    """Whether it is that of the name that is dialled, or not."""
    node = start_node("simulated")
    for number, names in enumerate(("thief@*", "relay*@*", "[tr]*@*")):
        configure(node, f'<node name="{names}"><param name="cookie" value="a-cookie-of-its-own"/></node>')
        assert node.api("erlang reload").startswith("+OK")
        impostor = Impostor(node, f"relay{number}")
        try:
            refuses_its_own(node, impostor)
        finally:
            impostor.close()


def refuses_its_own(node: RunningNode, impostor: Impostor) -> None:
    with socket.create_connection(("127.0.0.1", node.port), timeout=15) as incoming:
        name = b"thief@localhost"
        send(incoming, struct.pack(">cQIH", b"N", OURS, 7, len(name)) + name)
        assert receive(incoming) == b"sok"
        tag, _, challenge = struct.unpack_from(">cQI", receive(incoming))
        assert tag == b"N"
        answer = impostor.ask(challenge)
        assert answer is None, "it answered its own challenge"
    assert "the peer sends a challenge of our own" in impostor.said()
    assert "thief@localhost" not in node.api("erlang listeners")


def test_a_challenge_of_an_incoming_connection_that_has_ended(node: RunningNode, impostors: list[Impostor]) -> None:
    with socket.create_connection(("127.0.0.1", node.port), timeout=15) as incoming:
        name = b"thief@localhost"
        send(incoming, struct.pack(">cQIH", b"N", OURS, 7, len(name)) + name)
        assert receive(incoming) == b"sok"
        _, _, challenge = struct.unpack_from(">cQI", receive(incoming))
        before = node.log().count("closed by thief@localhost")
    wait_until(lambda: node.log().count("closed by thief@localhost") > before, told=node.log)
    assert impostors[0].ask(challenge) is None


def test_a_challenge_of_an_outgoing_connection(node: RunningNode, impostors: list[Impostor]) -> None:
    """Two nodes that are dialled: what one is asked, the other asks the switch."""
    one, two = impostors
    answer = one.ask(4711)
    assert answer is not None
    its_challenge, _ = answer
    second = two.ask(its_challenge)
    if second is not None:
        one.acknowledge(second[1])
    assert second is None, "it answered its own challenge"
    assert "relay1@localhost" not in node.api("erlang listeners")
