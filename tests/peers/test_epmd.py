"""Life with epmd: it goes away, it comes back, it refuses."""

from __future__ import annotations

import pytest

from mod_erlang_py.distribution.epmd import AliveRequest, EpmdEntry, Request, alive2_response
from scripts.epmd import Epmd
from tests.conftest import RunningNode, StartErl, StartNode
from tests.node.epmds import FakeEpmd
from tests.waiting import wait_until

KINDS = pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
RENEWED = 3.0
"""Seconds after an epmd restart until we are reachable again."""


def registered(epmd: Epmd, node: RunningNode) -> bool:
    return (epmd.names() or {}).get("freeswitch") == node.port


@KINDS
def test_epmd_restarts(kind: str, epmd: Epmd, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, epmd=epmd)
    first = erl(node)
    first.eval(f"{{ok, P}} = request('{node.name}', getpid), monitor_node('{node.name}', true)")
    pid = first.text("term_to_binary(P)")
    for _ in range(2):
        epmd.stop()
        assert first.request(node.name, '{api, echo, "without epmd"}') == '{ok,"without epmd"}'
        epmd.start()
        wait_until(lambda: registered(epmd, node), RENEWED, node.log)
    late = erl(node)
    assert late.text(f"net_adm:ping('{node.name}')") == "pong"
    late.eval(f"{{ok, P}} = request('{node.name}', getpid)")
    assert late.text("term_to_binary(P)") == pid
    assert first.text("flush()") == "[]"
    wait_until(lambda: node.log().count("epmd went away") == 2)


@KINDS
def test_epmd_refuses_for_a_while(kind: str, epmd: Epmd, start_node: StartNode, erl: StartErl) -> None:
    """As when another node has our name: told once, tried again, the links stand."""
    node = start_node(kind, epmd=epmd)
    peer = erl(node)
    peer.eval(f"net_adm:ping('{node.name}'), monitor_node('{node.name}', true)")
    tries = 0

    def refuse(request: Request) -> bytes:
        nonlocal tries
        if isinstance(request, AliveRequest) and request.entry.name == "freeswitch":
            tries += 1
        return alive2_response(EpmdEntry("freeswitch", 1), 1, 1)

    epmd.stop()
    taken = FakeEpmd(epmd.port, refuse)
    try:
        wait_until(lambda: tries >= 2)
        wait_until(lambda: "cannot register freeswitch: registration refused" in node.log())
    finally:
        taken.stop()
    epmd.start()
    wait_until(lambda: registered(epmd, node), RENEWED, node.log)
    wait_until(lambda: node.log().count("registered freeswitch with epmd") == 2)
    assert node.log().count("cannot register freeswitch: registration refused") == 1
    assert peer.text(f"monitor_node('{node.name}', false), flush()") == "[]"
