"""Those who have no cookie, and let the node answer its own challenges.

Anybody may register a name that is down with epmd, and wait until the switch dials it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import pytest

from mod_erlang_py.distribution import epmd
from mod_erlang_py.distribution.epmd import EpmdEntry
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.etf import Atom
from scripts.trials.client import Client
from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_console import configure
from tests.waiting import wait_until

_unique = count(1)


class Impostor:
    """A node without a cookie, registered as `name`, that another one dials. Packets are without their length.

    dial: has it dialled, and returns what came of that.
    """

    def __init__(self, name: str, epmd_port: int, dial: Callable[[str], str]) -> None:
        self.name = name
        self._dial = dial
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(15)
        port = int(self._server.getsockname()[1])
        self._said = ""
        self._epmd = socket.create_connection(("127.0.0.1", epmd_port), timeout=15)
        self._epmd.sendall(epmd.alive2_request(EpmdEntry(name, port)))
        assert self._epmd.recv(6)[1] == 0
        self._connecting = threading.Thread(target=self._have_it_dialled)
        self._connecting.start()
        self._dialled, _ = self._server.accept()
        self._dialled.settimeout(15)
        assert receive(self._dialled)[:1] == b"N"
        send(self._dialled, b"sok")

    def _have_it_dialled(self) -> None:
        self._said = self._dial(f"{self.name}@localhost")

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


StartImpostor = Callable[..., Impostor]


@pytest.fixture
def dialled() -> Iterator[StartImpostor]:
    """dialled(node): an impostor that our node dials. dialled(node, peer): that the Erlang node beside it does."""
    made: list[Impostor] = []

    def start(node: RunningNode, peer: Erl | None = None) -> Impostor:
        dial = partial(by_ours, node) if peer is None else partial(by_otp, peer)
        made.append(Impostor(f"relay{next(_unique)}", node.epmd_port, dial))
        return made[-1]

    yield start
    for one in made:
        one.close()


def by_ours(node: RunningNode, name: str) -> str:
    return api(node, f"connect {name}")


def by_otp(peer: Erl, name: str) -> str:
    return peer.text(f"net_kernel:connect_node('{name}')")


def api(node: RunningNode, arguments: str) -> str:
    """Of the command `erlang`, asked by one who may."""
    with Client(node.port, name=f"asker{next(_unique)}@localhost", to=node.name, cookie=node.cookie) as client:
        client.send((Atom("api"), Atom("erlang"), arguments.encode()))
        answer = client.answer()
    assert isinstance(answer, tuple)
    assert isinstance(answer[1], bytes), answer
    return answer[1].decode()


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


@contextlib.contextmanager
def thief(node: RunningNode) -> Iterator[tuple[socket.socket, int]]:
    """A connection of one without the cookie, and what it was asked."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=15) as incoming:
        name = b"thief@localhost"
        send(incoming, struct.pack(">cQIH", b"N", OURS, 7, len(name)) + name)
        assert receive(incoming) == b"sok"
        tag, _, challenge = struct.unpack_from(">cQI", receive(incoming))
        assert tag == b"N"
        yield incoming, challenge


def gets_in(node: RunningNode, impostor: Impostor) -> bool:
    """Whether the answer that the impostor is given, by whoever dials it, lets a thief in."""
    with thief(node) as (incoming, challenge):
        answer = impostor.ask(challenge)
        assert answer is not None, "the challenge was known"
        send(incoming, struct.pack(">cI16s", b"r", 4711, answer[1]))
        admitted = receive(incoming)[:1] == b"a"
        assert ("thief@localhost" in api(node, "listeners")) is admitted
        return admitted


# --- the node's own challenge, to itself --------------------------------------------------------------------------


def test_a_challenge_of_an_incoming_connection(node: RunningNode, peer: Erl, dialled: StartImpostor) -> None:
    """The digest that the dialling side would make for it opens the connection that it came from."""
    refuses_its_own(node, dialled(node))
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"


