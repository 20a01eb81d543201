"""Subscriptions of one's own, from real Erlang nodes: subscribe, unsubscribe, ack."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mod_erlang_py.etf import atom_text
from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

KINDS = ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)]
PRELUDE = """
    N = '%s',
    Reply = fun() -> receive R when R =:= ok; element(1, R) =:= ok; element(1, R) =:= error -> R
        after 5000 -> timeout end end,
    Ask = fun(T) -> {foo, N} ! T, Reply() end,
    Subscribe = fun(Events, Options) -> {ok, S} = Ask({subscribe, Events, Options}), S end,
    Fire = fun(H) -> ok = request(N, {sendevent, 'CUSTOM', own_test, H}) end,
    Number = fun(From, To) -> [Fire([{"N", integer_to_list(I)}]) || I <- lists:seq(From, To)], ok end,
    Next = fun(S) -> receive {event, S, E} -> E after 5000 -> timeout end end,
    Get = fun(K, [_ | H]) -> proplists:get_value(K, H, none); (K, #{} = M) -> maps:get(K, M, none); (_, E) -> E end,
    Numbers = fun(S, Count) -> [Get("N", Next(S)) || _ <- lists:seq(1, Count)] end,
    Own = [{'CUSTOM', own_test}],
    Until = fun(W) -> (fun L() -> case Get("N", Next(W)) of "rest" -> ok; V when V =/= timeout -> L() end end)() end,
    Rest = fun(S) -> W = Subscribe(Own, []), Fire([{"N", "rest"}]), Until(W), ok = Ask({unsubscribe, W}),
        (fun L() -> receive {event, S, E} -> [Get("N", E) | L()] after 0 -> [] end end)() end,
    ok
"""
"""In the process that evaluates:
    Ask(Term)             the reply to Term
    Subscribe(Es, Os)     the reference
    Fire(Headers)         fires a CUSTOM event own_test, from another process
    Number(From, To)      fires such events with a header N
    Next(S)               the next event of a subscription
    Get(Key, Event)       a header's value
    Numbers(S, Count)     the header N of the next events of a subscription
    Rest(S)               the same, of all that come until one that is fired now has come: N "rest", if it is among them
"""


class Subscriber:
    """The evaluating process of an Erlang node, with nothing subscribed to."""

    def __init__(self, peer: Erl, node: RunningNode) -> None:
        self.peer = peer
        self.node = node
        peer.text(PRELUDE % node.name)

    def text(self, expressions: str, timeout: float = 20.0) -> str:
        return self.peer.text(f"(fun() -> {expressions} end)()", timeout)

    def keeps(self, name: str, expressions: str) -> None:
        """Evaluate, and bind the variable."""
        self.peer.text(f"{name} = (fun() -> {expressions} end)(), ok")

    def shown(self) -> list[dict[str, Any]]:
        """Its node's, in `erlang handlers json`."""
        handlers = json.loads(self.node.api("erlang handlers json"))["handlers"]
        return next((one["subscriptions"] for one in handlers if one["node"] == self.peer.name), [])


@pytest.fixture
def own(node: RunningNode, erl: StartErl) -> Subscriber:
    give_dialplan(node)
    return Subscriber(erl(node), node)


# --- which events -------------------------------------------------------------------------------------------------


def test_an_event(own: Subscriber) -> None:
    found = own.text(
        'S = Subscribe(Own, []), Fire([{"N", "1"}, {"body", "words"}]), [U | H] = Next(S),'
        ' {is_reference(S), U, hd(H), lists:last(H), proplists:get_value("N", H)}'
    )
    assert found == '{true,undefined,{"Event-Subclass","own_test"},{"body","words"},"1"}'


@pytest.mark.parametrize(
    ("events", "gets"),
    [
        ("all", True),
        ("'ALL'", True),
        ('"all"', True),
        ("[all]", True),
        ("[{'CUSTOM', own_test}]", True),
        ("{'CUSTOM', own_test}", True),
        ('[{"custom", <<"own_test">>}]', True),
        ("['TRAP', 'CUSTOM', other, own_test]", True),  # as in `event`
        ("['TRAP', {'CUSTOM', other}, {'CUSTOM', own_test}]", True),
        ("'TRAP'", False),
        ("['CUSTOM']", False),
        ("[{'CUSTOM', other}, 'TRAP']", False),
    ],
)
def test_which_events(own: Subscriber, events: str, gets: bool) -> None:
    assert own.text(f'lists:member("rest", Rest(Subscribe({events}, [])))') == str(gets).lower()


def test_without_options(own: Subscriber) -> None:
    assert own.text("{ok, S} = Ask({subscribe, Own}), Rest(S)") == '["rest"]'


def test_by_a_call(own: Subscriber) -> None:
    """Of gen_server: the caller gets the events. By rpc, whose process ends, only another one can."""
    call = "Call = fun(T) -> gen_server:call({any, N}, T) end"
    found = own.text(
        f"{call}, {{ok, S}} = Call({{subscribe, Own, [{{ack, 1}}]}}), Number(1, 2), A = Next(S),"
        ' ok = Call({ack, S, 1}), [Get("N", A), Get("N", Next(S)), Call({unsubscribe, S}), Call({unsubscribe, S}),'
        " element(1, element(2, Call({subscribe, x, y})))]"
    )
    assert found == '["1","2",ok,{error,notfound},badarg]'
    found = own.text(
        "{ok, S} = rpc:call(N, freeswitch, subscribe, [Own, [{to, self()}]]), Number(1, 1), E = Next(S),"
        ' {Get("N", E), rpc:call(N, freeswitch, unsubscribe, [S])}'
    )
    assert found == '{"1",ok}'


def test_several_of_one_process_beside_its_handler(own: Subscriber) -> None:
    found = own.text(
        "ok = Ask(register_event_handler), ok = Ask({event, 'CUSTOM', own_test}),"
        " A = Subscribe(Own, []), B = Subscribe(Own, #{format => map}), C = Subscribe(['TRAP'], []), Number(1, 3),"
        ' H = [receive {event, [_ | _] = E} -> Get("N", E) after 5000 -> timeout end || _ <- [1, 2, 3]],'
        " [H, Numbers(A, 3), Numbers(B, 3), Rest(C)]"
    )
    assert found == '[["1","2","3"],["1","2","3"],["1","2","3"],[]]'


def test_the_answer_comes_first(own: Subscriber) -> None:
    """And nothing that is fired after it is missed."""
    found = own.text(
        "Firing = spawn(fun F() -> request(N, {sendevent, 'CUSTOM', own_test, []}), F() end),"
        " Order = [begin {foo, N} ! {subscribe, Own, Options},"
        "   Ref = receive {ok, R} -> R; {event, _, _} = Early -> Early after 5000 -> timeout end,"
        '   Fire([{"N", "mine"}]),'
        '   Mine = (fun L() -> case Get("N", Next(Ref)) of "mine" -> mine; timeout -> timeout; _ -> L() end end)(),'
        "   {foo, N} ! {unsubscribe, Ref}, Done = Reply(), flush(), {is_reference(Ref), Mine, Done}"
        " end || _ <- lists:seq(1, 50), Options <- [[], [{ack, 10000}]]],"
        " exit(Firing, kill), lists:usort(Order)",
        60,
    )
    assert found == "[{true,mine,ok}]"


# --- what they look like ------------------------------------------------------------------------------------------

FIRED = (
    '[{"N", "1"}, {"X-List", "ARRAY::a|:b c|:d"}, {"Twice", "one"}, {"twice", "low"}, {"Twice", "two"}, {"body", "b"}]'
)


def test_a_map(own: Subscriber) -> None:
    found = own.text(
        f"S = Subscribe(Own, [{{format, map}}, {{encoding, binary}}]), Fire({FIRED}), M = Next(S),"
        ' {maps:with([<<"Event-Name">>, <<"N">>, <<"X-List">>, <<"Twice">>, <<"twice">>, body], M),'
        ' is_binary(maps:get(<<"Event-Sequence">>, M))}'
    )
    assert found == (
        '{#{body => <<"b">>,<<"Event-Name">> => <<"CUSTOM">>,<<"N">> => <<"1">>,<<"Twice">> => [<<"one">>,<<"two">>],'
        '<<"X-List">> => [<<"a">>,<<"b c">>,<<"d">>],<<"twice">> => <<"low">>},true}'
    )


def test_a_map_of_strings(own: Subscriber) -> None:
    found = own.text(
        f"S = Subscribe(Own, #{{format => map, encoding => string}}), Fire({FIRED}), M = Next(S),"
        ' maps:with(["N", "X-List", "Twice", body, "body"], M)'
    )
    assert found == '#{body => "b","N" => "1","Twice" => ["one","two"],"X-List" => ["a","b c","d"]}'


def test_a_map_without_a_body(own: Subscriber) -> None:
    assert own.text("S = Subscribe(Own, #{format => map}), Fire([]), maps:is_key(body, Next(S))") == "false"


def test_a_list_of_binaries(own: Subscriber) -> None:
    found = own.text(
        'S = Subscribe(Own, [{encoding, binary}]), Fire([{"Unique-ID", "u"}]), [U | H] = Next(S), {U, hd(H)}'
    )
    assert found == '{<<"u">>,{<<"Event-Subclass">>,<<"own_test">>}}'


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ('["N"]', '[{"N","1"}]'),
        ('["n", twice]', '[{"N","1"},{"Twice","one"},{"twice","low"},{"Twice","two"}]'),
        ('["X-*"]', '[{"X-List","ARRAY::a|:b c|:d"}]'),
        ('[body, <<"n">>]', '[{"N","1"},{"body","b"}]'),
        ('["B*"]', '[{"body","b"}]'),
        ('["No-Such"]', "[]"),
    ],
)
def test_some_headers(own: Subscriber, headers: str, found: str) -> None:
    assert own.text(f"S = Subscribe(Own, [{{headers, {headers}}}]), Fire({FIRED}), Next(S)") == (
        "[undefined]" if found == "[]" else f"[undefined,{found[1:]}"
    )


