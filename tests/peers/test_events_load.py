"""Many events, fired inside FreeSWITCH by scripts/bench/inside, and received by Erlang nodes of scripts/bench/peers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mod_erlang_py import etf
from mod_erlang_py.config.settings import Config
from mod_erlang_py.etf import Atom, Term
from scripts.bench import inside
from scripts.bench.peers.erlang import ErlangPeer
from scripts.trials.client import Client
from tests.conftest import FreeSwitchHost, RunningNode, StartErl, StartNode
from tests.peers.handlers import Handler
from tests.waiting import wait_until

pytestmark = [pytest.mark.freeswitch, pytest.mark.timeout(180)]

BENCH = "{event, 'CUSTOM', 'erlang_py::bench'}"


class Load:
    """A FreeSWITCH that fires, and Erlang nodes that receive."""

    def __init__(self, node: RunningNode, folder: Path) -> None:
        self.node = node
        self.measurers: list[ErlangPeer] = []
        self._folder = folder
        library = inside.library(folder)
        if not isinstance(library, Path):
            pytest.skip(library)
        self._library = library
        assert isinstance(node.host, FreeSwitchHost)
        inside.install(node.host.switch.script_dir)

    def measurer(self) -> ErlangPeer:
        self.measurers.append(ErlangPeer(self._folder, self.node.epmd_port, self.node.cookie))
        return self.measurers[-1]

    def fire(self, events: int, rate: int = 0) -> None:
        answer = self.node.api(f"pyrun {inside.fire(self._library, events, rate)}")
        assert answer.startswith("OK")

    def receive(self, measurer: ErlangPeer, events: int, rate: int = 0) -> float:
        """How many of so many events did not come, or came out of order."""
        measurer.begin("events", f"'{self.node.name}'", events, 20_000)
        measurer.wait_until_listening()
        self.fire(events, rate)
        return measurer.end()[1]


@pytest.fixture
def load(start_node: StartNode, tmp_path: Path) -> Iterator[Callable[..., Load]]:
    loads: list[Load] = []

    def start(outbox_bytes: int = Config().outbox_bytes) -> Load:
        loads.append(Load(start_node("freeswitch", outbox_bytes=str(outbox_bytes)), tmp_path))
        return loads[-1]

    yield start
    for one in loads:
        for measurer in one.measurers:
            measurer.close()


def test_bursts_of_100000_events_arrive_complete_and_in_order(load: Callable[..., Load]) -> None:
    """Fired as fast as FreeSWITCH can, in two bursts: a busy machine fires faster than any handler takes, and a whole
    one could outgrow the queue, which sheds from 95,000."""
    loaded = load()
    measurer = loaded.measurer()
    assert [loaded.receive(measurer, 50_000) for _ in range(2)] == [0, 0]
    assert "Lost" not in loaded.node.log()


def test_a_stopped_reader_costs_bounded_memory_and_delays_nobody(load: Callable[..., Load], erl: StartErl) -> None:
    """20,000 events of 4 kB: 80 MB, of which 1 MB waits."""
    loaded = load(outbox_bytes=1_000_000)
    node, quick = loaded.node, loaded.measurer()
    assert loaded.receive(quick, 2000, 4000) == 0
    stopped = erl(node)
    Handler(stopped, node, "register_event_handler", BENCH)
    before = node.resident_kib()
    stopped.suspend()
    assert loaded.receive(quick, 20_000, 4000) == 0
    assert node.resident_kib() - before < 40_000
    found = re.search(rf" {stopped.name} .*\(lost:(\d+)\) logs", node.api("erlang listeners"))
    assert found
    assert int(found.group(1)) > 10_000


def test_twenty_handlers_that_come_and_go_leave_nothing(load: Callable[..., Load]) -> None:
    """Subscribed to everything and in mid-stream, then gone without a word."""
    loaded = load()
    node = loaded.node
    measurer = loaded.measurer()
    assert loaded.receive(measurer, 1000, 1000) == 0
    threads, descriptors = node.threads(), node.descriptors()
    measurer.begin("events", f"'{node.name}'", 20_000, 20_000)
    measurer.wait_until_listening()
    loaded.fire(20_000, 4000)
    for number in range(20):
        with Client(node.port, name=f"client{number}@localhost", to=node.name, cookie=node.cookie) as client:
            for term in (Atom("register_event_handler"), (Atom("event"), Atom("ALL"))):
                ask(client, term)
            for _ in range(10):
                client.receive()
    assert measurer.end()[1] == 0
    wait_until(lambda: "client" not in node.api("erlang listeners"))
    wait_until(lambda: node.threads() <= threads, told=lambda: (threads, node.threads()))
    wait_until(lambda: node.descriptors() <= descriptors, told=lambda: (descriptors, node.descriptors()))


def ask(client: Client, term: Term) -> None:
    """Send what is answered with ok; a LINK, and events, may come before."""
    client.send(term)
    while client.receive().payload != etf.encode(Atom("ok")):
        pass
