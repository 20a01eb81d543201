"""What once broke in a real switch, with the real thing: a node that dies at the wrong moment, an event that somebody
forges, two processes that want one call."""

from __future__ import annotations

import contextlib
import socket
import uuid as uuids
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from scripts.epmd import Epmd
from scripts.trials.limits import NoLimit, without_threads
from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import (
    KINDS,
    api,
    called,
    dial,
    exists,
    gone,
    hang_up,
    kinds,
    parked,
    with_module,
    with_taker,
)
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

FORGED = [
    '{"Event-Sequence", ""}, {"Event-Sequence", "boom"}',
    '{"Event-Sequence[1]", "abc"}',
    '{"event-sequence", ""}, {"Event-Sequence", [255, 254]}',
    '{"Unique-ID", ""}, {"Unique-ID[1]", "x"}',
    '{"Event-Name", ""}, {"Event-Name", "nonsense"}',
    '{"Event-Subclass", ""}, {"Event-Subclass", "another"}',
]


@pytest.mark.parametrize("headers", FORGED)
def test_an_event_that_somebody_forged(node: RunningNode, erl: StartErl, headers: str) -> None:
    """For a call that a process has: events go on, and the call's end is told."""
    taker = with_taker(node, erl)
    uuid = parked(node, taker)
    assert taker.request(node.name, f'{{handlecall, taker, "{uuid}"}}') == "ok"
    assert called(taker) == uuid
    forged = f'[{headers}, {{"Unique-ID", "{uuid}"}}]'
    assert taker.request(node.name, f"{{sendevent, 'CUSTOM', \"x::y\", {forged}}}") == "ok"
    other = erl(node)
    other.eval(f"[{{foo, '{node.name}'}} ! M || M <- [register_event_handler, {{event, 'TRAP'}}]], collect(2, 5000)")
    assert taker.request(node.name, '{sendevent, \'TRAP\', [{"info", "after"}]}') == "ok"
    assert other.text('receive {event, [_ | H]} -> proplists:get_value("info", H) after 5000 -> none end') == '"after"'
    hang_up(node, taker, uuid)
    assert taker.text("call_tests:wait(T, call_hangup, 1)") == f'"{uuid}"'
    assert "could not be handed out" not in node.log()


def test_an_end_that_somebody_forged(node: RunningNode, erl: StartErl) -> None:
    """The call's process hears of the event, as of any about its call; what is attached, waited for and subscribed to
    stays so, until the switch itself has ended the call."""
    taker, forger = with_taker(node, erl), erl(node)
    uuid = parked(node, taker)
    assert taker.request(node.name, f'{{handlecall, taker, "{uuid}"}}') == "ok"
    assert called(taker) == uuid
    taker.eval(
        f"Ask = fun(T) -> {{foo, '{node.name}'}} ! T, receive R -> R after 5000 -> none end end, Me = self(),"
        f" {{ok, _}} = Ask({{subscribe, 'CHANNEL_DESTROY', #{{uuid => \"{uuid}\"}}}}),"
        f' spawn(fun() -> Me ! {{told, Ask({{execute, "{uuid}", playback, "tone_stream://%(60000,0,440)"}})}} end), ok'
    )
    heard = 'receive {event, _, [_ | H]} -> proplists:get_value("Event-Name", H) after 5000 -> none end'
    listener = f"(fun() -> {heard} end)()"
    for name in ("CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"):
        assert forger.request(node.name, f'{{sendevent, \'{name}\', [{{"Unique-ID", "{uuid}"}}]}}') == "ok"
    assert taker.text(listener) == '"CHANNEL_DESTROY"'
    assert kinds(taker)[-3:] == ["CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"]
    assert exists(node, forger, uuid)
    assert taker.text("receive M -> M after 0 -> nothing end") == "nothing"
    hang_up(node, forger, uuid)
    assert taker.text("call_tests:wait(T, call_hangup, 1)") == f'"{uuid}"'
    assert taker.text("receive {told, Told} -> Told after 5000 -> none end") == "{error,hangup}"
    assert taker.text(listener) == '"CHANNEL_DESTROY"'
    assert taker.text("receive {unsubscribed, _, Why} -> Why after 5000 -> none end") == "hangup"


@pytest.mark.parametrize("kind", KINDS)
def test_another_process_takes_a_call_that_the_dialplan_asks_for(
    kind: str, start_node: StartNode, erl: StartErl
) -> None:
    """The search ends at once; the call stays with whoever has it, also when the time for the answer is over."""
    node = start_node(kind, handler_timeout="1")
    taker = with_taker(node, erl)
    taker.eval("call_tests:silent(mute), ok")
    dial(node, taker, f"mute:! {taker.name}")
    wait_until(lambda: "get_pid" in taker.text("process_info(whereis(mute), messages)"), 10)
    taker.eval("{messages, [{get_pid, U, Ref, Switch}]} = process_info(whereis(mute), messages), ok")
    uuid = taker.text("U").strip('"')
    assert taker.request(node.name, f'{{handlecall, taker, "{uuid}"}}') == "ok"
    assert called(taker) == uuid
    wait_until(lambda: f"{uuid}: erlang: another process took it" in node.log(), 10, node.log)
    assert (
        taker.text("Switch ! {Ref, self()}, receive {error, _} = E -> E after 5000 -> none end") == "{error,notfound}"
    )
    late = "timer:sleep(1200), call_tests:kinds(T)"  # the time that the process had is over
    assert "call_hangup" not in taker.text(late)
    assert exists(node, taker, uuid)
    assert "DESTINATION_OUT_OF_ORDER" not in node.log()
    hang_up(node, taker, uuid)
    assert taker.text("call_tests:wait(T, call_hangup, 1)") == f'"{uuid}"'


