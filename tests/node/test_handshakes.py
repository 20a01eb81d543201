"""Handshakes over a socket: both sides of ours against each other, and peers that do not play along."""

from __future__ import annotations

import socket
import threading

import pytest

from mod_erlang_py.distribution.flags import OURS, DistFlags
from mod_erlang_py.distribution.handshake import AcceptorHandshake, InitiatorHandshake, fresh_challenge
from mod_erlang_py.distribution.handshake_events import LocalNode, PeerNode, Status
from mod_erlang_py.errors import CookieMismatch, HandshakeError
from mod_erlang_py.node import handshakes
from mod_erlang_py.node.handshakes import Simultaneous
from mod_erlang_py.node.streams.tcp import TcpStream
from tests.node.conftest import InThread

Pair = tuple[socket.socket, socket.socket]

US = LocalNode("freeswitch@localhost", OURS, 42)
THEM = LocalNode("peer@localhost", OURS, 7)


def accept(sock: socket.socket, status: Status = Status.OK, cookie: str = "ClueCon") -> tuple[PeerNode, bytes]:
    try:
        machine = AcceptorHandshake(US, lambda _: cookie, fresh_challenge())
        return handshakes.accept(TcpStream(sock), machine, lambda _: status)
    except Exception:
        sock.close()
        raise


def connect(sock: socket.socket, to: str = US.name, cookie: str = "ClueCon") -> tuple[PeerNode, bytes]:
    try:
        return handshakes.connect(TcpStream(sock), InitiatorHandshake(THEM, to, cookie, fresh_challenge()))
    except Exception:
        sock.close()
        raise


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "SETUP_TIME", 0.2)


@pytest.mark.parametrize("status", [Status.OK, Status.OK_SIMULTANEOUS, Status.ALIVE])
def test_both_learn_who_the_other_is(pair: Pair, in_thread: InThread, status: Status) -> None:
    accepting = in_thread(lambda: accept(pair[0], status))
    assert connect(pair[1]) == (PeerNode(US.name, OURS, US.creation), b"")
    assert accepting.result() == (PeerNode(THEM.name, OURS, THEM.creation), b"")


def test_what_follows_the_handshake_is_kept(pair: Pair, in_thread: InThread) -> None:
    ours, peer = pair
    accepting = in_thread(lambda: accept(ours))
    machine = InitiatorHandshake(THEM, US.name, "ClueCon", fresh_challenge())
    peer.sendall(machine.data_to_send())
    while not (reply := machine.data_to_send()):
        machine.receive_data(peer.recv(4096))
    peer.sendall(reply + b"\0\0\0\0first frames")
    assert accepting.result() == (PeerNode(THEM.name, OURS, 7), b"\0\0\0\0first frames")


def test_a_wrong_cookie(pair: Pair, in_thread: InThread) -> None:
    accepting = in_thread(lambda: accept(pair[0]))
    with pytest.raises(HandshakeError, match="closed"):
        connect(pair[1], cookie="guessed")
    with pytest.raises(CookieMismatch):
        accepting.result()


def test_an_acceptor_with_another_cookie(pair: Pair, in_thread: InThread) -> None:
    """It gets our digest, so it must be one we meant to call; it cannot go on."""
    accepting = in_thread(lambda: accept(pair[0], cookie="other"))
    with pytest.raises(HandshakeError):
        connect(pair[1])
    with pytest.raises(CookieMismatch):
        accepting.result()


def test_nok_is_simultaneous(pair: Pair, in_thread: InThread) -> None:
    accepting = in_thread(lambda: accept(pair[0], Status.NOK))
    with pytest.raises(Simultaneous):
        connect(pair[1])
    with pytest.raises(HandshakeError):
        accepting.result()


def test_not_allowed_is_not(pair: Pair, in_thread: InThread) -> None:
    accepting = in_thread(lambda: accept(pair[0], Status.NOT_ALLOWED))
    with pytest.raises(HandshakeError, match="not_allowed") as refused:
        connect(pair[1])
    assert not isinstance(refused.value, Simultaneous)
    with pytest.raises(HandshakeError):
        accepting.result()


def test_somebody_else_answers(pair: Pair, in_thread: InThread) -> None:
    accepting = in_thread(lambda: accept(pair[0]))
    with pytest.raises(HandshakeError, match="freeswitch@localhost answered"):
        connect(pair[1], to="other@localhost")
    with pytest.raises(HandshakeError, match="closed"):
        accepting.result()


@pytest.mark.usefixtures("quick")
def test_a_silent_peer(pair: Pair) -> None:
    with pytest.raises(HandshakeError, match=r"within 0\.2 s"):
        accept(pair[0])


@pytest.mark.usefixtures("quick")
def test_a_silent_acceptor(pair: Pair) -> None:
    with pytest.raises(HandshakeError, match=r"within 0\.2 s"):
        connect(pair[1])


@pytest.mark.usefixtures("quick")
def test_half_a_handshake(pair: Pair) -> None:
    ours, peer = pair
    peer.sendall(InitiatorHandshake(THEM, US.name, "ClueCon", 1).data_to_send())
    with pytest.raises(HandshakeError, match=r"within 0\.2 s"):
        accept(ours)


@pytest.mark.usefixtures("quick")
def test_a_peer_that_trickles_gets_no_more_time(pair: Pair, in_thread: InThread) -> None:
    ours, peer = pair
    accepting = in_thread(lambda: accept(ours))
    over = threading.Event()
    left = list(InitiatorHandshake(THEM, US.name, "ClueCon", 1).data_to_send())

    def trickle() -> None:
        while left and not over.wait(0.05):
            peer.send(bytes([left.pop(0)]))

    trickling = in_thread(trickle)
    with pytest.raises(HandshakeError, match=r"within 0\.2 s"):
        accepting.result()
    over.set()
    trickling.result()
    assert left


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.0\r\n\r\n", b"\xff\xff" + b"x" * 100, b"\0\0", b"\0\1x", b"\0\3N\0\0"],
    ids=["http", "too long", "empty packet", "unknown tag", "cut short"],
)
def test_garbage_is_refused_at_once(pair: Pair, data: bytes) -> None:
    ours, peer = pair
    peer.sendall(data)
    with pytest.raises(HandshakeError):
        accept(ours)
    assert peer.recv(100) == b""


def test_a_peer_that_lacks_what_we_need_is_told(pair: Pair) -> None:
    ours, peer = pair
    old = LocalNode("old@localhost", OURS & ~(DistFlags.UTF8_ATOMS | DistFlags.MANDATORY_25_DIGEST), 1)
    machine = InitiatorHandshake(old, US.name, "ClueCon", 1)
    peer.sendall(machine.data_to_send())
    with pytest.raises(HandshakeError, match="UTF8_ATOMS"):
        accept(ours)
    assert peer.recv(100) == b"\0\x0csnot_allowed"
    assert peer.recv(100) == b""


def test_a_peer_that_leaves(pair: Pair) -> None:
    ours, peer = pair
    peer.sendall(InitiatorHandshake(THEM, US.name, "ClueCon", 1).data_to_send())
    peer.close()
    with pytest.raises((HandshakeError, OSError)):
        accept(ours)
