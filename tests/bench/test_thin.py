"""The C nodes that receive without decoding, connected to our node."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from mod_erlang_py.etf import Atom, Term
from scripts.bench.errors import BenchError
from scripts.bench.peers import thin
from scripts.bench.peers.thin import ABSENT, BENCH, ThinPeers
from scripts.trials.client import Client
from tests.conftest import RunningNode

pytestmark = pytest.mark.erl


@pytest.fixture
def program(tmp_path: Path) -> Path:
    found = thin.compiled(tmp_path)
    if not isinstance(found, Path):
        pytest.skip(found)
    return found


def fire(node: RunningNode, numbers: Sequence[int], sent: int) -> None:
    with Client(node.port, name="firing@localhost", to=node.name, cookie=node.cookie) as client:
        for number in numbers:
            headers: Term = [(b"Subject", b"Number"), (b"Number", b"%d" % number), (b"Sent", b"%d" % sent)]
            client.send((Atom("sendevent"), Atom("CUSTOM"), BENCH.encode(), headers))
            client.receive()


class Start(Protocol):
    def __call__(self, *, links: int, events: int, idle: float = 10, subclass: str = BENCH) -> ThinPeers: ...


@pytest.fixture
def start(simulated_node: RunningNode, program: Path) -> Iterator[Start]:
    """Connected to our node, and ended with the test."""
    started = []

    def new(*, links: int, events: int, idle: float = 10, subclass: str = BENCH) -> ThinPeers:
        where = (program, simulated_node.name, simulated_node.cookie, simulated_node.epmd_port)
        started.append(ThinPeers(*where, links=links, events=events, idle=idle, subclass=subclass))
        return started[-1]

    yield new
    for one in started:
        one.close()


def test_each_gets_all_and_how_long_it_took_is_seen(simulated_node: RunningNode, start: Start) -> None:
    receiving = start(links=3, events=4)
    fire(simulated_node, [1, 2, 3, 4], time.time_ns() - 5_000_000_000)
    found = receiving.end()
    assert (found["received"], found["disordered"]) == (12, 0)
    assert 5e6 <= found["p50"] <= found["p99"] <= found["longest"] < 60e6
    assert found["microseconds"] >= 5e6


def test_what_is_out_of_order_is_seen(simulated_node: RunningNode, start: Start) -> None:
    receiving = start(links=1, events=4)
    fire(simulated_node, [1, 3, 2, 4], time.time_ns())
    found = receiving.end()
    assert (found["received"], found["disordered"]) == (4, 3)  # after 1, 3 and 2 each came what was not next


def test_what_is_lost_is_not_waited_for(simulated_node: RunningNode, start: Start) -> None:
    receiving = start(links=1, events=5, idle=0.3)
    fire(simulated_node, [1, 2, 3, 4], time.time_ns())
    assert receiving.end()["received"] < 5


def test_one_that_only_holds_its_links(simulated_node: RunningNode, start: Start) -> None:
    start(links=20, events=0, subclass=ABSENT)
    assert simulated_node.api("erlang listeners").count("thin") == 20


def test_a_node_that_is_not_there(simulated_node: RunningNode, program: Path) -> None:
    with pytest.raises(BenchError, match="1 C nodes: failed to connect"):
        ThinPeers(program, "nobody@localhost", "x", simulated_node.epmd_port, links=1, events=1, idle=1, subclass=BENCH)
