"""Nodes that come and go, ours and theirs, and what is left of it."""

from __future__ import annotations

import socket
import time
import uuid as uuids

import pytest

from scripts.trials.client import Client
from tests.conftest import FreeSwitchHost, RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import called, dial, parked, with_taker
from tests.waiting import wait_until

KINDS = pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
STOP_SECONDS = 15.0


def ping(peer: Erl, node: RunningNode) -> str:
    return peer.text(f"net_adm:ping('{node.name}')")


def test_erl_killed_and_started_again(node: RunningNode, erl: StartErl) -> None:
    """20 times: no thread and no descriptor more than after the first."""
    before: tuple[int, int] | None = None
    for _ in range(20):
        peer = erl(node, name="phoenix")
        assert ping(peer, node) == "pong"
        assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
        downs = node.log().count("node down: phoenix@localhost")
        peer.kill9()
        wait_until(lambda downs=downs: node.log().count("node down: phoenix@localhost") > downs)  # type: ignore[misc]
        if before is None:
            before = (node.threads(), node.descriptors())
    assert before is not None
    threads, descriptors = before
    wait_until(lambda: node.threads() <= threads, told=lambda: f"{node.threads()} threads, {threads} before")
    wait_until(lambda: node.descriptors() <= descriptors, told=lambda: f"{node.descriptors()} fds")
    assert node.alive


def test_a_node_comes_back_while_its_old_link_stands(node: RunningNode, erl: StartErl) -> None:
    """The machine of the old one lost its power; here it is stopped and keeps its sockets."""
    old = erl(node)
    assert ping(old, node) == "pong"
    old.suspend()
    with Client(node.port, name=old.name, to=node.name) as new:
        assert [status.value for status in new.statuses] == ["alive"]
        new.send(b"no request")
        assert new.answer()[1].value in ("undef", b"undef")
        wait_until(lambda: f"node down: {old.name}, replaced" in node.log())
        old.resume()
        assert old.text(f"wait_until(fun() -> not lists:member('{node.name}', nodes(hidden)) end)") == "true"
        assert ping(old, node) == "pong"  # and it replaces that one
        assert new.wait_closed() == b""


def test_two_nodes_at_once(node: RunningNode, erl: StartErl) -> None:
    one, two = erl(node), erl(node)
    for _ in range(5):
        for peer in (one, two):
            assert peer.request(node.name, f'{{api, echo, "{peer.name}"}}') == f'{{ok,"{peer.name}"}}'
    one.kill9()
    assert two.request(node.name, '{api, echo, "still"}') == '{ok,"still"}'