def test_some_headers_in_a_map(own: Subscriber) -> None:
    found = own.text(f'S = Subscribe(Own, [{{headers, ["Event-N*", body]}}, {{format, map}}]), Fire({FIRED}), Next(S)')
    assert found == '#{body => "b","Event-Name" => "CUSTOM"}'


def test_every_event_is_a_map(own: Subscriber) -> None:
    """A map with a key twice would end the connection."""
    uuid = f"own-maps-{own.peer.name}"
    found = own.text(
        f"S = Subscribe(all, #{{format => map}}), {originate(uuid)}, {KILL.format(uuid)},"
        ' (fun L() -> M = Next(S), case {maps:get("Event-Name", M), maps:get("Unique-ID", M, none)} of'
        f' {{"CHANNEL_DESTROY", "{uuid}"}} -> ok; {{Name, _}} when is_list(Name) -> L() end end)()',
        30,
    )
    assert found == "ok"


# --- filters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tests", "passes"),
    [
        ('[{"Name", \'==\', "Jane"}]', "1"),
        ("[{name, '==', jane}]", ""),  # the value as it is
        ('[{"Name", \'/=\', "Jane"}]', "234"),
        ('[{"Name", prefix, "J"}]', "12"),
        ('[{"Name", regex, "^J.*n$"}]', "2"),
        ('[{"Name", regex, "(?i)^J"}]', "123"),
        ('[{"Name", regex, "a/b|e$"}]', "13"),
        ('[{"Name", exists, true}]', "123"),
        ('[{"Name", exists}]', "123"),
        ('[{"Name", exists, false}]', "4"),
        ('[{"Name", prefix, "J"}, {"Name", \'/=\', "Jane"}]', "2"),
        ('{"Name", \'==\', <<"Jane">>}', "1"),
        ('"Name jane"', "14"),  # as in `filter`: case does not count, nor an event without the header
        ('["Name -/^J/", {"Name", exists}]', "3"),
    ],
)
def test_filters(own: Subscriber, tests: str, passes: str) -> None:
    fired = '[Fire([{"N", I} | H]) || {I, H} <- [{"1", [{"Name", "Jane"}]}, {"2", [{"Name", "John"}]},'
    fired += ' {"3", [{"name", "jake"}]}, {"4", []}]]'
    found = own.text(f'S = Subscribe(Own, [{{filter, {tests}}}]), {fired}, Rest(S) -- ["rest"]')
    assert found == "[" + ",".join(f'"{number}"' for number in passes) + "]"


