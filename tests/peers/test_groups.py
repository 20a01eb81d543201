"""`pg:Group` in the dialplan's data: a member of a process group has the call."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.peers.test_calls import api, dial, gone, hang_up
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

_MODULE = Path(__file__).with_name("members.erl")


def with_members(peer: Erl) -> Erl:
    peer.eval(
        f'{{ok, members, Code}} = compile:file("{_MODULE}", [binary]),'
        ' {module, members} = code:load_binary(members, "members.erl", Code), ok'
    )
    return peer


@pytest.fixture
def peer(node: RunningNode, erl: StartErl) -> Erl:
    give_dialplan(node)
    return with_members(erl(node))


def calls(peer: Erl, member: str) -> list[str]:
    """The UUIDs of those that a member was given."""
    return [one.strip('"') for one in peer.text(f"members:calls({member})").strip("[]").split(",") if one]


def handed(
    node: RunningNode, asking: Erl, target: str, members: dict[str, Erl], variables: str = ""
) -> tuple[str, str]:
    """Have a call handed to the group: who got it, and its UUID. members: by variable, and the node that has it."""
    before = {name: len(calls(peer, name)) for name, peer in members.items()}
    dial(node, asking, target, variables)

    def found() -> tuple[str, str] | None:
        got = [(name, calls(peer, name)) for name, peer in members.items()]
        return next(((name, uuids[-1]) for name, uuids in got if len(uuids) > before[name]), None)

    return wait_until(found, 10, node.log) or ("", "")


def test_a_member_has_the_call(node: RunningNode, peer: Erl) -> None:
    """It is not linked: it has other things to do when the switch goes."""
    peer.eval("M = members:start(desks), ok")
    _, uuid = handed(node, peer, f"pg:desks {peer.name}", {"M": peer})
    assert peer.text("process_info(M, links)") == "{links,[]}"
    assert f"Outbound session for {uuid}" in api(node, peer, "erlang", f"sessions {peer.name}")
    hang_up(node, peer, uuid)
    gone(node, peer, uuid)


def test_a_scope_of_its_own(node: RunningNode, peer: Erl) -> None:
    peer.eval("M = members:start(sales, desks), Other = members:start(pg, desks), ok")
    _, uuid = handed(node, peer, f"pg:sales:desks {peer.name}", {"M": peer})
    assert calls(peer, "Other") == []
    hang_up(node, peer, uuid)


def test_a_member_that_ends_gives_its_call_back_to_the_dialplan(node: RunningNode, peer: Erl) -> None:
    peer.eval("M = members:start(desks), ok")
    _, uuid = handed(node, peer, f"pg:desks {peer.name}", {"M": peer}, "{erlang_on_handler_exit='hangup USER_BUSY'}")
    peer.eval("M ! {stop, crash}, ok")
    gone(node, peer, uuid)
    wait_until(lambda: f"{uuid}: its handler is gone: crash" in node.log(), told=node.log)


def test_a_member_on_a_node_that_we_do_not_know(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    """The one that is asked tells of it; we connect."""
    other = with_members(erl(node))
    other.eval(f"pong = net_adm:ping('{peer.name}'), M = members:start(desks), ok")
    peer.eval("pg:start(pg), ok")
    wait_until(lambda: peer.text("length(pg:get_members(desks))") == "1")
    assert other.name not in node.api("erlang listeners")
    _, uuid = handed(node, peer, f"pg:desks {peer.name}", {"M": other})
    assert f"Outbound session for {uuid}" in api(node, peer, "erlang", f"sessions {other.name}")
    hang_up(node, peer, uuid)


@pytest.mark.parametrize("scope", ["", "nosuch:"])
def test_a_group_without_members(node: RunningNode, peer: Erl, scope: str) -> None:
    dial(node, peer, f"pg:{scope}nobody {peer.name}")
    wait_until(lambda: f"pg:{scope}nobody at {peer.name}: it has no members" in node.log(), 10, node.log)


def test_the_next_node_is_asked(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    """The first cannot be connected to, the second knows of nobody."""
    other = with_members(erl(node))
    other.eval("M = members:start(desks), ok")
    target = f"pg:desks nobody@localhost|{peer.name}|{other.name}"
    _, uuid = handed(node, other, target, {"M": other})
    hang_up(node, other, uuid)


def test_dead_members_are_left_out(node: RunningNode, peer: Erl) -> None:
    """Here pg does not find out: it is made to wait. So is a member of a node that is gone."""
    peer.eval("Dead = [members:start(desks) || _ <- lists:seq(1, 5)], M = members:start(desks), sys:suspend(pg), ok")
    peer.eval("[members:stop(P) || P <- Dead], 6 = length(pg:get_members(desks)), ok")
    for _ in range(5):
        _, uuid = handed(node, peer, f"pg:desks {peer.name}", {"M": peer})
        hang_up(node, peer, uuid)
    assert len(calls(peer, "M")) == 5


def test_members_of_a_node_that_is_gone_are_left_out(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    other = with_members(erl(node))
    other.eval(f"pong = net_adm:ping('{peer.name}'), [members:start(desks) || _ <- lists:seq(1, 5)], ok")
    peer.eval("M = members:start(desks), ok")
    wait_until(lambda: peer.text("length(pg:get_members(desks))") == "6")
    peer.eval("sys:suspend(pg), ok")
    other.kill9()
    for _ in range(5):
        _, uuid = handed(node, peer, f"pg:desks {peer.name}", {"M": peer})
        hang_up(node, peer, uuid)


def test_all_of_them_are_dead(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    peer.eval("Dead = [members:start(desks) || _ <- lists:seq(1, 3)], sys:suspend(pg), ok")
    peer.eval("[members:stop(P) || P <- Dead], ok")
    other = with_members(erl(node))
    other.eval("M = members:start(desks), ok")
    _, uuid = handed(node, other, f"pg:desks {peer.name}|{other.name}", {"M": other})
    told = f"pg:desks at {peer.name}: none of its 3 members is there"
    wait_until(lambda: told in node.log(), told=node.log)
    hang_up(node, other, uuid)


def test_the_one_with_the_fewest_calls(node: RunningNode, peer: Erl) -> None:
    peer.eval("[A, B, C] = [members:start(desks) || _ <- lists:seq(1, 3)], ok")
    members = {"A": peer, "B": peer, "C": peer}
    least = "{erlang_pg_strategy=least_calls}"
    target = f"pg:desks {peer.name}"
    got = [handed(node, peer, target, members, least) for _ in range(9)]
    assert Counter(name for name, _ in got) == Counter(A=3, B=3, C=3)
    of_b = [uuid for name, uuid in got if name == "B"]
    for uuid in of_b:
        hang_up(node, peer, uuid)
        gone(node, peer, uuid)
    wait_until(lambda: not any(uuid in api(node, peer, "erlang", f"sessions {peer.name}") for uuid in of_b))
    assert [handed(node, peer, target, members, least)[0] for _ in range(3)] == ["B", "B", "B"]
    assert api(node, peer, "hupall", "") != ""


def test_calls_that_come_at_once_are_spread(node: RunningNode, peer: Erl) -> None:
    """Each is counted for its member before that one has it."""
    peer.eval("Members = [members:start(desks) || _ <- lists:seq(1, 4)], ok")
    call = f"{{erlang_pg_strategy=least_calls}}loopback/park/default '&erlang(pg:desks {peer.name})'"
    peer.eval(
        f"spawn(fun() -> [{{foo, '{node.name}'}} ! {{bgapi, originate, \"{call}\"}} || _ <- lists:seq(1, 40)],"
        " receive never -> ok end end), ok"
    )
    given = "[length(members:calls(M)) || M <- Members]"
    wait_until(lambda: peer.text(f"lists:sum({given})") == "40", 30)
    assert peer.text(f"lists:usort({given}) =:= [10]") == "true"
    assert api(node, peer, "hupall", "") != ""


def test_the_same_one_for_the_same_caller(node: RunningNode, peer: Erl) -> None:
    peer.eval("[A, B, C] = [members:start(desks) || _ <- lists:seq(1, 3)], ok")
    members = {"A": peer, "B": peer, "C": peer}
    target = f"pg:desks {peer.name}"

    def by(key: int) -> str:
        name, uuid = handed(node, peer, target, members, "{erlang_pg_strategy='hash erl_key',erl_key=" + f"{key}" + "}")
        hang_up(node, peer, uuid)
        return name

    first = {key: by(key) for key in range(8)}
    assert {key: by(key) for key in first} == first
    gone_ = first[0]
    peer.eval(f"members:stop({gone_}), ok")
    del members[gone_]
    after = {key: by(key) for key in first}
    assert all(name == first[key] for key, name in after.items() if first[key] != gone_)
