"""Which of too many connections in their handshake makes way."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mod_erlang_py.config.settings import EpmdMode
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.node.half_open import HalfOpen
from scripts.certs import make_ca, make_certificate
from scripts.trials.client import Client
from tests.node.epmds import FakeEpmd
from tests.node.nodes import LocalNode
from tests.node.streams.test_tls_stream import Peer as TlsPeer
from tests.tls import client_context, tls
from tests.waiting import DEADLINE, wait_until


@pytest.fixture
def four() -> HalfOpen:
    return HalfOpen(4)


class Peers:
    """Connections, by their addresses."""

    def __init__(self, half_open: HalfOpen) -> None:
        self.half_open = half_open
        self.sockets: dict[str, socket.socket] = {}

    def come(self, address: str, speaks: bool = False) -> str | None:
        """The address of the one that makes way."""
        one = self.sockets[address] = socket.socket()
        gone = self.half_open.add(one, address, address.partition(":")[0])
        if speaks:
            self.half_open.spoke(one)
        if gone is None:
            return None
        assert gone[0] is self.sockets[gone[1]]
        return gone[1]


@pytest.fixture
def peers(four: HalfOpen) -> Iterator[Peers]:
    peers = Peers(four)
    yield peers
    for one in peers.sockets.values():
        one.close()


def test_the_silent_first(peers: Peers) -> None:
    assert [peers.come(address, speaks=True) for address in ("a:1", "b:1")] == [None, None]
    assert [peers.come(address) for address in ("c:1", "d:1")] == [None, None]
    assert peers.come("e:1") == "c:1"
    assert peers.come("f:1") == "d:1"
    assert peers.come("g:1") == "e:1"


def test_of_the_silent_those_of_the_address_that_has_most(peers: Peers) -> None:
    for address in ("a:1", "b:1", "b:2"):
        peers.come(address)
    peers.come("c:1", speaks=True)
    assert peers.come("b:3") == "b:1"
    assert peers.come("b:4") == "b:2"


def test_when_all_have_spoken_those_of_the_address_that_has_most(peers: Peers) -> None:
    for address in ("a:1", "b:1", "c:1", "b:2"):
        peers.come(address, speaks=True)
    assert peers.come("d:1", speaks=True) == "b:1"
    assert peers.come("e:1", speaks=True) == "a:1"


def test_who_is_done_takes_no_place(peers: Peers) -> None:
    for number in range(20):
        assert peers.come(f"a:{number}") is None
        peers.half_open.done(peers.sockets[f"a:{number}"])
    peers.half_open.spoke(peers.sockets["a:1"])  # too late
    assert peers.half_open.all() == []


def test_a_node_far_away_gets_in_past_silent_connections(
    monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    """It has given its name, and its challenge's answer takes its time; meanwhile others come by the hundred."""
    epmd = FakeEpmd()
    monkeypatch.setenv("ERL_EPMD_PORT", str(epmd.port))
    local = LocalNode(free_port())
    try:
        with ExitStack() as silent, Client(local.port, before_reply=lambda: storm(local.port, silent)) as client:
            wait_until(local.names)
            assert local.names() == [client.name]
    finally:
        local.stop()
        epmd.stop()


def storm(port: int, silent: ExitStack) -> None:
    for _ in range(200):
        silent.enter_context(socket.create_connection(("127.0.0.1", port), timeout=DEADLINE))


def test_by_tls_too(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """It has begun, and its certificate takes its time."""
    make_ca(tmp_path)
    make_certificate(tmp_path, "localhost")
    port = free_port()
    local = LocalNode(free_port(), epmd=EpmdMode.NONE, tls=tls(tmp_path, port=port))
    name = b"N" + struct.pack(">QIH", OURS, 7, 14) + b"peer@localhost"
    try:
        with ExitStack() as silent, socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as sock:
            peer = TlsPeer(sock, client_context(tmp_path))
            with pytest.raises(ssl.SSLWantReadError):
                peer.tls.do_handshake()
            peer.move()
            assert peer.feed()  # its answer
            storm(port, silent)
            peer.shake_hands()
            peer.tls.write(struct.pack(">I", len(name)) + name)
            peer.move()
            assert peer.read(7)[:7] == b"\0\0\0\3sok"
    finally:
        local.stop()
