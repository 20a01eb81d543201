"""`execute`: an application of a call, and what came of it."""

from __future__ import annotations

import re

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import api, gone, hang_up, parked, with_module
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

LONG = "tone_stream://%(60000,0,440)"
SHORT = "tone_stream://%(300,0,440)"

PRELUDE = """
N = '%s',
Execute = fun(UUID, App, Arg, Options) -> {any, N} ! {execute, UUID, App, Arg, Options}, ok end,
Reply = fun() -> receive {ok, _} = R -> R; {error, _} = R -> R after 10000 -> none end end,
Api = fun(Command, Args) -> request(N, {api, Command, Args}, 10000) end,
ok
"""


@pytest.fixture
def peer(node: RunningNode, erl: StartErl) -> Erl:
    peer = with_module(erl(node))
    peer.eval(PRELUDE % node.name)
    return peer


def execute(peer: Erl, uuid: str, application: str, argument: str = "", options: str = "[]") -> None:
    peer.eval(f'Execute("{uuid}", {application}, "{argument}", {options})')


def waiting(node: RunningNode) -> int:
    """How many executes are waited for."""
    found = re.search(r"executes +(\d+) waited for", node.api("erlang status"))
    assert found is not None
    return int(found[1])


def nobody_waits(node: RunningNode) -> None:
    wait_until(lambda: waiting(node) == 0, 10, lambda: waiting(node))