@KINDS
def test_stop_with_nodes_connected(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """The exit code is 0, in time, and who linked to or monitored the node hears of it."""
    node = start_node(kind)
    one, two = erl(node), erl(node)
    for peer in (one, two):
        peer.eval(f"process_flag(trap_exit, true), {{ok, P}} = request('{node.name}', getpid), link(P)")
        peer.eval(f"monitor(process, P), monitor(process, {{foo, '{node.name}'}}), monitor_node('{node.name}', true)")
    two.eval(f"spawn(fun() -> {{foo, '{node.name}'}} ! {{api, msleep, \"500\"}}, receive _ -> ok end end)")
    started = time.monotonic()
    assert node.stop() == 0, node.log()[-3000:]
    assert time.monotonic() - started < STOP_SECONDS
    for peer in (one, two):
        assert peer.text("lists:sort([{element(1, M), lists:last(tuple_to_list(M))} || M <- collect(4, 5000)])") == (
            f"[{{'DOWN',noconnection}},{{'DOWN',noconnection}},{{'EXIT',noconnection}},{{nodedown,{node.name}}}]"
        )
    assert "still running" not in node.log()
    assert "Traceback" not in node.log()


@KINDS
def test_a_wrong_setting_is_one_line_that_names_it(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, encoding="utf-9", listen_prot="8031")

    def told() -> list[str]:
        return [line for line in node.log().splitlines() if "[ERR]" in line and "erlang_event.conf" in line]

    wait_until(lambda: len(told()) >= 2)
    errors = told()
    assert len(errors) == 2
    assert "encoding='utf-9': expected string or binary" in errors[0] + errors[1]
    assert "listen-prot='8031': expected a setting of erlang_event.conf, perhaps listen-port" in errors[0] + errors[1]
    assert erl(node).request(node.name, '{api, echo, "x"}') == '{ok,"x"}'


@pytest.mark.freeswitch
def test_unload_and_start_again(start_node: StartNode, erl: StartErl) -> None:
    """`unload mod_erlang_py` and `pyrun erlang_py`, over and over, with a node connected."""
    node = start_node("freeswitch")
    peer = erl(node)
    assert ping(peer, node) == "pong"
    before: tuple[int, int] | None = None
    for _ in range(6):
        peer.forget()
        peer.eval(f"{{ok, Old}} = request('{node.name}', getpid), monitor_node('{node.name}', true)")
        assert "+OK" in node.api("unload mod_erlang_py")
        assert peer.text("collect(1, 5000)") == f"[{{nodedown,{node.name}}}]"
        assert "-ERR" in node.api("erlang listeners") or "not found" in node.api("erlang listeners")
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", node.port), timeout=5).close()
        node.api("pyrun erlang_py")
        assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
        assert (
            peer.text("Ref = monitor(process, Old), [{'DOWN', Ref, process, Old, R}] = collect(1, 5000), R") == "noproc"
        )
        assert peer.request(node.name, '{api, status, ""}').startswith('{ok,"UP ')
        if before is None:
            before = (node.threads(), node.descriptors())
    assert before is not None
    threads, descriptors = before
    wait_until(lambda: node.threads() <= threads, told=lambda: f"{node.threads()} threads, {threads} before")
    wait_until(lambda: node.descriptors() <= descriptors, told=lambda: f"{node.descriptors()}, {descriptors} before")
    assert "Traceback" not in node.log()


COUNT = """
import gc
def fsapi(session, stream, env, args):
    gc.collect()
    every = gc.get_objects()
    services = [one for one in every if str(type(one)) == "<class 'mod_erlang_py.service.Service'>"]
    modules = [one for one in every if type(one) is type(gc) and one.__name__ == "mod_erlang_py.service"]
    stream.write(f"{len(services)} of {len(modules)}")
"""


@pytest.mark.freeswitch
def test_nothing_is_left_of_the_nodes_before(start_node: StartNode, erl: StartErl) -> None:
    """But for the last one, into which a thread of the switch may be on its way, when somebody was served by each."""
    node = start_node("freeswitch")
    assert isinstance(node.host, FreeSwitchHost)
    script = node.host.switch.script_dir / "count_services.py"
    script.write_text(COUNT)
    peer = erl(node)
    try:
        for _ in range(5):
            assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
            messages = (
                "[register_event_handler, {event, 'ALL'}, register_log_handler, {bind, chatplan}, {bgapi, status, []}]"
            )
            peer.eval(f"process_flag(trap_exit, true), [{{foo, '{node.name}'}} ! M || M <- {messages}], ok")
            assert peer.request(node.name, "{nosuch, x}") is not None
            assert node.api("unload mod_erlang_py") == "+OK"
            node.api("pyrun erlang_py")
            peer.forget()
        assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
        assert node.api("python count_services") == "2 of 2"
    finally:
        script.unlink()


@pytest.mark.freeswitch
def test_unload_with_calls(start_node: StartNode, erl: StartErl) -> None:
    """Those in the application, those that a process is asked for, those that are just coming: all are let go, as
    on-handler-exit says. One that stays parked can be taken once the node runs again."""
    node = start_node("freeswitch", on_handler_exit="hangup USER_BUSY", handler_timeout="60")
    for _ in range(4):
        taker = with_taker(node, erl)
        taker.eval("call_tests:silent(mute), ok")
        calls = {name: str(uuids.uuid4()) for name in ("", "continue", "park", "transfer park XML default")}
        for count, (chosen, uuid) in enumerate(calls.items(), 1):
            how = f"{{origination_uuid={uuid},erlang_on_handler_exit='{chosen}'}}"
            dial(node, taker, f"taker {taker.name}", how)
            called(taker, count=count)
        asked_for = str(uuids.uuid4())
        dial(node, taker, f"mute:! {taker.name}", f"{{origination_uuid={asked_for}}}")
        wait_until(lambda taker=taker: "get_pid" in taker.text("process_info(whereis(mute), messages)"))  # type: ignore[misc]
        elsewhere = parked(node, taker)
        assert taker.request(node.name, f'{{handlecall, taker, "{elsewhere}"}}') == "ok"
        for _ in range(20):
            dial(node, taker, f"taker {taker.name}")
        assert node.api("unload mod_erlang_py") == "+OK"
        left = {calls["park"], calls["transfer park XML default"]}
        # one more for each: its other leg
        wait_until(lambda left=left: up(node) == 2 * len(left), 15, lambda: node.api("show channels"))  # type: ignore[misc]
        assert {uuid for uuid in (*calls.values(), asked_for, elsewhere) if is_up(node, uuid)} == left
        assert node.api(f"uuid_getvar {calls['transfer park XML default']} current_application") == "park"
        node.api("pyrun erlang_py")
        assert taker.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
        taker.eval("T2 = call_tests:start(again), ok")
        assert taker.request(node.name, f'{{handlecall, again, "{calls["park"]}"}}') == "ok"
        assert called(taker, "T2") == calls["park"]
        assert taker.request(node.name, f'{{nohandle, "{calls["park"]}", continue}}') == "ok"
        node.api(f"uuid_kill {calls['transfer park XML default']}")
        wait_until(lambda: up(node) == 0, 15, lambda: node.api("show channels"))
        taker.close()
    assert "Traceback" not in node.log()
    assert node.stop() == 0


@pytest.mark.freeswitch
def test_a_call_in_code_that_was_unloaded_long_ago(start_node: StartNode, erl: StartErl) -> None:
    """It comes back to that code, which is held for it, and then no more."""
    node = start_node("freeswitch", on_handler_exit="park")
    assert isinstance(node.host, FreeSwitchHost)
    (node.host.switch.script_dir / "count_services.py").write_text(COUNT)
    taker = with_taker(node, erl)
    taker.eval("process_flag(trap_exit, true), ok")
    dial(node, taker, f"taker {taker.name}")
    uuid = called(taker)

    def restart() -> None:
        assert node.api("unload mod_erlang_py") == "+OK"
        node.api("pyrun erlang_py")
        assert taker.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"

    for _ in range(4):
        restart()
    assert node.api("python count_services") == "3 of 3"
    assert is_up(node, uuid)
    taker.eval("call_tests:start(again), ok")
    assert taker.request(node.name, f'{{handlecall, again, "{uuid}"}}') == "ok"
    assert taker.request(node.name, f'{{nohandle, "{uuid}", continue}}') == "ok"
    wait_until(lambda: up(node) == 0, 15, lambda: node.api("show channels"))
    restart()
    assert node.api("python count_services") == "2 of 2"
    assert "Traceback" not in node.log()
    assert node.stop() == 0


def up(node: RunningNode) -> int:
    """How many channels are."""
    return int(node.api("show channels count").split()[0])


def is_up(node: RunningNode, uuid: str) -> bool:
    return node.api(f"uuid_exists {uuid}") == "true"


def test_starting_twice_changes_nothing(freeswitch_node: RunningNode, erl: StartErl) -> None:
    node = freeswitch_node
    peer = erl(node)
    peer.eval(f"{{ok, P}} = request('{node.name}', getpid), monitor_node('{node.name}', true)")
    threads = node.threads()
    node.api("pyrun erlang_py")
    wait_until(lambda: "already running" in node.log())
    assert peer.text(f"request('{node.name}', getpid) =:= {{ok, P}}") == "true"
    assert peer.text(f"monitor_node('{node.name}', false), flush()") == "[]"
    wait_until(lambda: node.threads() <= threads)


@pytest.mark.freeswitch
def test_a_taken_port(start_node: StartNode, erl: StartErl) -> None:
    """One ERR line that names the parameter; the switch goes on, and serves once the port is free."""
    node = start_node("freeswitch")
    assert "+OK" in node.api("unload mod_erlang_py")
    with socket.create_server(("127.0.0.1", node.port)):
        node.api("pyrun erlang_py")
        wait_until(lambda: "listen-port" in node.log())
        assert node.api("status").startswith("UP ")
        assert node.api("erlang listeners") == "No active listeners"
    peer = erl(node)
    assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end, 9000)") == "true"
    (line,) = [line for line in node.log().splitlines() if "[ERR]" in line and "listen-port" in line]
    assert f"listen-port {node.port}" in line