def test_a_challenge_of_a_connection_whose_name_has_another_cookie(
    start_node: StartNode, dialled: StartImpostor
) -> None:
    """Whether it is that of the name that is dialled, or not."""
    node = start_node("simulated")
    for names in ("thief@*", "relay*@*", "[tr]*@*"):
        configure(node, f'<node name="{names}"><param name="cookie" value="a-cookie-of-its-own"/></node>')
        assert api(node, "reload").startswith("+OK")
        refuses_its_own(node, dialled(node))


def refuses_its_own(node: RunningNode, impostor: Impostor) -> None:
    with thief(node) as (_, challenge):
        assert impostor.ask(challenge) is None, "it answered its own challenge"
    assert "the peer sends a challenge of our own" in impostor.said()
    assert "thief@localhost" not in api(node, "listeners")


def test_a_challenge_of_an_incoming_connection_that_has_ended(node: RunningNode, dialled: StartImpostor) -> None:
    impostor = dialled(node)
    before = node.log().count("closed by thief@localhost")
    with thief(node) as (_, challenge):
        pass
    wait_until(lambda: node.log().count("closed by thief@localhost") > before, told=node.log)
    assert impostor.ask(challenge) is None


def test_a_challenge_of_an_outgoing_connection(node: RunningNode, dialled: StartImpostor) -> None:
    """Two nodes that are dialled: what one is asked, the other asks the switch."""
    one, two = dialled(node), dialled(node)
    answer = one.ask(4711)
    assert answer is not None
    its_challenge, _ = answer
    second = two.ask(its_challenge)
    if second is not None:
        one.acknowledge(second[1])
    assert second is None, "it answered its own challenge"
    assert f"{one.name}@localhost" not in api(node, "listeners")


# --- to another node that has the cookie: the protocol cannot tell ------------------------------------------------


@pytest.mark.parametrize(("cookie", "admitted"), [("ClueCon", True), ("of-its-own", False)])
def test_through_a_second_node_of_ours(
    node: RunningNode, start_node: StartNode, dialled: StartImpostor, cookie: str, admitted: bool
) -> None:
    """What docs/security.md says: cookies of their own stop it."""
    second = start_node("simulated", nodename="second", cookie=cookie)
    assert gets_in(second, dialled(node)) is admitted
    assert gets_in(node, dialled(second)) is admitted


def test_through_an_otp_node(node: RunningNode, peer: Erl, dialled: StartImpostor) -> None:
    """OTP does not even know its own challenges."""
    assert gets_in(node, dialled(node, peer))


def test_through_an_otp_node_that_has_our_cookie_for_us_alone(
    node: RunningNode, peer: Erl, start_node: StartNode, dialled: StartImpostor
) -> None:
    """By set_cookie(Node, Cookie)."""
    second = start_node("simulated", nodename="second", cookie="of-its-own")
    peer.eval(f"erlang:set_cookie('{second.name}', 'of-its-own')")
    assert not gets_in(second, dialled(node, peer))


def test_a_node_that_an_otp_node_lets_in(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    """That one knows the stranger's cookie, and ours: it hands out the switch's pid, and no way in."""
    stranger = erl(node, cookie="of-strangers")
    peer.eval(f"erlang:set_cookie('{stranger.name}', 'of-strangers')")
    assert stranger.text(f"net_adm:ping('{peer.name}')") == "pong"
    before = node.log().count("another cookie")
    pid = f"element(2, rpc:call('{peer.name}', evaluator, request, ['{node.name}', getpid]))"
    assert stranger.text(f"is_pid({pid}) andalso erlang:send({pid}, {{api, status}}, [])") == "ok"
    wait_until(lambda: node.log().count("another cookie") > before, told=node.log)
    assert stranger.name not in api(node, "listeners")
    assert stranger.text("flush()") == "[]"