DOOMED = {
    "taker:!": "call_tests:halting(taker)",
    "call_tests:fatal": "call_tests:silent(doomed)",
    "taker": "call_tests:silent(taker)",
}
"""The process that the doomed node has, by the form in which it is asked."""


@pytest.mark.parametrize("form", list(DOOMED))
@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_dies_when_it_is_asked(kind: str, form: str, start_node: StartNode, erl: StartErl) -> None:
    """The next node is asked at once, not after the time that the first one had."""
    node = start_node(kind, handler_timeout="60")
    taker, doomed = with_taker(node, erl), with_module(erl(node))
    doomed.eval(f"{DOOMED[form]}, pong = net_adm:ping('{node.name}'), ok")
    if form == "taker":
        doomed.suspend()  # a name is asked for with a ping, which the runtime would answer
        api(node, taker, "erlang", "debug on")
    dial(node, taker, f"{form} {doomed.name}|{taker.name}")
    if form == "taker":
        wait_until(lambda: f"to {doomed.name}, net_kernel: " in node.log(), 10, node.log)
        doomed.kill9()
    uuid = called(taker)
    assert exists(node, taker, uuid)
    told = f"no connection to {doomed.name}: it went down when it was asked"
    wait_until(lambda: told in node.log(), told=node.log)
    hang_up(node, taker, uuid)