def test_a_filter_sees_what_the_event_shows(own: Subscriber) -> None:
    """The switch keeps this as %2520."""
    test = '[{"X", \'==\', "a%20b"}]'
    found = own.text(
        f'S = Subscribe(Own, [{{filter, {test}}}]), Fire([{{"X", "a%20b"}}]), [Get("X", Next(S)), Rest(S)]'
    )
    assert found == '["a%20b",[]]'


# --- where they go ------------------------------------------------------------------------------------------------

RELAY = """
    Self = self(),
    Relay = spawn(fun() -> register(relay, self()), Self ! ready,
        (fun L() -> receive stop -> ok; M -> Self ! {relayed, M}, L() end end)() end),
    receive ready -> ok end
"""
"""A process, also by the name relay, that passes on what it gets."""

RELAYED = 'receive {relayed, {event, S, E}} -> Get("N", E) after 5000 -> timeout end'


@pytest.mark.parametrize("to", ["Relay", "relay", "{relay, node()}"])
def test_to_a_process_of_the_node(own: Subscriber, to: str) -> None:
    own.peer.text(RELAY)
    own.keeps("S", f"Subscribe(Own, [{{to, {to}}}])")
    assert own.text(f'Fire([{{"N", "1"}}]), {RELAYED}') == '"1"'
    assert own.text("Rest(S)") == "[]"
    wait_until(lambda: len(own.shown()) == 1)
    own.peer.text("Relay ! stop")
    wait_until(lambda: own.shown() == [])