def test_what_came_of_it(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    execute(peer, uuid, "set", "erl_test=one two")
    peer.eval(
        "{ok, #{response := Response, variables := Variables} = Map} = Reply(), [response, variables] = maps:keys(Map)"
    )
    assert peer.text("Response") == '"_none_"'
    assert peer.text('maps:get("erl_test", Variables)') == '"one two"'
    execute(peer, uuid, "playback", "/no/such.wav")
    assert peer.text("{ok, #{response := R2}} = Reply(), R2") == '"FILE NOT FOUND"'
    hang_up(node, peer, uuid)
    nobody_waits(node)


def test_options_as_a_map_and_the_classic_event(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    execute(peer, uuid, '<<"set">>', "erl_test=1", "#{format => list, event_lock => false, timeout => 5000}")
    peer.eval("{ok, {event, [UUID | Headers]}} = Reply(), ok")
    assert peer.text("UUID") == f'"{uuid}"'
    assert peer.text('proplists:get_value("Event-Name", Headers)') == '"CHANNEL_EXECUTE_COMPLETE"'
    assert peer.text('proplists:get_value("Application-Data", Headers)') == '"erl_test=1"'
    hang_up(node, peer, uuid)


def test_a_binary_where_texts_are_binaries(start_node: StartNode, erl: StartErl) -> None:
    node = start_node("simulated", encoding="binary")
    peer = with_module(erl(node))
    peer.eval(PRELUDE % node.name)
    uuid = binary_uuid(node, peer)
    execute(peer, uuid, "set", "erl_test=1")
    assert peer.text('{ok, #{response := R, variables := V}} = Reply(), {R, maps:get(<<"erl_test">>, V)}') == (
        '{<<"_none_">>,<<"1">>}'
    )
    execute(peer, uuid, "set", "erl_test=2", "[async]")
    assert peer.text("{ok, A} = Reply(), is_binary(A)") == "true"


def binary_uuid(node: RunningNode, peer: Erl) -> str:
    give_dialplan(node)
    reply = peer.request(node.name, '{api, originate, "loopback/park/default &park()"}', 15)
    assert reply.startswith('{ok,<<"+OK '), reply
    return reply.removeprefix('{ok,<<"+OK ').removesuffix('\\n">>}')


def test_two_in_a_row(node: RunningNode, peer: Erl) -> None:
    """The second begins once the first is done."""
    uuid = parked(node, peer)
    peer.eval("Began = erlang:monotonic_time(millisecond), ok")
    execute(peer, uuid, "playback", SHORT)
    execute(peer, uuid, "set", "erl_test=2")
    assert peer.text("{ok, #{response := R1}} = Reply(), R1") == '"FILE PLAYED"'
    took = peer.text('{ok, #{response := R2, variables := V}} = Reply(), {R2, maps:get("erl_test", V)}')
    assert took == '{"_none_","2"}'
    assert peer.eval("erlang:monotonic_time(millisecond) - Began") >= 250
    hang_up(node, peer, uuid)


def test_one_inside_the_other_without_a_lock(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    execute(peer, uuid, "playback", LONG, "[{event_lock, false}]")
    execute(peer, uuid, "set", "erl_test=inside", "[{event_lock, false}]")
    assert peer.text('{ok, #{variables := V}} = Reply(), maps:get("erl_test", V)') == '"inside"'
    assert waiting(node) == 1
    hang_up(node, peer, uuid)
    assert peer.text("Reply()") == "{error,hangup}"


def test_hung_up_meanwhile(node: RunningNode, peer: Erl) -> None:
    """What runs, and what is behind it."""
    uuid = parked(node, peer)
    for _ in range(3):
        execute(peer, uuid, "playback", LONG)
    wait_until(lambda: waiting(node) == 3)
    hang_up(node, peer, uuid)
    assert peer.text("[Reply(), Reply(), Reply()]") == "[{error,hangup},{error,hangup},{error,hangup}]"
    nobody_waits(node)


def test_the_application_that_hangs_up_is_done(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    execute(peer, uuid, "hangup", "USER_BUSY")
    assert peer.text("{ok, #{response := R}} = Reply(), R") == '"_none_"'
    gone(node, peer, uuid)
    execute(peer, uuid, "set", "a=b")
    assert peer.text("Reply()") == "{error,nosession}"
    nobody_waits(node)


def test_one_that_never_ends(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    execute(peer, uuid, "playback", LONG, "[{timeout, 200}]")
    execute(peer, uuid, "set", "a=b", "[{timeout, 0}]")
    assert peer.text("[Reply(), Reply()]") == "[{error,timeout},{error,timeout}]"
    assert waiting(node) == 0
    assert api(node, peer, "uuid_exists", uuid) == '{ok,"true"}'
    hang_up(node, peer, uuid)
    assert peer.text("receive M -> M after 200 -> none end") == "none"


def test_timeouts_come_in_their_own_order(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    peer.eval(
        f"""Timed = fun(UUID, Time) -> Me = self(), spawn(fun() ->
        {{any, N}} ! {{execute, UUID, playback, "{LONG}", [{{timeout, Time}}]}},
        receive {{error, timeout}} -> Me ! {{over, Time}} end end) end, ok"""
    )
    peer.eval(f'[Timed("{uuid}", T) || T <- [700, 100, 400]], ok')
    assert peer.text("[receive {over, T} -> T after 5000 -> none end || _ <- [1, 2, 3]]") == "[100,400,700]"
    hang_up(node, peer, uuid)


def test_async(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    peer.eval(
        f'Ask = fun(R) -> {{any, N}} ! R, receive ok -> ok after 5000 -> none end end, Ask({{handlecall, "{uuid}"}})'
    )
    peer.eval("Ask({session_setevent, 'CHANNEL_EXECUTE_COMPLETE'})")
    execute(peer, uuid, "playback", SHORT, "[async]")
    peer.eval("{ok, Own} = Reply(), ok")
    assert waiting(node) == 0
    found = (
        "(fun F() -> receive {call_event, {event, [_ | H]}} ->"
        ' case proplists:get_value("Application-UUID", H) of Own -> proplists:get_value("Application", H); _ -> F() end'
        " after 5000 -> none end end)()"
    )
    assert peer.text(found) == '"playback"'
    hang_up(node, peer, uuid)


def test_the_events_of_an_attached_call_come_before_the_answer(node: RunningNode, peer: Erl) -> None:
    """And what the process has asked of its calls' events does not touch the execute."""
    uuid = parked(node, peer)
    peer.eval(
        f'Ask = fun(R) -> {{any, N}} ! R, receive ok -> ok after 5000 -> none end end, Ask({{handlecall, "{uuid}"}})'
    )
    execute(peer, uuid, "playback", SHORT)
    peer.eval("Ask({session_setevent, 'CHANNEL_EXECUTE_COMPLETE'})")
    assert peer.text(
        "receive {call, _} -> ok end, (fun F() -> receive"
        ' {call_event, {event, [_ | H]}} -> [proplists:get_value("Event-Name", H) | F()];'
        " {ok, #{response := R}} -> [R] after 5000 -> [none] end end)()"
    ).endswith('"CHANNEL_EXECUTE_COMPLETE","FILE PLAYED"]')
    assert peer.text("receive {event, _} = E -> E after 0 -> none end") == "none"
    hang_up(node, peer, uuid)
    events = (
        "(fun F() -> receive {call_event, {event, [_ | H]}} ->"
        ' [proplists:get_value("Event-Name", H) | F()]; {call_hangup, _} -> [] after 5000 -> [none] end end)()'
    )
    assert set(peer.text(events).strip("[]").split(",")) <= {'"CHANNEL_EXECUTE_COMPLETE"', ""}


FORMS = "{execute, UUID, App, Arg} or {execute, UUID, App, Arg, Options}"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ('{execute, "no-such-call", answer, ""}', "{error,nosession}"),
        ('{execute, "no-such-call", answer, "", [async]}', "{error,nosession}"),
        ('{execute, "", answer, ""}', "{error,nosession}"),
        ('{execute, "u", answer}', f'{{error,{{badarg,"execute: expected {FORMS}"}}}}'),
        ('{execute, "u", answer, "", [], []}', f'{{error,{{badarg,"execute: expected {FORMS}"}}}}'),
        ('{execute, 12, answer, ""}', '{error,{badarg,"uuid: expected a text of up to 256 bytes"}}'),
        (
            '{execute, lists:duplicate(257, $u), answer, ""}',
            '{error,{badarg,"uuid: expected a text of up to 256 bytes"}}',
        ),
        ('{execute, "u", "", ""}', '{error,{badarg,"app: expected an application\'s name"}}'),
        ('{execute, "u", {answer}, ""}', '{error,{badarg,"app: expected an application\'s name"}}'),
        ('{execute, "u", answer, 12}', '{error,{badarg,"arg: expected a text"}}'),
        ('{execute, "u", answer, [$a, 0, $b]}', '{error,{badarg,"arg: expected a text"}}'),
        (
            '{execute, "u", answer, binary:copy(<<"x">>, 1048577)}',
            '{error,{badarg,"a text: expected up to 1048576 bytes"}}',
        ),
        ('{execute, "u", answer, "", 12}', '{error,{badarg,"options: expected a map or a list"}}'),
        (
            '{execute, "u", answer, "", [{timeout, soon}]}',
            '{error,{badarg,"timeout: expected milliseconds, or infinity"}}',
        ),
        (
            '{execute, "u", answer, "", [{timeout, -1}]}',
            '{error,{badarg,"timeout: expected milliseconds, or infinity"}}',
        ),
        ('{execute, "u", answer, "", #{loops => 0}}', '{error,{badarg,"loops: expected a number from 1 on, or -1"}}'),
        ('{execute, "u", answer, "", [{async, 1}]}', '{error,{badarg,"async: expected true or false"}}'),
        ('{execute, "u", answer, "", [{format, json}]}', '{error,{badarg,"format: expected map or list"}}'),
        (
            '{execute, "u", answer, "", [lock]}',
            '{error,{badarg,"lock: expected one of event_lock, async, timeout, loops, format"}}',
        ),
        (
            '{execute, "u", answer, "", ["abc"]}',
            '{error,{badarg,"\\"abc\\": expected one of event_lock, async, timeout, loops, format"}}',
        ),
    ],
)
def test_what_is_refused(node: RunningNode, peer: Erl, request_: str, answer: str) -> None:
    assert peer.request(node.name, request_) == answer


def test_more_than_a_call_takes(node: RunningNode, peer: Erl) -> None:
    """Its queue is full: what is refused leaves nothing behind, what is taken is done."""
    uuid = parked(node, peer)
    peer.eval(
        f'Execute("{uuid}", playback, "{LONG}", []),'
        f' [Execute("{uuid}", set, "a=b", []) || _ <- lists:seq(1, 20000)], ok'
    )
    assert peer.text("Reply()", 20) == "{error,badmem}"
    hang_up(node, peer, uuid)
    count = (
        "(fun F(H, M) -> case Reply() of {error, hangup} -> F(H + 1, M); {error, _} -> F(H, M + 1);"
        " none -> {H, M} end end)(0, 1)"
    )
    hung_up, refused = peer.eval(count, 60)
    assert hung_up + refused == 20001
    assert hung_up > 100
    nobody_waits(node)


def test_a_sender_that_dies(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    peer.eval(f'D = spawn(fun() -> Execute("{uuid}", playback, "{LONG}", []), receive stop -> ok end end), ok')
    wait_until(lambda: waiting(node) == 1)
    peer.eval("exit(D, kill), ok")
    nobody_waits(node)
    assert api(node, peer, "uuid_exists", uuid) == '{ok,"true"}'
    hang_up(node, peer, uuid)


def test_a_node_that_dies(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    uuid = parked(node, peer)
    other = with_module(erl(node))
    other.eval(PRELUDE % node.name)
    for _ in range(20):
        execute(other, uuid, "playback", LONG)
    wait_until(lambda: waiting(node) == 20)
    other.kill9()
    nobody_waits(node)
    hang_up(node, peer, uuid)


def test_a_call_that_is_on_its_way_out(node: RunningNode, peer: Erl) -> None:
    """Each is answered, whichever of the two is first."""
    for _ in range(40):
        uuid = parked(node, peer)
        peer.eval(f"""Me = self(), [spawn(fun() ->
            {{any, N}} ! {{execute, "{uuid}", set, "a=b", []}}, receive R -> Me ! {{answered, R}} end end)
            || _ <- lists:seq(1, 5)], {{any, N}} ! {{bgapi, uuid_kill, "{uuid}"}}, ok""")
        answers = (
            "[receive {answered, {ok, _}} -> ok; {answered, {error, R}} -> R after 5000 -> none end"
            " || _ <- lists:seq(1, 5)]"
        )
        assert set(peer.text(answers).strip("[]").split(",")) <= {"ok", "hangup", "nosession"}
        peer.eval("flush(), ok")
    nobody_waits(node)


@pytest.mark.freeswitch
def test_loops(freeswitch_node: RunningNode, erl: StartErl) -> None:
    """The answer comes after the last."""
    node = freeswitch_node
    peer = with_module(erl(node))
    peer.eval(PRELUDE % node.name)
    uuid = parked(node, peer)
    peer.eval("Began = erlang:monotonic_time(millisecond), ok")
    execute(peer, uuid, "playback", "tone_stream://%(600,0,440)", "[{loops, 3}]")
    assert peer.text('{ok, #{response := R, variables := V}} = Reply(), {R, maps:get("current_loop", V)}') == (
        '{"FILE PLAYED","3"}'
    )
    assert peer.eval("erlang:monotonic_time(millisecond) - Began") >= 1700
    # FreeSWITCH does not repeat what lasts less than half a second
    execute(peer, uuid, "set", "a=b", "[{loops, 3}]")
    assert peer.text('{ok, #{variables := V2}} = Reply(), maps:get("current_loop", V2)') == '"1"'
    # nor what is broken off
    execute(peer, uuid, "playback", LONG, "[{loops, -1}]")
    wait_until(lambda: api(node, peer, "uuid_getvar", f"{uuid} current_application") == '{ok,"playback"}')
    assert api(node, peer, "uuid_break", uuid) == '{ok,"+OK\\n"}'
    assert peer.text("{ok, #{response := R3}} = Reply(), R3", 15) == '"FILE PLAYED"'
    nobody_waits(node)
    hang_up(node, peer, uuid)


@pytest.mark.freeswitch
def test_an_application_that_there_is_not(freeswitch_node: RunningNode, erl: StartErl) -> None:
    """FreeSWITCH hangs up."""
    node = freeswitch_node
    peer = with_module(erl(node))
    peer.eval(PRELUDE % node.name)
    uuid = parked(node, peer)
    execute(peer, uuid, "nosuch")
    assert peer.text("Reply()") == "{error,hangup}"
    nobody_waits(node)


RINGING = """
<extension name="ringing">
    <condition field="destination_number" expression="^ringing$">
      <action application="ring_ready"/>
      <action application="sleep" data="60000"/>
    </condition>
  </extension>
"""


@pytest.mark.freeswitch
def test_a_call_without_media(start_node: StartNode, erl: StartErl) -> None:
    """It is parked, but rings still."""
    node = start_node("freeswitch", files={"dialplan/default/ringing.xml": f"<include>{RINGING}</include>"})
    peer = with_module(erl(node))
    peer.eval(PRELUDE % node.name)
    peer.eval('{ok, "+OK " ++ U} = Api(originate, "{return_ring_ready=true}loopback/ringing/default &park()"), ok', 20)
    uuid = peer.text("string:trim(U)").strip('"')
    execute(peer, uuid, "set", "erl_test=1")
    assert peer.text('{ok, #{variables := V}} = Reply(), maps:get("erl_test", V)') == '"1"'
    execute(peer, uuid, "playback", SHORT, "[{timeout, 500}]")
    assert peer.text("Reply()") == "{error,timeout}"
    hang_up(node, peer, uuid)
    nobody_waits(node)
