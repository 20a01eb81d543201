"""Links that are idle stay up; peers that are dead are noticed."""

from __future__ import annotations

import time

import pytest

from tests.conftest import StartErl, StartNode
from tests.waiting import wait_until

TICK_TIME = 4
ARGUMENTS = ("-kernel", "net_ticktime", str(TICK_TIME))


@pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
def test_idle_and_dead_peers(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """An idle link is up after more than two tick times; meanwhile a stopped peer is found out."""
    node = start_node(kind, net_ticktime=str(TICK_TIME))
    idle, dead = erl(node, arguments=ARGUMENTS), erl(node, arguments=ARGUMENTS)
    started = time.monotonic()
    for peer in (idle, dead):
        assert peer.text(f"net_adm:ping('{node.name}'), monitor_node('{node.name}', true)") == "true"
    dead.suspend()
    idle.eval(
        f"Watcher = self(), Idle = spawn(fun() -> monitor_node('{node.name}', true),"
        f" receive M -> Watcher ! M after {int(2.2 * TICK_TIME * 1000)} -> Watcher ! idle end end)"
    )
    wait_until(lambda: f"node down: {dead.name}, not responding" in node.log(), 30, node.log)
    assert time.monotonic() - started > 0.75 * TICK_TIME
    assert idle.text("collect(1, 20000)", timeout=30) == "[idle]"
    assert idle.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    dead.resume()
    assert dead.text("collect(1, 5000)") == f"[{{nodedown,{node.name}}}]"
    assert dead.text(f"net_adm:ping('{node.name}')") == "pong"


@pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
def test_a_peer_with_a_shorter_tick_time(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """Ours is 60 s, it wants to hear something of us within 2: each of its ticks is answered."""
    node = start_node(kind)
    peer = erl(node, arguments=("-kernel", "net_ticktime", "2"))
    assert peer.text(f"net_adm:ping('{node.name}'), monitor_node('{node.name}', true)") == "true"
    assert peer.text("collect(1, 5000)") == "[]"