@pytest.mark.parametrize("to", ["{relay, node(There)}", "There"])
def test_to_a_process_of_another_node(own: Subscriber, erl: StartErl, to: str) -> None:
    """Which is not connected yet."""
    there = Subscriber(erl(own.node), own.node)
    there.peer.text(RELAY)
    own.peer.text(f"There = rpc:call('{there.peer.name}', erlang, whereis, [relay]), true = is_pid(There)")
    own.keeps("S", f"Subscribe(Own, [{{to, {to}}}])")
    assert own.text('Fire([{"N", "1"}]), Rest(S)') == "[]"
    assert there.text('receive {relayed, {event, _, E}} -> Get("N", E) after 5000 -> timeout end') == '"1"'
    assert own.shown() == []
    assert [one["to"] for one in there.shown()] == (["relay"] if "relay" in to else [there.shown()[0]["to"]])
    assert there.text("Ask({unsubscribe, all})") == "ok"  # of its own
    assert len(there.shown()) == 1
    assert own.text("Ask({unsubscribe, all})") == "ok"
    assert there.shown() == []


def test_a_target_that_is_not_there(own: Subscriber) -> None:
    assert own.text("Ask({subscribe, Own, [{to, nobody}]})") == "{error,noproc}"
    assert own.text("Ask({subscribe, Own, [{to, {nobody, nowhere@localhost}}]})") == "{error,noconnection}"
    own.keeps("Dead", "P = spawn(fun() -> ok end), M = monitor(process, P), receive {'DOWN', M, _, _, _} -> P end")
    own.text("Ask({subscribe, Own, [{to, Dead}]})")  # that it is not there is noticed a moment later
    wait_until(lambda: own.shown() == [])


# --- one call -----------------------------------------------------------------------------------------------------


def originate(uuid: str) -> str:
    return (
        f'{{ok, _}} = request(N, {{api, originate, "{{origination_uuid={uuid}}}loopback/park/default &park()"}}, 10000)'
    )


KILL = '{{ok, _}} = request(N, {{api, uuid_kill, "{}"}})'
UNTIL_OVER = (
    '(fun L() -> receive {event, S, E} -> [{hd(E), Get("Event-Name", E)} | L()]; {unsubscribed, S, Why} -> [Why]'
    " after 10000 -> [timeout] end end)()"
)


def test_a_calls_events(own: Subscriber) -> None:
    """All of them, no others; and when it is over, so is the subscription."""
    uuid = f"own-call-{own.peer.name}"
    found = own.peer.eval(
        f'(fun() -> S = Subscribe(all, [{{uuid, "{uuid}"}}, {{encoding, binary}}]), {originate(uuid)}, Fire([]),'
        f" {originate('other' + uuid)}, {KILL.format('other' + uuid)}, {KILL.format(uuid)},"
        ' (fun L() -> receive {event, S, E} -> [{hd(E), proplists:get_value(<<"Event-Name">>, tl(E))} | L()];'
        " {unsubscribed, S, Why} -> [Why] after 10000 -> [timeout] end end)() end)()",
        30,
    )
    *events, last = found
    assert atom_text(last) == "hangup"
    assert {call.value.decode() for call, _ in events} == {uuid}
    names = [name.value.decode() for _, name in events]
    assert {"CHANNEL_DESTROY", "CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_PARK", "CHANNEL_HANGUP"} <= set(names)
    assert own.shown() == []


def test_some_of_a_calls_events(own: Subscriber) -> None:
    uuid = f"own-some-{own.peer.name}"
    found = own.text(
        f"{originate(uuid)}, S = Subscribe(['CHANNEL_HANGUP', 'HEARTBEAT'], #{{uuid => <<\"{uuid}\">>}}),"
        f" {KILL.format(uuid)}, {UNTIL_OVER}",
        30,
    )
    assert found == f'[{{"{uuid}","CHANNEL_HANGUP"}},hangup]'


