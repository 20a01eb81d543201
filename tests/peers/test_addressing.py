"""What reaches the node and how it is answered, as by mod_erlang_event, from a real Erlang node."""

from __future__ import annotations

import pytest

from scripts.trials.client import Client
from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.waiting import wait_until

UNDEF = "{error,undef}"


def their_pid(node: RunningNode, peer: Erl) -> None:
    """Bind P, in the peer, to the node's pid."""
    peer.eval(f"{{ok, P}} = request('{node.name}', getpid), is_pid(P)")


def test_ping(node: RunningNode, peer: Erl) -> None:
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    assert peer.text(f"lists:member('{node.name}', nodes(hidden))") == "true"
    assert peer.text(f"lists:member('{node.name}', nodes())") == "false"


def test_getpid(node: RunningNode, peer: Erl) -> None:
    their_pid(node, peer)
    assert peer.text("node(P)") == node.name
    assert peer.text(f"request('{node.name}', getpid) =:= {{ok, P}}") == "true"


def test_the_pid_is_an_address(node: RunningNode, peer: Erl) -> None:
    their_pid(node, peer)
    peer.eval('P ! {api, echo, "by pid"}')
    assert peer.text("collect(1, 5000)") == '[{ok,"by pid"}]'


def test_any_registered_name_is_an_address(node: RunningNode, peer: Erl) -> None:
    for name in ("foo", "mod_erlang_event", "'a name'", "rex", "user"):
        peer.eval(f"{{{name}, '{node.name}'}} ! {{api, echo, \"{name}\"}}")
        assert peer.text("collect(1, 5000)") == f'[{{ok,"{name}"}}]'


@pytest.mark.parametrize(
    "term",
    [
        "nosuch",
        "status",
        "12",
        "1 bsl 200",
        "1.5",
        "[]",
        "[a, b]",
        '"status"',
        '<<"status">>',
        "#{api => status}",
        "{}",
        "{12, status}",
        '{"api", status, ""}',
        "{nosuch}",
        "{nosuch, 1, 2}",
        "{getpid, 1}",
        "api",
        "self()",
        "make_ref()",
        "fun() -> ok end",
        "{{a, b}, c}",
        "true",
    ],
)
def test_unknown_terms_are_undef(node: RunningNode, peer: Erl, term: str) -> None:
    assert peer.request(node.name, term) == UNDEF


@pytest.mark.parametrize("term", ["{api}", "{bgapi}", "{'$gen_call', 1}", "{system, 1, 2}", "{io_request, 1, 2}"])
def test_a_known_tag_with_wrong_arity_or_types_is_badarg(node: RunningNode, peer: Erl, term: str) -> None:
    assert peer.request(node.name, term) == "{error,badarg}"


def test_an_answer_nobody_waits_for(node: RunningNode, peer: Erl) -> None:
    assert peer.request(node.name, "{make_ref(), self()}") == "{error,notfound}"
    assert peer.request(node.name, "{rex, {make_ref(), self()}}") == "{error,notfound}"


def test_an_answer_that_is_none_is_a_line_in_the_log(node: RunningNode, peer: Erl) -> None:
    """The next answer is that to the question after it: there is none between."""
    before = node.log().count(f"{peer.name}")
    peer.eval(
        f"Foo = {{foo, '{node.name}'}}, Foo ! {{make_ref(), x}}, Foo ! {{rex, x}}, Foo ! {{api, echo, \"after\"}}"
    )
    assert peer.text("collect(1, 5000) ++ flush()") == '[{ok,"after"}]'
    wait_until(lambda: node.log().count(f"{peer.name}") >= before + 2)


def test_exit_answers_and_closes(node: RunningNode, erl: StartErl) -> None:
    leaving = erl(node)
    leaving.eval(f"net_adm:ping('{node.name}'), monitor_node('{node.name}', true), {{foo, '{node.name}'}} ! exit")
    assert leaving.text("collect(2, 5000)") == f"[ok,{{nodedown,{node.name}}}]"
    assert leaving.text(f"net_adm:ping('{node.name}')") == "pong"


def test_spawn_does_not_hang(node: RunningNode, peer: Erl) -> None:
    """It is a pid that is dead already; OTP 23 raises notsup."""
    assert peer.text(f"try is_pid(spawn('{node.name}', erlang, node, [])) catch error:notsup -> true end") == "true"
    assert peer.text(f"catch element(1, spawn_monitor('{node.name}', erlang, node, [])), flush(), done") == "done"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("gen_server:call(To, question)", "{error,undef}"),
        ("gen_statem:call(To, question)", "{error,undef}"),
        ("sys:get_state(To)", "{error,undef}"),
        ("sys:get_status(To)", "{error,undef}"),
        ("gen_server:cast(To, news)", "ok"),
    ],
)
@pytest.mark.parametrize("to", ["name", "pid"])
def test_otp_calls_do_not_hang(node: RunningNode, peer: Erl, expression: str, expected: str, to: str) -> None:
    their_pid(node, peer)
    address = f"{{foo, '{node.name}'}}" if to == "name" else "P"
    source = expression.replace("To", address)
    got = peer.text(f"try {source} catch Class:Reason -> {{Class, Reason}} end")
    assert got.startswith(expected.rstrip("}"))
    assert peer.text("flush()") == "[]"