@pytest.mark.parametrize("kind", KINDS)
def test_the_only_node_dies_when_it_is_asked(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """As when it could not be reached: the dialplan goes on, nobody hangs the call up for want of an answer."""
    node = start_node(kind, handler_timeout="60")
    give_dialplan(node)
    listener, dying = erl(node), with_module(erl(node))
    listener.eval(
        f"[{{foo, '{node.name}'}} ! M || M <- [register_event_handler, {{event, 'CHANNEL_HANGUP'}}]], collect(2, 5000)"
    )
    dying.eval(f"call_tests:halting(halting), pong = net_adm:ping('{node.name}'), ok")
    dial(node, listener, f"halting:! {dying.name}", "{erl_test=mine}")
    cause = (
        '(fun F() -> receive {event, [_ | H]} -> case proplists:get_value("variable_erl_test", H) of'
        ' "mine" -> proplists:get_value("Hangup-Cause", H); _ -> F() end after 10000 -> none end end)()'
    )
    assert listener.text(cause, timeout=15) == '"NORMAL_CLEARING"'


@pytest.mark.parametrize(
    "reason",
    [
        "lists:foldl(fun(_, Inner) -> [Inner] end, x, lists:seq(1, 100))",
        "lists:seq(1000, 1101000)",
        "lists:seq(1000, 901000)",
        "1 bsl 20000",
        "#{#{a => 1} => 2}",
    ],
)
def test_a_handler_that_ends_with_a_big_reason(node: RunningNode, erl: StartErl, reason: str) -> None:
    """A reason that nobody reads is one, too: its calls are let go, and its node keeps its link. One that is read is
    not shown anew, all of it, for each call."""
    taker = with_taker(node, erl)
    other = erl(node)
    assert other.text(f"net_adm:ping('{node.name}')") == "pong"
    uuids_of_calls = []
    for count in range(1, 21):
        dial(node, taker, f"{'taker' if count % 2 else 'taker:!'} {taker.name}")
        uuids_of_calls.append(called(taker, count=count))
    taker.eval(f"monitor_node('{node.name}', true), call_tests:stop(T, {reason}), ok")
    for uuid in uuids_of_calls:
        gone(node, taker, uuid)
    told = [f"{uuid}: its handler is gone: " for uuid in uuids_of_calls]
    wait_until(lambda: all(line in node.log() for line in told), told=node.log)
    assert taker.text("receive {nodedown, _} = Down -> Down after 0 -> up end") == "up"
    assert other.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_when_somebody_means_ill(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """What he chose does not look like a line of ours, is cut, and is not there a thousand times."""
    node = start_node(kind)
    peer = erl(node)
    forged = "x\\n2026-01-01 00:00:00 [CRIT] forged"
    assert peer.request(node.name, f"{{event, '{forged}'}}") == "ok"
    assert peer.request(node.name, "{event, list_to_atom(lists:duplicate(255, $y))}") == "ok"
    wait_until(lambda: "no such event" in node.log(), 10, node.log)
    assert "forged" in node.log()
    assert not [line for line in node.log().splitlines() if "forged" in line and "no such event" not in line]
    before = len(node.log())
    for _ in range(400):
        with socket.create_connection(("127.0.0.1", node.port), timeout=10) as stranger:
            stranger.sendall(b"\0\2n\0")
            assert stranger.recv(100) == b""
    wait_until(lambda: "further lines about 127.0.0.1 are left out" in node.log(), 10, node.log)
    assert node.log().count("connection from 127.0.0.1:") == 100
    assert len(node.log()) - before < 50_000 + 1000 * 100
    assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'


@contextlib.contextmanager
def limited(limit: AbstractContextManager[None]) -> Iterator[None]:
    """As the limit, where this machine can do it; else the test is skipped."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(limit)
        except NoLimit as error:
            pytest.skip(str(error))
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_a_moment_without_threads(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """What needs a thread then is refused, and said so; all else goes on, and all does once there are threads."""
    node = start_node(kind)
    peer, deaf, dialled = erl(node), erl(node), erl(node)
    listen = "[{foo, '%s'} ! M || M <- [register_event_handler, {event, 'CUSTOM', 'x::y'}]], collect(2, 5000)"
    deaf.eval("process_flag(trap_exit, true), ok")
    for one in (peer, deaf):
        assert one.text(listen % node.name) == "[ok,ok]"
    big = '{sendevent, \'CUSTOM\', "x::y", [{"big", lists:duplicate(100000, $x)}]}'
    job = "{ok, J} -> receive {bgok, J, _} -> done after 9000 -> never end; R -> R"
    bgapi = f"{{foo, '{node.name}'}} ! {{bgapi, status, \"\"}}, receive {job} after 5000 -> nothing end"
    heard = "(fun F(N, T) -> receive {event, _} -> F(N + 1, 300); ok -> F(N, T) after T -> N end end)(0, 9000)"
    connect = f'{{api, erlang, "connect {dialled.name}"}}'
    deaf.suspend()
    try:
        with limited(without_threads(node.pid)):
            each = f"begin {{foo, '{node.name}'}} ! {big}, receive {{event, _}} -> ok after 9000 -> lost end end"
            assert peer.text(f"lists:usort([{each} || _ <- lists:seq(1, 300)])", 30) == "[ok]"  # more than sockets take
            wait_until(lambda: f"node down: {deaf.name}" in node.log(), 10, node.log)
            peer.eval("flush(), ok")  # the answers
            assert peer.text(bgapi) == "{error,system_limit}"
            assert "can't start new thread" in peer.request(node.name, connect)
    finally:
        deaf.resume()
    assert peer.text(bgapi) == "done"
    assert "+OK" in peer.request(node.name, connect)
    assert deaf.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
    deaf.forget()
    assert deaf.text(listen % node.name) == "[ok,ok]"
    peer.eval(f"{{foo, '{node.name}'}} ! {big}, ok")
    assert (peer.text(heard), deaf.text(heard)) == ("1", "1")
    assert "Traceback" not in node.log()


@pytest.mark.parametrize("form", ["NAME", "NAME:!", "NAME:function", "module:NAME", "mÖdule:NAME"])
def test_a_name_that_is_too_long(node: RunningNode, erl: StartErl, form: str) -> None:
    """A caller may have chosen it. The dialplan goes on, and the call ends as any other."""
    taker = with_taker(node, erl)
    uuid = str(uuids.uuid4())
    before = node.log().count("at most 255 characters")
    dial(node, taker, f"{form.replace('NAME', 'x' * 256)} {taker.name}", f"{{origination_uuid={uuid}}}")
    wait_until(lambda: node.log().count("at most 255 characters") == before + 1, 10, node.log)
    gone(node, taker, uuid)


@pytest.mark.parametrize("kind", KINDS)
def test_two_nodes_of_ours_do_not_answer_each_other_for_ever(
    kind: str, start_node: StartNode, epmd: Epmd, erl: StartErl
) -> None:
    """One sends a message that the other does not know; its error is not answered."""
    one, two = start_node(kind, epmd=epmd), start_node("simulated", epmd=epmd, nodename="second")
    peer = erl(one)
    give_dialplan(one)
    peer.request(one.name, f"{{api, originate, \"loopback/park/default '&erlang_sendmsg(foo {two.name} hello)'\"}}", 15)
    wait_until(lambda: f"node up: {two.name}" in one.log(), 10, one.log)
    before = _requests(peer, two)
    for _ in range(20):
        assert peer.request(two.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert _requests(peer, two) - before < 60


def _requests(peer: Erl, node: RunningNode) -> int:
    """How many the node has had."""
    reply = peer.request(node.name, '{api, erlang, "status"}')
    lines = dict(line.split(None, 1) for line in reply.split("\\n") if line.startswith("requests"))
    return int(lines["requests"])