def test_the_session_requests_leave_it_alone(own: Subscriber) -> None:
    uuid = f"own-session-{own.peer.name}"
    found = own.text(
        f'{originate(uuid)}, S = Subscribe(all, [{{uuid, "{uuid}"}}]), {{error, notlistening}} = Ask(session_noevents),'
        f' ok = Ask({{handlecall, "{uuid}"}}), ok = Ask(session_noevents), {KILL.format(uuid)},'
        f" H = receive {{call_hangup, _}} -> over after 5000 -> timeout end, {{H, lists:last({UNTIL_OVER})}}",
        30,
    )
    assert found == "{over,hangup}"


def test_a_call_that_never_is(own: Subscriber) -> None:
    own.keeps("S", 'Subscribe(all, [{uuid, "never-was"}])')
    assert [one["uuid"] for one in own.shown()] == ["never-was"]
    assert own.text("Ask({unsubscribe, S})") == "ok"


# --- acknowledging ------------------------------------------------------------------------------------------------


def test_no_more_than_may_be_unacknowledged(own: Subscriber) -> None:
    found = own.text(
        "S = Subscribe(Own, [{ack, 3}]), Number(1, 8), A = Rest(S), {foo, N} ! {ack, S, 1}, B = Numbers(S, 1),"
        " {foo, N} ! {ack, S, 2}, C = Numbers(S, 2), {foo, N} ! {ack, S, 3}, D = Numbers(S, 3), [A, B, C, D, flush()]"
    )
    # Rest fires one more
    assert found == '[["1","2","3"],["4"],["5","6"],["7","8","rest"],[]]'


def test_acknowledging_is_not_answered(own: Subscriber) -> None:
    assert (
        own.text("S = Subscribe(Own, [{ack, 1}]), {foo, N} ! {ack, S, 1}, {foo, N} ! {ack, S, 7}, Rest(S)")
        == '["rest"]'
    )
    assert own.text(
        "{foo, N} ! {ack, make_ref(), 1}, {ok, S} = Ask({subscribe, Own}), {foo, N} ! {ack, S, 1}, Rest(S)"
    ) == ('["rest"]')
    assert own.text("flush()") == "[]"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_acknowledged_is_lost_in_the_end(start_node: StartNode, erl: StartErl, kind: str) -> None:
    """2,000 wait; further ones are counted, told of in their place, and reported once delivery resumes."""
    node = start_node(kind)
    own, other = Subscriber(erl(node), node), Subscriber(erl(node), node)
    other.text("ok = Ask(register_event_handler), Ask({event, 'TRAP'})")
    own.keeps("S", "Subscribe(Own, [{ack, 5}])")
    assert own.text("Number(1, 3000), Numbers(S, 5)", 60) == '["1","2","3","4","5"]'
    (shown,) = own.shown()
    assert shown["ack"] == {"window": 5, "unacknowledged": 5, "held": 2001, "lost": 995}
    assert "Lost" not in node.log()
    assert re.search(rf"{own.peer.name} .* events: \d+ \(lost:995\)", node.api("erlang listeners"))
    own.text("{foo, N} ! {ack, S, 5}, Numbers(S, 5)")
    # half of the room has to be free, before there is any
    assert own.text("Number(3001, 3001), {foo, N} ! {ack, S, 5}, Numbers(S, 5)") == '["11","12","13","14","15"]'
    found = own.text(
        '(fun L(Last) -> {foo, N} ! {ack, S, 5}, receive {event, S, E} -> L(Get("N", E));'
        " {lost, S, Count} -> {Last, Count} after 5000 -> {timeout, Last} end end)(none)",
        60,
    )
    assert found == '{"2005",996}'
    assert other.text('receive {event, E} -> Get("info", E) after 5000 -> timeout end') == '"lost 996 events"'
    wait_until(
        lambda: len([line for line in node.log().splitlines() if "Lost 996 events!" in line and "CRIT" in line]) == 1
    )
    assert own.text("Rest(S)") == '["rest"]'
    assert own.text("Ask({unsubscribe, S})") == "ok"


