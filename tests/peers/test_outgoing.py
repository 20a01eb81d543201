"""Node.connect to real Erlang nodes, from a Node in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py.errors import NotConnected
from mod_erlang_py.etf import Atom
from scripts.epmd import Epmd
from tests.conftest import StartErl
from tests.node.conftest import Running, in_thread
from tests.node.nodes import LocalNode
from tests.waiting import DEADLINE, wait_until

__all__ = ["in_thread"]
InThread = Callable[[Callable[[], object]], Running]


@pytest.fixture
def local(epmd: Epmd, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]) -> Iterator[LocalNode]:
    monkeypatch.setenv("ERL_EPMD_PORT", str(epmd.port))
    local = LocalNode(free_port(), name="local@localhost")
    yield local
    local.stop()
    assert local.threads() == []


def test_connect_and_send(local: LocalNode, erl: StartErl, epmd: Epmd) -> None:
    peer = erl(name="peer", epmd_port=epmd.port)
    peer.eval("register(me, self())")
    link = local.node.connect("peer@localhost")
    link.send("me", (Atom("hello"), b"there"))
    assert peer.text("collect(1, 5000)") == '[{hello,"there"}]'
    peer.eval("{foo, 'local@localhost'} ! {echo, back}")
    assert peer.text("collect(1, 5000)") == "[back]"
    assert peer.text("nodes(hidden)") == "[local@localhost]"
    peer.close()
    assert local.receiver.downs.get(timeout=DEADLINE) == "peer@localhost"


def test_two_threads_share_one_connection(local: LocalNode, erl: StartErl, epmd: Epmd, in_thread: InThread) -> None:
    peer = erl(name="peer", epmd_port=epmd.port)
    peer.eval("net_kernel:monitor_nodes(true, [{node_type, all}])")
    connecting = [in_thread(lambda: local.node.connect("peer@localhost")) for _ in range(2)]
    first, second = [one.result() for one in connecting]
    assert first is second
    assert peer.text("length(collect(1, 5000)), flush()") == "[]"


def test_an_unknown_node(local: LocalNode) -> None:
    with pytest.raises(NotConnected, match="unknown"):
        local.node.connect("nobody@localhost")


def test_a_node_with_another_cookie(local: LocalNode, erl: StartErl, epmd: Epmd) -> None:
    erl(name="peer", epmd_port=epmd.port, cookie="other")
    with pytest.raises(NotConnected):
        local.node.connect("peer@localhost")
    assert local.names() == []


def test_a_node_that_died_and_came_back(local: LocalNode, erl: StartErl, epmd: Epmd) -> None:
    peer = erl(name="peer", epmd_port=epmd.port)
    first = local.node.connect("peer@localhost")
    peer.kill9()
    assert local.receiver.downs.get(timeout=DEADLINE) == "peer@localhost"
    with pytest.raises(NotConnected):
        local.node.connect("peer@localhost")
    erl(name="peer", epmd_port=epmd.port)
    assert local.node.connect("peer@localhost") is not first


@pytest.mark.parametrize("name", ["aaa", "zzz"], ids=["our name is higher", "its name is higher"])
def test_both_connect_at_the_same_time(
    local: LocalNode, erl: StartErl, epmd: Epmd, in_thread: InThread, name: str
) -> None:
    """Again and again: one link comes of it, and both can use it."""
    peer = erl(name=name, epmd_port=epmd.port)
    for attempt in range(30):
        pinging = in_thread(lambda: peer.text("net_adm:ping('local@localhost')"))
        link = local.node.connect(peer.name)
        assert pinging.result() == "pong"
        wait_until(lambda: len(local.node.links()) == 1)
        peer.eval(f"{{foo, 'local@localhost'}} ! {{echo, {{attempt, {attempt}}}}}")
        assert peer.text("collect(1, 5000)") == f"[{{attempt,{attempt}}}]"
        assert local.node.connect(peer.name).name == link.name
        assert peer.text("erlang:disconnect_node('local@localhost')") == "true"
        wait_until(lambda: not local.node.links())
        # A dial that came too late may be under way still, and net_kernel knows a link for longer than nodes().
        wait_until(lambda: "erlang:connect" not in local.threads())
        wait_until(lambda: peer.text("ets:tab2list(sys_dist)") == "[]")
