"""Many calls at once, in a real FreeSWITCH."""

from __future__ import annotations

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import api, dial, kinds, with_taker
from tests.waiting import wait_until

pytestmark = [pytest.mark.freeswitch, pytest.mark.timeout(180)]
_SLACK_KIB = 60_000


@pytest.fixture
def node(start_node: StartNode) -> RunningNode:
    node = start_node("freeswitch", handler_timeout="60")  # on a busy machine, all of them take their time
    for setting in ("loglevel warning", "sps 10000", "max_sessions 5000"):
        node.api(f"fsctl {setting}")
    return node


def no_channel_is_left(node: RunningNode, peer: Erl) -> None:
    wait_until(lambda: "\\n0 total" in api(node, peer, "show", "channels count"), 20)


def test_a_storm_leaves_nothing(node: RunningNode, erl: StartErl) -> None:
    """1,000 calls, 100 at a time: each has one call and one call_hangup. A smaller one before takes what stays."""
    peer = with_taker(node, erl)
    assert peer.eval(f"call_tests:storm('{node.name}', 300, 100)", 90) == 300
    no_channel_is_left(node, peer)
    wait_until(lambda: "No active sessions" in node.api(f"erlang sessions {peer.name}"), 10)
    threads, descriptors, memory = node.threads(), node.descriptors(), node.resident_kib()
    assert peer.eval(f"call_tests:storm('{node.name}', 1000, 100)", 120) == 1000
    no_channel_is_left(node, peer)
    wait_until(lambda: "No active sessions" in node.api(f"erlang sessions {peer.name}"), 10)
    wait_until(lambda: node.descriptors() <= descriptors, 20, told=lambda: (descriptors, node.descriptors()))
    # FreeSWITCH keeps the threads of sessions for the next ones for a while
    wait_until(lambda: node.threads() <= threads + 20, 20, told=lambda: (threads, node.threads()))
    assert node.resident_kib() - memory < _SLACK_KIB


def test_five_hundred_calls_at_once(node: RunningNode, erl: StartErl) -> None:
    peer = with_taker(node, erl)
    for _ in range(500):
        dial(node, peer, f"taker:! {peer.name}")
    answer = 'receive {bgok, _, "+OK" ++ _} -> ok; {bgok, _, E} -> E; {bgerror, _, E} -> E after 60000 -> none end'
    assert peer.text(f"lists:usort([{answer} || _ <- lists:seq(1, 500)])", 120) == "[ok]", node.log()[-5000:]
    wait_until(lambda: kinds(peer).count("call") == 500, 60, lambda: (kinds(peer).count("call"), node.log()[-5000:]))
    assert "sessions: 500 " in node.api("erlang listeners")
    node.api("hupall")
    wait_until(lambda: kinds(peer).count("call_hangup") == 500, 60, lambda: kinds(peer).count("call_hangup"))
    assert kinds(peer).count("call") == 500
    no_channel_is_left(node, peer)
