"""Many applications that are waited for at once, in a real FreeSWITCH."""

from __future__ import annotations

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import with_module
from tests.peers.test_execute import PRELUDE, nobody_waits, waiting
from tests.waiting import wait_until

pytestmark = [pytest.mark.freeswitch, pytest.mark.timeout(180)]

CALLS = 40
EACH = 50


@pytest.fixture
def node(start_node: StartNode) -> RunningNode:
    node = start_node("freeswitch")
    for setting in ("loglevel warning", "sps 10000", "max_sessions 5000"):
        node.api(f"fsctl {setting}")
    return node


@pytest.fixture
def peer(node: RunningNode, erl: StartErl) -> Erl:
    """Calls: those of `node`, which all play something for a minute. Each, All: how many executes."""
    peer = with_module(erl(node))
    peer.eval(PRELUDE % node.name)
    peer.eval(f"Each = {EACH}, All = {CALLS * EACH}, Me = self(), ok")
    peer.eval(
        'Call = fun() -> {ok, "+OK " ++ U} = Api(originate, "loopback/park/default &park()"), string:trim(U) end,'
        f" Calls = [Call() || _ <- lists:seq(1, {CALLS})], ok",
        60,
    )
    peer.eval('[Execute(U, playback, "tone_stream://%(60000,0,440)", [async]) || U <- Calls], ok')
    peer.eval("[{ok, _} = Reply() || _ <- Calls], ok")
    return peer


def test_two_thousand_wait_at_once(node: RunningNode, peer: Erl) -> None:
    """50 of each call, each by a process of its own, behind what the call plays: half of the calls stop playing, and do
    what was asked of them; the others are hung up. No thread waits, and nothing is left."""
    threads, descriptors = node.threads(), node.descriptors()
    peer.eval("""Asks = fun(U, I) ->
            {any, N} ! {execute, U, set, "erl_test=" ++ integer_to_list(I), []},
            receive First -> Me ! {answered, U, I, First}, receive Second -> Me ! {answered, U, I, Second} end end end,
        [spawn(fun() -> Asks(U, I) end) || I <- lists:seq(1, Each), U <- Calls], ok""")
    wait_until(lambda: waiting(node) == CALLS * EACH, 30, lambda: waiting(node))
    assert node.threads() <= threads + 3
    assert peer.text("receive {answered, _, _, R} -> R after 0 -> none end") == "none"
    peer.eval("{Done, Over} = lists:split(length(Calls) div 2, Calls), ok")
    peer.eval("[Api(uuid_break, U) || U <- Done], [Api(uuid_kill, U) || U <- Over], ok", 60)
    next_ = "receive {answered, U, I, R} -> {U, I, R} after 20000 -> none end"
    peer.eval(f"Answers = [{next_} || _ <- lists:seq(1, All)], ok", 90)
    peer.eval('Set = fun(V) -> list_to_integer(maps:get("erl_test", V)) end, ok')
    done = "[{U, I, Set(V)} || {U, I, {ok, #{variables := V}}} <- Answers]"
    assert (
        peer.text(f"lists:sort({done}) =:= lists:sort([{{U, I, I}} || U <- Done, I <- lists:seq(1, Each)])") == "true"
    )
    over = "[{U, I} || {U, I, {error, hangup}} <- Answers]"
    assert peer.text(f"lists:sort({over}) =:= lists:sort([{{U, I}} || U <- Over, I <- lists:seq(1, Each)])") == "true"
    nobody_waits(node)
    assert peer.text("receive {answered, _, _, R} -> R after 500 -> none end") == "none"
    node.api("hupall")
    wait_until(lambda: "0 total" in node.api("show channels count"), 20)
    wait_until(lambda: node.descriptors() <= descriptors, 20)


def test_two_thousand_times_that_are_over(node: RunningNode, peer: Erl) -> None:
    """All at nearly the same moment, of senders of which each second is dead by then."""
    peer.eval("""Asks = fun(U) ->
            {any, N} ! {execute, U, set, "a=b", [{timeout, 3000}]}, receive R -> Me ! {answered, R} end end,
        Pids = [{I rem 2, spawn(fun() -> Asks(U) end)} || I <- lists:seq(1, Each), U <- Calls], ok""")
    wait_until(lambda: waiting(node) > CALLS * EACH / 2, 30, lambda: waiting(node))
    peer.eval("[exit(P, kill) || {0, P} <- Pids], ok")
    nobody_waits(node)
    answers = "[receive {answered, R} -> R after 5000 -> none end || _ <- lists:seq(1, All div 2)]"
    assert peer.text(f"lists:usort({answers})", 60) == "[{error,timeout}]"
    assert peer.text("receive {answered, R} -> R after 200 -> none end") == "none"