def test_a_call_is_over_once_all_is_acknowledged(own: Subscriber) -> None:
    uuid = f"own-acked-{own.peer.name}"
    own.keeps("S", f'Subscribe(all, [{{uuid, "{uuid}"}}, {{ack, 1}}])')
    own.text(f"{originate(uuid)}, {KILL.format(uuid)}", 30)
    wait_until(lambda: own.peer.request(own.node.name, f'{{api, uuid_exists, "{uuid}"}}') == '{ok,"false"}')
    assert len(own.shown()) == 1
    found = own.text(
        '(fun L() -> receive {event, S, E} -> {foo, N} ! {ack, S, 1}, [Get("Event-Name", E) | L()];'
        " {unsubscribed, S, hangup} -> [] after 10000 -> [timeout] end end)()",
        30,
    )
    assert re.fullmatch(r'\[.*"CHANNEL_CREATE",.*"CHANNEL_HANGUP_COMPLETE",.*"CHANNEL_DESTROY".*\]', found)
    assert own.shown() == []


# --- the end ------------------------------------------------------------------------------------------------------


def test_unsubscribe(own: Subscriber) -> None:
    found = own.text(
        "A = Subscribe(Own, []), B = Subscribe(Own, []), ok = Ask({unsubscribe, A}), Number(1, 1),"
        " [B1] = Numbers(B, 1), {B1, Rest(A), Ask({unsubscribe, A}), Ask({unsubscribe, make_ref()}),"
        " Ask({unsubscribe, all}), Rest(B), Rest(B), Ask({unsubscribe, B}), Ask({unsubscribe, all})}"
    )
    # B got the one that Rest(A) fired
    assert found == '{"1",[],{error,notfound},{error,notfound},ok,["rest"],[],{error,notfound},ok}'
    assert own.shown() == []


def test_nobody_is_monitored_any_more(own: Subscriber) -> None:
    own.peer.text(RELAY)
    monitors = "[length(element(2, process_info(P, monitored_by))) || P <- [self(), Relay]]"
    subscribed = "[Subscribe(Own, O) || O <- [[], [], [{to, relay}], [{to, Relay}]]]"
    assert own.text(f"Before = {monitors}, {subscribed}, {{Before, {monitors}}}") == "{[1,0],[3,2]}"  # by the evaluator
    assert own.text(f"ok = Ask({{unsubscribe, all}}), {monitors}") == "[1,0]"


def test_nothing_follows_the_answer_to_unsubscribe(own: Subscriber) -> None:
    found = own.text(
        "Firing = spawn(fun F() -> request(N, {sendevent, 'CUSTOM', own_test, []}), F() end),"
        " Late = [begin S = Subscribe(Own, Options), [_ | _] = Next(S), {foo, N} ! {unsubscribe, S},"
        "   (fun L() -> receive {event, S, _} -> L(); ok -> ok end end)(),"
        "   receive {event, S, _} -> late after 2 -> nothing end"
        " end || _ <- lists:seq(1, 30), Options <- [[], [{ack, 1000}]]],"
        " exit(Firing, kill), lists:usort(Late)",
        60,
    )
    assert found == "[nothing]"


def test_another_process_of_the_node_may_unsubscribe(own: Subscriber, erl: StartErl) -> None:
    own.keeps("S", "Subscribe(Own, [])")
    other = Subscriber(erl(own.node), own.node)
    own.peer.text(f"{{passing, '{other.peer.name}'}} ! none")
    other.peer.text("register(eval, self())")
    own.peer.text(f"{{eval, '{other.peer.name}'}} ! {{ref, S}}")
    other.keeps("S", "receive {ref, R} -> R after 5000 -> timeout end")
    assert other.text("Ask({unsubscribe, S})") == "{error,notfound}"
    assert own.text("Rest(S)") == '["rest"]'
    assert own.text("request(N, {unsubscribe, all})") == "ok"  # of that process, which has none
    assert own.text("Rest(S)") == '["rest"]'
    assert own.text("request(N, {unsubscribe, S})") == "ok"
    assert own.text("Rest(S)") == "[]"


def test_it_ends_with_its_process(own: Subscriber) -> None:
    own.text(
        "{P, M} = spawn_monitor(fun() -> [{foo, N} ! {subscribe, Own, O} || O <- [[], [{ack, 1}], [{format, map}]]],"
        " collect(3, 5000) end), receive {'DOWN', M, process, P, _} -> ok after 5000 -> timeout end"
    )
    wait_until(lambda: own.shown() == [])
    assert own.text("Rest(none)") == "[]"