def test_multi_call(node: RunningNode, peer: Erl) -> None:
    assert peer.text(f"gen_server:multi_call(['{node.name}'], foo, question)") == f"{{[{{{node.name},{UNDEF}}}],[]}}"


def test_io_to_the_node_is_refused(node: RunningNode, peer: Erl) -> None:
    their_pid(node, peer)
    assert peer.text('try io:format(P, "x~n", []) catch Class:Reason -> {Class, Reason} end') == "{error,badarg}"
    assert peer.text('io:request(P, {put_chars, unicode, "x"})') == "{error,enotsup}"


def test_monitors_stand(node: RunningNode, peer: Erl) -> None:
    """Of any name and of the pid: no DOWN while the node lives; demonitor works."""
    their_pid(node, peer)
    peer.eval(f"M1 = monitor(process, P), M2 = monitor(process, {{foo, '{node.name}'}})")
    assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert peer.text("flush()") == "[]"
    assert peer.text("[demonitor(M1, [info]), demonitor(M2, [info])]") == "[true,true]"


def test_links_stand_and_can_be_undone(node: RunningNode, peer: Erl) -> None:
    their_pid(node, peer)
    peer.eval("process_flag(trap_exit, true)")
    assert peer.text("link(P), lists:member(P, element(2, process_info(self(), links)))") == "true"
    assert peer.text("unlink(P), lists:member(P, element(2, process_info(self(), links)))") == "false"
    assert peer.text("link(P), unlink(P), link(P), unlink(P)") == "true"
    assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert peer.text("flush()") == "[]"


def test_a_linked_process_that_ends_leaves_the_node_well(node: RunningNode, peer: Erl) -> None:
    their_pid(node, peer)
    peer.eval("[spawn(fun() -> link(P), exit(Reason) end) || Reason <- [normal, kill, {big, lists:seq(1, 1000)}]]")
    peer.eval("exit(P, shutdown), exit(P, kill), group_leader(P, spawn(fun() -> ok end))")
    assert peer.request(node.name, "getpid") == peer.text("{ok, P}")


def test_the_link_request_links_the_nodes_pid(node: RunningNode, erl: StartErl) -> None:
    linked = erl(node)
    linked.eval(f"process_flag(trap_exit, true), {{ok, P}} = request('{node.name}', getpid)")
    linked.eval(f"{{foo, '{node.name}'}} ! link")
    assert linked.text("wait_until(fun() -> element(2, process_info(self(), links)) =:= [P] end)") == "true"
    linked.eval(f"erlang:disconnect_node('{node.name}')")
    assert linked.text("collect(1, 5000) =:= [{'EXIT', P, noconnection}]") == "true"


def test_pids_of_an_earlier_life_are_dead(node: RunningNode, peer: Erl) -> None:
    """One with another creation, and one that never was: noproc at once, and what is sent to them is lost."""
    their_pid(node, peer)
    peer.eval("Bytes = term_to_binary(P), Size = byte_size(Bytes) - 12")
    peer.eval("<<Start:Size/binary, Id:32, Serial:32, Creation:32>> = Bytes, process_flag(trap_exit, true)")
    peer.eval("Earlier = binary_to_term(<<Start/binary, Id:32, Serial:32, (Creation bxor 1):32>>)")
    peer.eval("Invented = binary_to_term(<<Start/binary, (Id + 1):32, Serial:32, Creation:32>>)")
    for dead in ("Earlier", "Invented"):
        peer.eval(f"M{dead} = monitor(process, {dead})")
        assert peer.text(f"collect(1, 5000) =:= [{{'DOWN', M{dead}, process, {dead}, noproc}}]") == "true"
        peer.eval(f"link({dead})")
        assert peer.text(f"collect(1, 5000) =:= [{{'EXIT', {dead}, noproc}}]") == "true"
        peer.eval(f"{dead} ! getpid, unlink({dead}), exit({dead}, kill)")
        assert peer.request(node.name, "getpid") == peer.text("{ok, P}")
        assert peer.text("flush()") == "[]"


def test_a_link_and_a_monitor_end_with_the_connection(node: RunningNode, erl: StartErl) -> None:
    """As when the node has gone; test_lifecycle.py stops it."""
    other = erl(node)
    other.eval(f"process_flag(trap_exit, true), {{ok, P}} = request('{node.name}', getpid), link(P)")
    other.eval(f"monitor(process, P), monitor(process, {{foo, '{node.name}'}})")
    with Client(node.port, name=other.name, to=node.name):  # takes its place
        assert other.text("lists:sort([{element(1, M), lists:last(tuple_to_list(M))} || M <- collect(3, 5000)])") == (
            "[{'DOWN',noconnection},{'DOWN',noconnection},{'EXIT',noconnection}]"
        )
