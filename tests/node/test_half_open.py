"""Which of too many connections in their handshake makes way."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py.node.half_open import HalfOpen
from scripts.trials.client import Client
from tests.node.epmds import FakeEpmd
from tests.node.nodes import LocalNode
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
    silent: list[socket.socket] = []

    def storm() -> None:
        silent.extend(socket.create_connection(("127.0.0.1", local.port), timeout=DEADLINE) for _ in range(200))

    try:
        with Client(local.port, before_reply=storm) as client:
            wait_until(local.names)
            assert local.names() == [client.name]
    finally:
        for one in silent:
            one.close()
        local.stop()
        epmd.stop()