def test_it_ends_with_its_node(own: Subscriber, erl: StartErl) -> None:
    there = Subscriber(erl(own.node), own.node)
    there.text('[Subscribe(Own, O) || O <- [[], [{ack, 1}], [{uuid, "never"}]]]')
    assert len(there.shown()) == 3
    there.peer.kill9()
    wait_until(lambda: there.peer.name not in own.node.api("erlang listeners"))
    again = Subscriber(erl(own.node, name=there.peer.name.partition("@")[0]), own.node)
    assert again.text("Rest(none)") == "[]"
    assert again.shown() == []


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("{subscribe, []}", "events: expected all, or a list of names of events and {'CUSTOM', Subclass}"),
        ("{subscribe, 12}", "events: expected all, or"),
        ("{subscribe, [{'CUSTOM'}]}", "events: expected all, or"),
        ("{subscribe, [{'TRAP', x}]}", "events: expected all, or"),
        ("{subscribe, ['NO_SUCH', 'TRAP']}", "events: expected names of events, which NO_SUCH is none of"),
        ("{subscribe, all, x}", "options: expected a map or a list"),
        ("{subscribe, all, [{x, y}]}", "x: expected one of filter, headers, format, encoding, to, uuid, ack"),
        ("{subscribe, all, #{12 => 1}}", "12: expected one of filter,"),
        ("{subscribe, all, [{filter, []}]}", "filter: expected 1 to 100 tests"),
        ("{subscribe, all, [{filter, lists:duplicate(101, {x, exists})}]}", "filter: expected 1 to 100 tests"),
        ('{subscribe, all, [{filter, [{"A", \'=<\', "b"}]}]}', "filter: expected {Header, Op, Value} with Op"),
        ("{subscribe, all, [{filter, [{\"A\", '=='}]}]}", "filter: expected {Header, Op, Value} with Op"),
        ('{subscribe, all, [{filter, [{"A", exists, 1}]}]}', "filter: expected {Header, Op, Value} with Op"),
        ('{subscribe, all, [{filter, [{"A", exists, perhaps}]}]}', "filter: expected {Header, Op, Value} with Op"),
        ('{subscribe, all, [{filter, [{{}, prefix, ""}]}]}', "filter: expected {Header, Op, Value} with Op"),
        ('{subscribe, all, [{filter, [{"A", regex, "("}]}]}', "filter: expected a regular expression"),
        ('{subscribe, all, [{filter, "A"}]}', "filter: expected {Header, Op, Value} with Op"),
        ('{subscribe, all, [{filter, "delete all"}]}', "filter: expected {Header, Op, Value} with Op"),
        (
            "{subscribe, all, [{headers, []}]}",
            "headers: expected a list of 1 to 1000 names, or prefixes with * behind",
        ),
        ("{subscribe, all, [{headers, [1.5]}]}", "headers: expected a list"),
        ("{subscribe, all, [{format, json}]}", "format: expected list or map"),
        ("{subscribe, all, [{encoding, utf8}]}", "encoding: expected string or binary"),
        ("{subscribe, all, [{to, 12}]}", "to: expected a pid, a registered name, or {Name, Node}"),
        ('{subscribe, all, [{uuid, ""}]}', "uuid: expected a text of 1 to 256 bytes"),
        ("{subscribe, all, [{uuid, {}}]}", "uuid: expected a text of 1 to 256 bytes"),
        ("{subscribe, all, [{uuid, lists:duplicate(257, $u)}]}", "uuid: expected a text of 1 to 256 bytes"),
        ("{subscribe, all, [{ack, 0}]}", "ack: expected a number from 1 to 10000"),
        ("{subscribe, all, [{ack, 10001}]}", "ack: expected a number from 1 to 10000"),
        ("{subscribe, all, [ack]}", "ack: expected a number from 1 to 10000"),
        ("{unsubscribe, x}", "unsubscribe: expected what subscribe returned, or all"),
        ("{ack, x, 1}", "ack: expected what subscribe returned, and a number"),
        ("{ack, make_ref(), 0}", "ack: expected a number from 1 on"),
        ("{subscribe}", "subscribe: expected {subscribe, Events} or {subscribe, Events, Options}"),
        ("{subscribe, all, [], []}", "subscribe: expected {subscribe, Events} or {subscribe, Events, Options}"),
        ("{unsubscribe}", "unsubscribe: expected {unsubscribe, SubRef} or {unsubscribe, all}"),
        ("{ack, make_ref()}", "ack: expected {ack, SubRef, N}"),
    ],
)
def test_what_is_refused(own: Subscriber, term: str, said: str) -> None:
    found = own.text(f"Ask({term})")
    assert found.startswith(f'{{error,{{badarg,"{said}'), found
    assert own.shown() == []


# --- fs_cli, settings ---------------------------------------------------------------------------------------------


