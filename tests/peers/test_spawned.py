"""`spawn:Module:Function` in the dialplan's data: each call has a new process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import KINDS, dial, exists, gone, hang_up
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

_MODULE = Path(__file__).with_name("spawned.erl")


@pytest.fixture
def peer(node: RunningNode, erl: StartErl) -> Erl:
    return with_spawned(node, erl)


def with_spawned(node: RunningNode, erl: StartErl) -> Erl:
    give_dialplan(node)
    peer = erl(node)
    peer.eval(
        f'{{ok, spawned, Code}} = compile:file("{_MODULE}", [binary]),'
        ' {module, spawned} = code:load_binary(spawned, "spawned.erl", Code), register(owner, self()), ok'
    )
    peer.eval("""Got = fun(P, Tag) -> receive {got, P, M} when element(1, M) =:= Tag -> M after 10000 -> none end end,
        Spawned = fun() -> receive T when element(1, T) =:= spawned -> T after 10000 -> none end end, ok""")
    return peer


def test_a_call_from_its_beginning_to_its_end(node: RunningNode, peer: Erl) -> None:
    dial(node, peer, f"spawn:spawned:plain {peer.name}")
    peer.eval("{spawned, P, UUID, Node, Ancestors, Initial, Leads} = Spawned(), ok")
    uuid = peer.text("UUID").strip('"')
    assert peer.text("Node") == node.name
    assert peer.text(f"[A] = Ancestors, node(A) =:= '{node.name}'") == "true"
    assert peer.text("{Initial, Leads}") == "{{spawned,plain,2},true}"
    assert peer.text("{call, {event, [U | _]}} = Got(P, call), U =:= UUID") == "true"
    assert exists(node, peer, uuid)
    assert peer.text("process_info(P, links) =:= {links, Ancestors}") == "true"
    hang_up(node, peer, uuid)
    assert peer.text("Got(P, call_hangup) =:= {call_hangup, UUID}") == "true"
    assert peer.text("receive {got, P, {call_hangup, _}} -> again after 100 -> once end") == "once"


@pytest.mark.parametrize("function", ["server", "statem"])
def test_a_behaviour_that_enters_its_loop(node: RunningNode, peer: Erl, function: str) -> None:
    dial(node, peer, f"spawn:spawned:{function} {peer.name}")
    peer.eval("{spawned, P, UUID, _} = Spawned(), M = monitor(process, P), ok")
    assert peer.text("element(1, Got(P, call))") == "call"
    if function == "server":
        assert peer.text("gen_server:call(P, uuid) =:= UUID") == "true"
    hang_up(node, peer, peer.text("UUID").strip('"'))
    assert peer.text("Got(P, call_hangup) =:= {call_hangup, UUID}") == "true"
    assert peer.text("receive {'DOWN', M, process, P, R} -> R after 5000 -> none end") == "normal"


@pytest.mark.parametrize("kind", KINDS)
def test_a_behaviour_ends_with_the_switch_its_parent(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """One that traps exits, too."""
    node = start_node(kind)
    peer = with_spawned(node, erl)
    dial(node, peer, f"spawn:spawned:server {peer.name}")
    peer.eval("{spawned, P, _, _} = Spawned(), {call, _} = Got(P, call), ok")
    node.kill9()
    assert peer.text("receive {terminated, P, _, R} -> R after 10000 -> none end") == "noconnection"


@pytest.mark.parametrize("reason", ["normal", "crash"])
def test_one_that_ends_gives_its_call_back_to_the_dialplan(node: RunningNode, peer: Erl, reason: str) -> None:
    dial(node, peer, f"spawn:spawned:plain {peer.name}", "{erlang_on_handler_exit='hangup USER_BUSY'}")
    peer.eval("{spawned, P, UUID, _, _, _, _} = Spawned(), {call, _} = Got(P, call), ok")
    uuid = peer.text("UUID").strip('"')
    peer.eval(f"P ! {{stop, {reason}}}, ok")
    gone(node, peer, uuid)
    assert (f"{uuid}: its handler is gone: {reason}" in node.log()) is (reason == "crash")


@pytest.mark.parametrize("function", ["spawned:crashing", "nosuch:module"])
def test_one_that_crashes_at_once(node: RunningNode, peer: Erl, function: str) -> None:
    """The call goes on in the dialplan, which has nothing more."""
    dial(node, peer, f"spawn:{function} {peer.name}")
    answer = 'receive {bgok, _, "+OK " ++ U} -> string:trim(U) after 10000 -> none end'
    uuid = peer.text(f"receive {{ok, _}} -> ok after 5000 -> none end, {answer}").strip('"')
    wait_until(lambda: f"{uuid}: its handler is gone" in node.log(), 10, node.log)
    gone(node, peer, uuid)


def test_the_next_node_is_tried(node: RunningNode, peer: Erl) -> None:
    dial(node, peer, f"spawn:spawned:plain nobody@localhost|{peer.name}")
    peer.eval("{spawned, P, UUID, _, _, _, _} = Spawned(), {call, _} = Got(P, call), ok")
    hang_up(node, peer, peer.text("UUID").strip('"'))


def test_hung_up_before_there_is_one(node: RunningNode, peer: Erl) -> None:
    """It is told so: nothing else would come."""
    peer.eval("sys:suspend(rex), ok")
    dial(node, peer, f"spawn:spawned:plain {peer.name}", "{origination_uuid=spawn-in-vain-" + node.kind + "}")
    uuid = f"spawn-in-vain-{node.kind}"
    assert peer.text("wait_until(fun() -> process_info(whereis(rex), messages) =/= {messages, []} end)") == "true"
    hang_up(node, peer, uuid)
    wait_until(lambda: f"{uuid}: erlang: hung up before" in node.log(), 10, node.log)
    peer.eval("sys:resume(rex), ok")
    peer.eval(f'{{spawned, P, "{uuid}", _, _, _, _}} = Spawned(), ok')
    assert peer.text("receive {got, P, M} -> M after 5000 -> none end") == f'{{call_hangup,"{uuid}"}}'
    assert peer.text("receive {got, P, M2} -> M2 after 200 -> none end") == "none"


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_takes_too_long(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """Another one has the call by then, and its process is told."""
    node = start_node(kind, handler_timeout="1")
    slow, peer = with_spawned(node, erl), with_spawned(node, erl)
    slow.eval("sys:suspend(rex), ok")
    dial(node, peer, f"spawn:spawned:plain {slow.name}|{peer.name}")
    peer.eval("{spawned, P, UUID, _, _, _, _} = Spawned(), {call, _} = Got(P, call), ok")
    slow.eval("sys:resume(rex), ok")
    slow.eval("{spawned, P, UUID, _, _, _, _} = Spawned(), ok")
    assert slow.text("receive {got, P, M} -> element(1, M) after 5000 -> none end") == "call_taken"
    assert slow.text("UUID") == peer.text("UUID")
    hang_up(node, peer, peer.text("UUID").strip('"'))
    assert peer.text("Got(P, call_hangup) =:= {call_hangup, UUID}") == "true"


def test_many_at_once(node: RunningNode, peer: Erl) -> None:
    for _ in range(30):
        dial(node, peer, f"spawn:spawned:server {peer.name}")
    peer.eval(
        "Next = fun() -> {spawned, P, U, _} = Spawned(), {call, _} = Got(P, call), {P, U} end,"
        " All = [Next() || _ <- lists:seq(1, 30)], ok"
    )
    assert peer.text("length(lists:usort([P || {P, _} <- All]))") == "30"
    peer.eval(f"[request('{node.name}', {{api, uuid_kill, U}}) || {{_, U}} <- All], ok")
    assert peer.text("lists:usort([Got(P, call_hangup) =:= {call_hangup, U} || {P, U} <- All])", 30) == "[true]"
    assert peer.text("wait_until(fun() -> not lists:any(fun({P, _}) -> is_process_alive(P) end, All) end)") == "true"
