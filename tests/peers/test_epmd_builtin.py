"""A machine on which no epmd runs: ours serves every node of it, and gives way."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py.config.settings import EpmdMode
from mod_erlang_py.errors import NotConnected
from scripts.epmd import Epmd, epmd_names
from tests.conftest import StartErl, StartNode
from tests.node.nodes import LocalNode
from tests.peers.erl import Erl
from tests.waiting import DEADLINE, wait_until

KINDS = pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
NO_PROGRAM = {"PATH": "/nonexistent"}
"""Where `epmd` is not installed."""
MODES = pytest.mark.parametrize(
    ("mode", "environment"), [("builtin", {}), ("auto", NO_PROGRAM)], ids=["builtin", "auto"]
)
RENEWED = 5.0
"""Seconds after which an Erlang node, which tries every 2 s, is registered with the next epmd."""


def ping(peer: Erl, name: str) -> str:
    return peer.text(f"net_adm:ping('{name}')")


def number_of(peer: Erl, name: str) -> int:
    """Its port, as `erl_epmd:names()` of another node tells."""
    return int(peer.text(f'{{ok, Names}} = erl_epmd:names(), proplists:get_value("{name}", Names, 0)'))


@KINDS
@MODES
def test_nodes_find_each_other(
    kind: str, mode: str, environment: dict[str, str], start_node: StartNode, erl: StartErl
) -> None:
    node = start_node(kind, epmd=mode, environment=environment)
    assert f"built-in epmd listens on port {node.epmd_port} of 127.0.0.1" in node.log()
    one, two = erl(node, name="one"), erl(node, name="two")
    assert ping(one, node.name) == "pong"
    assert one.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert ping(two, one.name) == "pong"
    assert number_of(two, "freeswitch") == node.port
    two.forget()
    printed = subprocess.run(
        ["epmd", "-port", str(node.epmd_port), "-names"], capture_output=True, text=True, timeout=DEADLINE
    ).stdout
    assert printed.startswith(f"epmd: up and running on port {node.epmd_port} with data:\n")
    assert sorted(line.split()[1] for line in printed.splitlines()[1:]) == ["freeswitch", "one", "two"]
    one.close()
    wait_until(lambda: sorted(epmd_names(node.epmd_port) or {}) == ["freeswitch", "two"])
    assert node.stop() == 0
    assert epmd_names(node.epmd_port) is None
    assert "Traceback" not in node.log()
    assert "still running" not in node.log()


@KINDS
@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_the_next_epmd_has_them_again(kind: str, end: str, start_node: StartNode, erl: StartErl) -> None:
    """The switch ends; another epmd is started; the switch comes back, and takes over when that one goes."""
    node = start_node(kind, epmd="builtin")
    peer = erl(node, name="peer")
    assert ping(peer, node.name) == "pong"
    getattr(node, end)()
    epmd = Epmd(node.epmd_port)
    try:
        wait_until(lambda: "peer" in (epmd.names() or {}), RENEWED)
        again = start_node(kind, epmd="builtin", epmd_port=node.epmd_port, listen_port=str(node.port))
        told = f"another epmd has port {node.epmd_port}: ours takes over when that one goes away"
        wait_until(lambda: told in again.log(), told=again.log)  # it is said once we are registered
        assert ping(peer, node.name) == "pong"
    finally:
        epmd.stop()
    wait_until(lambda: sorted(epmd_names(node.epmd_port) or {}) == ["freeswitch", "peer"], RENEWED, again.log)
    wait_until(lambda: f"built-in epmd listens on port {node.epmd_port}" in again.log(), told=again.log)
    assert ping(erl(again), node.name) == "pong"


@KINDS
def test_the_switch_restarts(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, epmd="auto", environment=NO_PROGRAM)
    peer = erl(node, name="peer")
    for _ in range(2):
        assert ping(peer, node.name) == "pong"
        assert node.stop() == 0
        assert ping(peer, node.name) == "pang"
        node = start_node(
            kind, epmd="auto", epmd_port=node.epmd_port, environment=NO_PROGRAM, listen_port=str(node.port)
        )
        assert ping(peer, node.name) == "pong"
        wait_until(lambda port=node.epmd_port: "peer" in (epmd_names(port) or {}), RENEWED)  # type: ignore[misc]


# --- none at all ---


def without_epmd(erl: StartErl, port: int, name: str = "peer@127.0.0.2") -> Erl:
    """An OTP node that listens on that port of its address, and expects all others to do the same."""
    return erl(name=name, epmd_port=1, arguments=("-erl_epmd_port", str(port)))


@KINDS
def test_no_epmd(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, epmd="none", nodename="freeswitch@127.0.0.1")
    assert epmd_names(node.epmd_port) is None
    peer = without_epmd(erl, node.port)
    assert ping(peer, node.name) == "pong"
    assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert peer.text(f"{{ok, P}} = request('{node.name}', getpid), node(P)") == f"'{node.name}'"
    assert "epmd" not in node.log().replace("erlang_event.conf", "")


@pytest.mark.freeswitch
def test_freeswitch_connects_without_epmd(start_node: StartNode, erl: StartErl) -> None:
    node = start_node("freeswitch", epmd="none", nodename="freeswitch@127.0.0.1")
    peer = without_epmd(erl, node.port)
    peer.eval("register(me, self())")
    node.api("originate loopback/park &erlang_sendmsg('me peer@127.0.0.2 hello')")
    assert peer.text("collect(1, 5000)") == '[{freeswitch_sendmsg,"hello"}]'


@pytest.fixture
def local(free_port: Callable[[], int]) -> Iterator[LocalNode]:
    local = LocalNode(free_port(), name="local@127.0.0.1", epmd=EpmdMode.NONE)
    yield local
    local.stop()
    assert local.threads() == []


def test_connect_without_epmd(local: LocalNode, erl: StartErl) -> None:
    peer = without_epmd(erl, local.port)
    assert local.node.connect(peer.name).name == peer.name
    assert peer.text("nodes(hidden)") == "['local@127.0.0.1']"
    with pytest.raises(NotConnected, match="refused"):
        local.node.connect("peer@127.0.0.3")
    with pytest.raises(NotConnected, match="not_allowed"):
        local.node.connect("other@127.0.0.1")  # whose port is ours: we reach ourselves