def test_erlang_handlers(own: Subscriber) -> None:
    own.text(
        "ok = Ask({event, 'TRAP'}), Subscribe(['HEARTBEAT', {'CUSTOM', own_test}], [{ack, 7}, {uuid, \"u\"},"
        ' {headers, ["Event-*"]}, {filter, [{"A", prefix, "b"}, "C d"]}, {format, map}, {encoding, binary}]),'
        " Subscribe(all, [])"
    )
    one, two = own.shown()
    assert re.fullmatch(r"#Ref<[^>]+>", one.pop("reference"))
    assert one.pop("owner") == one.pop("to") == two["to"]
    assert one == {
        "events": ["HEARTBEAT"],
        "subclasses": ["own_test"],
        "uuid": "u",
        "filter": ["A prefix b", "C d"],
        "headers": ["Event-*"],
        "format": "map",
        "encoding": "binary",
        "ack": {"window": 7, "unacknowledged": 0, "held": 0, "lost": 0},
    }
    text = own.node.api("erlang handlers")
    lines = text[text.index(f"Listener {own.peer.name}:") :].splitlines()[:7]
    pid = re.escape(two["to"])
    assert lines[2:5] == ["TRAP", "CUSTOM:", "SUBSCRIPTIONS:"]
    assert re.fullmatch(
        rf"\t#Ref<[^>]+> to {pid} HEARTBEAT own_test uuid u ack 7: 0 unacknowledged, 0 held, 0 lost", lines[5]
    )
    assert re.fullmatch(rf"\t#Ref<[^>]+> to {pid} ALL", lines[6])


def test_the_setting_encoding(start_node: StartNode, erl: StartErl) -> None:
    node = start_node("simulated", encoding="binary")
    own = Subscriber(erl(node), node)
    own.keeps("M", "S = Subscribe(Own, #{format => map}), Fire([]), Next(S)")
    assert own.text('maps:get(<<"Event-Name">>, M)') == '<<"CUSTOM">>'
    assert own.text("{error, {badarg, Said}} = Ask({subscribe, 1}), is_binary(Said)") == "true"


# --- many ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_on_ten_nodes(start_node: StartNode, erl: StartErl, kind: str) -> None:
    """Every one gets every event, in order; and when their processes end, nothing is left."""
    node = start_node(kind)
    nodes = [Subscriber(erl(node), node) for _ in range(10)]
    assert [own.text("element(1, Ask(getpid))") for own in nodes] == ["ok"] * 10
    threads = node.threads()
    options = '[[], [{format, map}], [{headers, ["N"]}], [{filter, [{"N", exists}]}], [{ack, 5}]]'
    for own in nodes:  # a process for each five
        own.peer.text(
            "Self = self(), Count = fun L(S, Acks, Last) -> receive {event, S, E} ->"
            " case Acks of true -> {foo, N} ! {ack, S, 1}; false -> ok end,"
            ' case list_to_integer(Get("N", E)) of 40 -> Last + 1 =:= 40; I when I =:= Last + 1 -> L(S, Acks, I) end'
            " after 20000 -> {timeout, Last} end end,"
            f" Pids = [spawn(fun() -> Refs = [{{Subscribe(Own, O), O =:= [{{ack, 5}}]}} || O <- {options}],"
            " Self ! ready, Self ! {done, [Count(S, Acks, 0) || {S, Acks} <- Refs]}, receive stop -> ok end end)"
            " || _ <- lists:seq(1, 20)],"
            " [receive ready -> ok after 20000 -> error(timeout) end || _ <- Pids], ok",
            30,
        )
    shown = json.loads(node.api("erlang handlers json"))["handlers"]
    assert [len(one["subscriptions"]) for one in shown if one["node"].startswith("test")] == [100] * 10
    nodes[0].text("Number(1, 40)", 60)
    for own in nodes:
        all_ = "lists:append([receive {done, All} -> All after 30000 -> [timeout] end || _ <- Pids])"
        found = own.text(f"lists:usort({all_})", 60)
        assert found == "[true]"
    for own in nodes[:5]:
        own.text("[P ! stop || P <- Pids]")
    wait_until(lambda: not any(own.shown() for own in nodes[:5]), 10)
    for own in nodes[5:]:
        own.peer.close()
    wait_until(lambda: all(own.peer.name not in node.api("erlang listeners") for own in nodes[5:]), 10)
    last = nodes[0]
    assert last.text("Rest(none)") == "[]"
    assert last.shown() == []
    wait_until(lambda: node.threads() <= threads, 10)  # five readers less; writers may have come
    assert "Traceback" not in node.log()
    assert " (lost:0)" in node.api("erlang listeners")
