"""Events, as mod_erlang_event has them, from a real Erlang node."""

from __future__ import annotations

import re

import pytest

from mod_erlang_py import etf
from mod_erlang_py.etf import Atom, Term
from scripts.trials.client import Client
from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.handlers import Handler, subscribed
from tests.waiting import wait_until

BADARG = "{error,badarg}"
NOT_LISTENING = "{error,notlistening}"
INVALID = "'-ERR invalid syntax'"
OWN = [
    b"Event-Name",
    b"Core-UUID",
    b"FreeSWITCH-Hostname",
    b"FreeSWITCH-Switchname",
    b"FreeSWITCH-IPv4",
    b"FreeSWITCH-IPv6",
    b"Event-Date-Local",
    b"Event-Date-GMT",
    b"Event-Date-Timestamp",
    b"Event-Calling-File",
    b"Event-Calling-Function",
    b"Event-Calling-Line-Number",
    b"Event-Sequence",
]


# --- replies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "reply"),
    [
        ("register_event_handler", "ok"),
        ("{event, 'HEARTBEAT'}", "ok"),
        ("{event, heartbeat, 'Api', 'TRAP'}", "ok"),
        ("{event, 'CUSTOM'}", "ok"),
        ("{event, 'CUSTOM', 'a::b', 'c::d'}", "ok"),
        ("{event, 'ALL'}", "ok"),
        ('{event, "HEARTBEAT"}', "ok"),
        ('{event, <<"HEARTBEAT">>}', "ok"),
        ("{event, 'NO_SUCH'}", "ok"),
        ("{event, ''}", "ok"),
        ("{event}", BADARG),
        ("event", "{error,undef}"),
        ("{nixevent, 'HEARTBEAT'}", "ok"),
        ("{nixevent, 'CUSTOM', 'a::b'}", "ok"),
        ("{nixevent, 'ALL'}", "ok"),
        ("{nixevent, 'NO_SUCH', \"HEARTBEAT\"}", "ok"),
        ("{nixevent}", BADARG),
        ("{setevent, 'HEARTBEAT', 'API'}", "ok"),
        ("{setevent, 'CUSTOM', 'a::b'}", "ok"),
        ("{setevent, 'NO_SUCH'}", "ok"),
        ("{setevent, 'ALL'}", BADARG),
        ("{setevent, 'HEARTBEAT', 'ALL'}", BADARG),
        ("{setevent}", BADARG),
        ("noevents", NOT_LISTENING),
        ("{session_event, 'ALL'}", NOT_LISTENING),
        ("{session_event, 'CUSTOM', x}", NOT_LISTENING),
        ("{session_nixevent, 'API'}", NOT_LISTENING),
        ("{session_setevent, 'API'}", NOT_LISTENING),
        ("session_noevents", NOT_LISTENING),
        ("{session_event}", BADARG),
        ("{session_nixevent}", BADARG),
        ("{session_setevent}", BADARG),
        ("{filter}", BADARG),
    ],
)
def test_replies(node: RunningNode, peer: Erl, term: str, reply: str) -> None:
    assert Handler(peer, node).ask(term) == reply


def test_noevents_answers_whether_somebody_listened(node: RunningNode, peer: Erl) -> None:
    for listening in ("register_event_handler", "{event, 'API'}", "{setevent, 'API'}"):
        handler = Handler(peer, node)
        assert handler.ask("noevents") == NOT_LISTENING
        assert handler.ask(listening) == "ok"
        assert handler.ask("noevents") == "ok"
        assert handler.ask("noevents") == NOT_LISTENING
    assert handler.ask("{nixevent, 'API'}") == "ok"
    assert handler.ask("noevents") == NOT_LISTENING


@pytest.mark.parametrize(
    ("term", "log"),
    [
        ("{filter, 'Header value'}", '[{"added","Header","value"}]'),
        ("{filter, 'add Header value'}", '[{"added","Header","value"}]'),
        ("{filter, 'Header a b c'}", '[{"added","Header","a b c"}]'),
        ("{filter, 'Header +value', 'Header -value'}", '[{"added","Header","+value"},{"added","Header","-value"}]'),
        ("{filter, 'Header /^a+$/'}", '[{"added","Header","/^a+$/"}]'),
        ("{filter, 'delete Header'}", '[{"deleted","Header",[]}]'),
        ("{filter, 'delete Header value'}", '[{"deleted","Header","value"}]'),
        ("{filter, 'delete all'}", '[{"deleted","all",[]}]'),
        ("{filter, 'Header'}", f"[{INVALID}]"),
        ("{filter, ''}", f"[{INVALID}]"),
        ("{filter, delete}", f"[{INVALID}]"),
        ("{filter, 'A 1', 'Header', 'B 2'}", f'[{{"added","A","1"}},{INVALID},{{"added","B","2"}}]'),
        # these corrupt the reply of the C module, and the node is dropped
        ('{filter, "Header value"}', '[{"added","Header","value"}]'),
        ('{filter, <<"Header value">>}', '[{"added","Header","value"}]'),
        # a regular expression that is none is answered, not stored
        ("{filter, 'Header /(/'}", f"[{INVALID}]"),
        ("{filter, 'Header /open'}", f"[{INVALID}]"),
    ],
)
def test_replies_of_filter(node: RunningNode, peer: Erl, term: str, log: str) -> None:
    assert Handler(peer, node).ask(term) == f"{{filter_command_processing_log,{log}}}"


@pytest.mark.parametrize(
    ("term", "reply"),
    [
        ("{sendevent, 'TRAP', []}", "ok"),
        ('{sendevent, trap, [{"A", "b"}]}', "ok"),
        ('{sendevent, "TRAP", [{"A", "b"}]}', "ok"),
        ('{sendevent, \'CUSTOM\', py_test, [{"A", "b"}]}', "ok"),
        ('{sendevent, \'CUSTOM\', "py_test", [{<<"A">>, <<"b">>}]}', "ok"),
        ('{sendevent, \'TRAP\', [{"A", ""}]}', "ok"),
        ('{sendevent, \'TRAP\', [{"A", "b"}, {"body", "c"}]}', "ok"),
        ("{sendevent, 'NO_SUCH', []}", BADARG),
        ("{sendevent, 'ALL', []}", BADARG),
        ("{sendevent, 'TRAP'}", BADARG),
        ("{sendevent}", BADARG),
        ("{sendevent, 'CUSTOM', py_test}", BADARG),
        ("{sendevent, 'TRAP', x}", BADARG),
        ("{sendevent, 'TRAP', [x]}", BADARG),
        ("{sendevent, 'TRAP', [{\"A\"}]}", BADARG),
        ('{sendevent, \'TRAP\', [{"A", "b", "c"}]}', BADARG),
        ("{sendevent, 'TRAP', [{\"A\", 1.5}]}", BADARG),
        ("{sendevent, 'TRAP', [{12, \"a\"}]}", BADARG),
        ('{sendevent, \'TRAP\', [{"A", [1000]}, {{}, "b"}]}', BADARG),
        ("{sendevent, 'TRAP', [{\"A\", [97, 0, 98]}]}", BADARG),
        ("{sendevent, 12, []}", BADARG),
    ],
)
def test_replies_of_sendevent(node: RunningNode, peer: Erl, term: str, reply: str) -> None:
    assert Handler(peer, node).ask(term) == reply


# --- what an event looks like -------------------------------------------------------------------------------------


def test_an_event(node: RunningNode, peer: Erl) -> None:
    found = subscribed(peer, node).received('[{"A", "b"}, {"Unique-ID", "call"}, {"body", "the body"}]')
    assert [name for name, _ in found] == [b"Event-Subclass", *OWN, b"A", b"Unique-ID", b"body"]
    assert found[:2] == [(b"Event-Subclass", b"py_test"), (b"Event-Name", b"CUSTOM")]
    assert found[-3:] == [(b"A", b"b"), (b"Unique-ID", b"call"), (b"body", b"the body")]
    gmt = dict(found)[b"Event-Date-GMT"]
    assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", gmt)


def test_the_call_or_undefined_is_first(node: RunningNode, peer: Erl) -> None:
    handler = subscribed(peer, node)
    assert handler.text('Fire([{"unique-id", "call"}]), element(1, Next())') == '"call"'
    assert handler.text('Fire([{"A", "b"}]), element(1, Next())') == "undefined"


def test_event_name_is_first(node: RunningNode, peer: Erl) -> None:
    handler = Handler(peer, node, "register_event_handler", "{event, 'TRAP'}")
    assert handler.text("request(N, {sendevent, 'TRAP', []}), {_, [First | _]} = Next(), First") == (
        '{"Event-Name","TRAP"}'
    )


def test_an_api_event(node: RunningNode, peer: Erl) -> None:
    handler = Handler(peer, node, "register_event_handler", "{event, 'API'}")
    found = handler.eval('request(N, {api, echo, "hello there"}), Next()')[1]
    assert (b"API-Command", b"echo") in found
    assert (b"API-Command-Argument", b"hello there") in found


@pytest.mark.parametrize(
    ("asked", "said", "output"),
    [('{bgapi, echo, "hi"}', b"true", b"hi"), ('{bgapi, no_such, "x"}', b"false", b"no_such: Command not found!\n")],
)
def test_a_background_job(node: RunningNode, peer: Erl, asked: str, said: bytes, output: bytes) -> None:
    handler = Handler(peer, node, "register_event_handler", "{event, 'BACKGROUND_JOB'}")
    job, (uuid, found) = handler.eval(
        f"{{ok, Job}} = Ask({asked}), E = Next(),"
        " receive {bgok, Job, _} -> ok; {bgerror, Job, _} -> ok after 5000 -> exit(late) end, {Job, E}"
    )
    _, command, argument = asked.strip("{}").split(", ")
    assert uuid is None
    assert found[0] == (b"Event-Name", b"BACKGROUND_JOB")
    assert found[-5:] == [
        (b"Job-UUID", job),
        (b"Job-Command", command.encode()),
        (b"Job-Command-Arg", argument.strip('"').encode()),
        (b"Job-Successful", said),
        (b"body", output),
    ]


HEARTBEATS = """<configuration name="switch.conf"><settings>
  <param name="event-heartbeat-interval" value="1"/>
  <param name="loglevel" value="debug"/>
</settings></configuration>
"""


@pytest.mark.freeswitch
def test_a_heartbeat_of_the_switch(start_node: StartNode, erl: StartErl) -> None:
    node = start_node("freeswitch", files={"autoload_configs/switch.conf.xml": HEARTBEATS})
    handler = Handler(erl(node), node, "register_event_handler", "{event, heartbeat}")
    found = handler.eval("{_, H} = Next(), Next(), H")
    assert found[0] == (b"Event-Name", b"HEARTBEAT")
    assert found[13:15] == [(b"Event-Info", b"System Ready"), (b"Up-Time", dict(found)[b"Up-Time"])]


# --- sendevent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "with spaces and: colons",
        "%",
        "100%",
        "%41",
        "%2541",
        "%zz",
        "% 41%4",
        "%00",
        'quotes " and \\ backslashes \\" \\\\"',
        "line\nbreaks\r\nand\ttabs",
        "".join(map(chr, range(1, 32))),
        "\u00e4\u00f6",
        ':[","]}',
        "x" * 4095,
        "x" * 4096,
        "x" * 65535,
        "x" * 65536,
        "y" * 200_000,
    ],
    ids=lambda value: value[:8].encode("unicode_escape").decode() + str(len(value)),
)
def test_values_survive(node: RunningNode, peer: Erl, value: str) -> None:
    """Sent as a string and as a binary, in a header and as the body, they come back as they were."""
    data = value.encode()
    handler = subscribed(peer, node)
    peer.text(
        f"V = <<{','.join(map(str, data))}>>" if len(data) < 1000 else f"V = binary:copy(<<{data[0]}>>, {len(data)})"
    )
    found = handler.text(
        'ok = Fire([{"A", V}, {"B", binary_to_list(V)}, {<<"C">>, V}, {"body", V}]), {_, H} = Next(),'
        ' [list_to_binary(Got) =:= V || {K, Got} <- H, lists:member(K, ["A", "B", "C", "body"])]'
    )
    assert found == "[true,true,true,true]"


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ("<<255, 228>>", b"\xff\xe4"),
        ("[255, 228]", "ÿä".encode()),
        ("[228, 8364]", "ä€".encode()),
        ("'ä'", "ä".encode()),
        ('io_lib:format("~ts~b", [[8364], 7])', "€7".encode()),
        ("12", b"12"),
        ("-70000000000", b"-70000000000"),
        ("true", b"true"),
    ],
)
def test_what_a_value_may_be(node: RunningNode, peer: Erl, value: str, arrives: bytes) -> None:
    handler = subscribed(peer, node)
    assert handler.received_added(f'[{{"A", {value}}}, {{body, {value}}}]') == [(b"A", arrives), (b"body", arrives)]


def test_names_survive(node: RunningNode, peer: Erl) -> None:
    added = subscribed(peer, node).received_added(
        r'[{"with space", "1"}, {"with:colon", "2"}, {"\"quoted\\\"", "3"}, {<<195,164>>, "4"}, {"%41", "5"}]'
    )
    assert added == [
        (b"with space", b"1"),
        (b"with:colon", b"2"),
        (b'"quoted\\"', b"3"),
        ("\u00e4".encode(), b"4"),
        (b"%41", b"5"),
    ]


def test_repeated_headers_keep_their_order(node: RunningNode, peer: Erl) -> None:
    added = subscribed(peer, node).received_added('[{"A", "1"}, {"B", "2"}, {"A", "3"}, {"a", "4"}, {"A", "1"}]')
    assert added == [(b"A", b"1"), (b"B", b"2"), (b"A", b"3"), (b"a", b"4"), (b"A", b"1")]


def test_a_header_without_a_value_takes_those_of_its_name_away(node: RunningNode, peer: Erl) -> None:
    """switch_event_base_add_header, which sendevent of the C module calls too."""
    added = subscribed(peer, node).received_added('[{"A", "1"}, {"B", "2"}, {"a", ""}, {"C", ""}]')
    assert added == [(b"B", b"2")]


def test_arrays(node: RunningNode, peer: Erl) -> None:
    added = subscribed(peer, node).received_added(r'[{"A", "ARRAY::a|:b c|:\"d\""}, {"B", "ARRAY::one"}]')
    assert added[0] == (b"A", b'ARRAY::a|:b c|:"d"')
    assert added[1] in ((b"B", b"one"), (b"B", b"ARRAY::one"))


def test_an_empty_body_is_there(node: RunningNode, peer: Erl) -> None:
    assert subscribed(peer, node).received_added('[{"A", "1"}, {"body", ""}]')[-1] in ((b"body", []), (b"A", b"1"))


def test_the_last_body_counts(node: RunningNode, peer: Erl) -> None:
    assert subscribed(peer, node).received_added('[{"body", "1"}, {"A", "x"}, {"body", "2"}]') == [
        (b"A", b"x"),
        (b"body", b"2"),
    ]


@pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
def test_binary_encoding(start_node: StartNode, erl: StartErl, kind: str) -> None:
    node = start_node(kind, encoding="binary")
    handler = subscribed(erl(node), node)
    assert handler.ask("{filter, 'No-Such x', 'delete No-Such'}") == (
        '{filter_command_processing_log,[{<<"added">>,<<"No-Such">>,<<"x">>},{<<"deleted">>,<<"No-Such">>,<<>>}]}'
    )
    fired = '[{"A", "1"}, {"Unique-ID", "call"}, {"B", binary:copy(<<"x">>, 70000)}, {"C", "a%20b"}, {"body", "text"}]'
    assert handler.text(f"ok = Fire({fired}), {{U, H}} = Next(), {{U, hd(H), lists:last(H)}}") == (
        '{<<"call">>,{<<"Event-Subclass">>,<<"py_test">>},{<<"body">>,<<"text">>}}'
    )
    handler.text(f"ok = Fire({fired})")
    assert (
        handler.text(
            '{_, H} = Next(), {[proplists:get_value(K, H) || K <- [<<"A">>, <<"C">>]],'
            ' byte_size(proplists:get_value(<<"B">>, H)),'
            " lists:all(fun({K, V}) -> is_binary(K) and is_binary(V) end, H)}"
        )
        == '{[<<"1">>,<<"a%20b">>],70000,true}'
    )
    assert handler.text("Fire([]), element(1, Next())") == "undefined"
    # log lines are strings, whatever the encoding
    assert handler.ask("register_log_handler") == "ok"
    assert handler.text('request(N, {api, log, "info hello log"}), is_list(proplists:get_value(data, Log()))') == "true"


# --- which events -------------------------------------------------------------------------------------------------


def fires(handler: Handler) -> list[str]:
    """Which of these events reach the handler: the last one surely does."""
    handler.peer.text("Ask({event, 'RELOADXML'})")
    found = handler.eval(
        """
        [request(N, {sendevent, T, [{"N", atom_to_list(T)}]}) || T <- ['TRAP', 'NOTIFY', 'MESSAGE']],
        request(N, {sendevent, 'CUSTOM', 'a::b', [{"N", "a::b"}]}),
        request(N, {sendevent, 'CUSTOM', 'c::d', [{"N", "c::d"}]}),
        request(N, {sendevent, 'CUSTOM', '', [{"N", "plain"}]}),
        request(N, {sendevent, 'RELOADXML', [{"N", "last"}]}),
        (fun L() -> case Get("N", Next()) of "last" -> []; timeout -> [timeout]; none -> L(); T -> [T | L()] end end)()
        """
    )
    return [one.decode() for one in found]


@pytest.mark.parametrize(
    ("asked", "received"),
    [
        (["{event, 'TRAP'}"], ["TRAP"]),
        (["{event, trap, 'Notify'}"], ["TRAP", "NOTIFY"]),
        (['{event, "TRAP", <<"NOTIFY">>}'], ["TRAP", "NOTIFY"]),
        (["{event, 'NO_SUCH', 'TRAP'}"], ["TRAP"]),
        (["{event, 'TRAP'}", "{event, 'NOTIFY'}"], ["TRAP", "NOTIFY"]),
        (["{event, 'CUSTOM'}"], ["plain"]),
        (["{event, 'CUSTOM', 'a::b'}"], ["a::b", "plain"]),
        (["{event, 'CUSTOM', \"a::b\"}"], ["a::b", "plain"]),
        (["{event, 'TRAP', 'CUSTOM', 'a::b', 'NOTIFY'}"], ["TRAP", "a::b", "plain"]),
        (["{event, 'ALL'}"], ["TRAP", "NOTIFY", "MESSAGE", "a::b", "c::d", "plain"]),
        (["{event, 'ALL'}", "{nixevent, 'NOTIFY'}"], ["TRAP", "MESSAGE", "a::b", "c::d", "plain"]),
        (["{event, 'ALL'}", "{nixevent, 'ALL'}"], []),
        (["{event, 'TRAP', 'NOTIFY'}", "{nixevent, trap}"], ["NOTIFY"]),
        (["{event, 'CUSTOM', 'a::b', 'c::d'}", "{nixevent, 'CUSTOM', 'a::b'}"], ["c::d", "plain"]),
        (["{event, 'TRAP'}", "{setevent, 'NOTIFY'}"], ["NOTIFY"]),
        (["{event, 'ALL'}", "{setevent, 'TRAP', 'CUSTOM', 'c::d'}"], ["TRAP", "c::d", "plain"]),
        (["{event, 'TRAP'}", "noevents"], []),
        (["{event, 'TRAP'}", "noevents", "{event, 'NOTIFY'}"], ["NOTIFY"]),
    ],
    ids=str,
)
def test_subscriptions(node: RunningNode, peer: Erl, asked: list[str], received: list[str]) -> None:
    handler = Handler(peer, node, "register_event_handler", *asked)
    found = fires(handler)
    assert [one for one in found if one in ("TRAP", "NOTIFY", "MESSAGE", "a::b", "c::d", "plain")] == received


def test_a_setevent_that_is_refused_changes_nothing(node: RunningNode, peer: Erl) -> None:
    """The C module, which answers the same, has dropped everything by then."""
    handler = Handler(peer, node, "register_event_handler", "{event, 'TRAP'}")
    assert handler.ask("{setevent, 'NOTIFY', 'ALL'}") == BADARG
    assert fires(handler) == ["TRAP"]


def test_an_unknown_name_is_named_in_the_log(node: RunningNode, peer: Erl) -> None:
    handler = Handler(peer, node)
    assert handler.ask("{event, 'HARTBEAT_X', 'TRAP', \"OTHER_X\"}") == "ok"
    line = wait_until(lambda: next((one for one in node.log().splitlines() if "HARTBEAT_X" in one), ""))
    assert "WARNING" in line
    assert "OTHER_X" in line
    assert peer.name in line


def test_nothing_before_register_event_handler(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    handler = Handler(erl(node), node, "{event, 'CUSTOM', py_test}")
    assert handler.text('Fire([{"N", "1"}]), Nothing()') == "nothing"
    assert handler.ask("register_event_handler") == "ok"
    assert handler.text('Fire([{"N", "2"}]), Numbers("2")') == '["2"]'


# --- filters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "received"),
    [
        ("'H yes'", "yes YES none"),
        ("'h +YES'", "yes YES none"),
        ("'H -yes'", "no none"),
        ("'H /^y/'", "yes none"),
        ("'H /^y/i'", "yes YES none"),
        ("'H -/E/'", "yes no none"),
        ("'H /e/i', 'N -none'", "yes YES"),
        ("'H yes', 'H no'", "none"),
        ("'H -yes', 'H -no'", "none"),
        ("'H no', 'delete H'", "yes YES no none"),
        ("'H no', 'delete all'", "yes YES no none"),
        ("'H no', 'H yes', 'delete H no'", "yes YES none"),
        ('"H yes", <<"N -none">>', "yes YES"),
        ("'Event-Subclass PY_test'", "yes YES no none"),
        ("'event-subclass -py_test'", ""),
    ],
)
def test_filters(node: RunningNode, peer: Erl, filters: str, received: str) -> None:
    handler = subscribed(peer, node, "{event, 'TRAP'}")
    handler.ask(f"{{filter, {filters}}}")
    found = handler.eval(
        '[ok = Fire([{"H", V}, {"N", V}]) || V <- ["yes", "YES", "no"]], ok = Fire([{"N", "none"}]),'
        'request(N, {sendevent, \'TRAP\', [{"N", "end"}]}), lists:droplast(Numbers("end"))'
    )
    assert b" ".join(found).decode() == received


# --- who handles --------------------------------------------------------------------------------------------------


def test_two_processes_register_in_turn(node: RunningNode, peer: Erl) -> None:
    """The second takes the stream from the first, with the subscription of the node; then the first takes it back."""
    handler = subscribed(peer, node)
    found = handler.text(
        """
        Self = self(),
        Other = spawn_link(fun() ->
            {foo, N} ! register_event_handler,
            receive ok -> Self ! registered end,
            (fun L() -> receive {event, [_ | H]} -> Self ! {other, proplists:get_value("N", H)}, L() end end)()
        end),
        receive registered -> ok after 5000 -> exit(late) end,
        Fire([{"N", "1"}]),
        One = receive {other, A} -> {other, A}; {event, _} -> first after 5000 -> timeout end,
        ok = Ask(register_event_handler),
        Fire([{"N", "2"}]),
        Two = receive {other, B} -> {other, B}; {event, _} -> first after 5000 -> timeout end,
        unlink(Other), exit(Other, kill),
        Fire([{"N", "3"}]),
        Three = receive {other, C} -> {other, C}; {event, _} -> first after 5000 -> timeout end,
        {One, Two, Three}
        """
    )
    assert found == '{{other,"1"},first,first}'


def test_a_handler_that_exits_gets_nothing_more(node: RunningNode, peer: Erl) -> None:
    """Neither does the next one, before it subscribes anew."""
    handler = Handler(peer, node)
    found = handler.text(
        """
        {Pid, Monitor} = spawn_monitor(fun() ->
            {foo, N} ! register_event_handler, receive ok -> ok end,
            {foo, N} ! {event, 'CUSTOM', py_test}, receive ok -> ok end,
            {foo, N} ! {sendevent, 'CUSTOM', py_test, []},
            receive {event, _} -> ok end
        end),
        receive {'DOWN', Monitor, _, Pid, Reason} -> Reason after 5000 -> timeout end
        """
    )
    assert found == "normal"
    wait_until(lambda: handler.ask("noevents") == NOT_LISTENING)
    assert handler.ask("register_event_handler") == "ok"
    assert handler.text('Fire([{"N", "1"}]), Nothing()') == "nothing"
    assert handler.ask("{event, 'CUSTOM', py_test}") == "ok"
    assert handler.text('Fire([{"N", "2"}]), Numbers("2")') == '["2"]'


def test_a_handler_is_linked(node: RunningNode, peer: Erl) -> None:
    """So it hears of the end of the link."""
    handler = Handler(peer, node)
    linked = handler.text(
        "Ask(register_event_handler), {ok, Pid} = Ask(getpid), {links, L} = process_info(self(), links),"
        " lists:member(Pid, L)"
    )
    assert linked == "true"


def test_noevents_in_mid_stream(node: RunningNode, peer: Erl) -> None:
    """After its ok, no event comes, however many are fired."""
    handler = subscribed(peer, node)
    found = handler.text(
        """
        Firing = spawn_link(fun() -> (fun L(I) ->
            {foo, N} ! {sendevent, 'CUSTOM', py_test, [{"N", integer_to_list(I)}]},
            receive ok -> L(I + 1) end end)(1) end),
        Round = fun() ->
            [receive {event, _} -> ok after 5000 -> exit(late) end || _ <- lists:seq(1, 20)],
            {foo, N} ! noevents,
            (fun L() -> receive ok -> ok; {event, _} -> L() after 5000 -> exit(late) end end)(),
            After = receive {event, E} -> {event, E} after 30 -> nothing end,
            {foo, N} ! {event, 'CUSTOM', py_test},
            receive ok -> After after 5000 -> exit(late) end
        end,
        Found = [Round() || _ <- lists:seq(1, 10)],
        unlink(Firing), exit(Firing, kill),
        lists:usort(Found)
        """,
        timeout=30,
    )
    assert found == "[nothing]"


def test_setevent_in_mid_stream_loses_nothing(node: RunningNode, peer: Erl) -> None:
    handler = subscribed(peer, node)
    found = handler.text(
        """
        spawn_link(fun() -> [begin
            {foo, N} ! {sendevent, 'CUSTOM', py_test, [{"N", integer_to_list(I)}]},
            receive ok -> ok end end || I <- lists:seq(1, 500)] end),
        (fun L(I) ->
            {foo, N} ! case I rem 2 of
                0 -> {setevent, 'CUSTOM', py_test};
                1 -> {setevent, 'TRAP', 'CUSTOM', py_test} end,
            receive ok -> ok after 5000 -> exit(late) end,
            if I < 100 -> L(I + 1); true -> ok end end)(1),
        Numbers("500") =:= [integer_to_list(I) || I <- lists:seq(1, 500)]
        """,
        timeout=30,
    )
    assert found == "true"


# --- many, and their ends -----------------------------------------------------------------------------------------


def test_a_killed_node_delays_nobody(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    doomed = erl(node)
    subscribed(doomed, node)
    handler = subscribed(peer, node)
    assert handler.text('Fire([{"N", "1"}]), Numbers("1")') == '["1"]'
    doomed.kill9()
    assert (
        handler.text('[ok = Fire([{"N", integer_to_list(I)}]) || I <- lists:seq(2, 50)], length(Numbers("50"))') == "49"
    )
    wait_until(lambda: doomed.name not in node.api("erlang listeners"))
    again = subscribed(erl(node, name=doomed.name), node)
    assert again.text('Fire([{"N", "x"}]), Numbers("x")') == '["x"]'


def send(client: Client, term: Term) -> None:
    """Send what is answered with ok; a LINK may come before."""
    client.send(term)
    while (received := client.receive()).payload is None:
        pass
    assert received.payload == etf.encode(Atom("ok"))


def test_fifty_nodes(node: RunningNode, peer: Erl) -> None:
    """50 links get each event; then they end, and nothing of them is left."""
    handler = subscribed(peer, node)
    handler.text("Fire([]), Next()")
    threads, descriptors = node.threads(), node.descriptors()
    clients = [
        Client(node.port, name=f"client{number}@localhost", to=node.name, cookie=node.cookie) for number in range(50)
    ]
    try:
        for client in clients:
            send(client, Atom("register_event_handler"))
            send(client, (Atom("event"), Atom("CUSTOM"), Atom("py_test")))
        assert len(re.findall(r"Listener to client", node.api("erlang listeners"))) == 50
        handler.text('[ok = Fire([{"N", integer_to_list(I)}]) || I <- lists:seq(1, 20)]')
        for client in clients:
            numbers = [dict(client.answer()[1][1:])[b"N"] for _ in range(20)]
            assert numbers == [b"%d" % number for number in range(1, 21)]
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: "client" not in node.api("erlang listeners"))
    assert handler.text('Numbers("20") =:= [integer_to_list(I) || I <- lists:seq(1, 20)]') == "true"
    wait_until(lambda: node.threads() <= threads, told=lambda: (threads, node.threads()))
    wait_until(lambda: node.descriptors() <= descriptors, told=lambda: (descriptors, node.descriptors()))


def test_ten_erlang_nodes(start_node: StartNode, erl: StartErl, simulated_node: RunningNode) -> None:
    handlers = [subscribed(erl(simulated_node), simulated_node) for _ in range(10)]
    assert handlers[0].text('[ok = Fire([{"N", integer_to_list(I)}]) || I <- lists:seq(1, 50)], ok') == "ok"
    for handler in handlers:
        assert handler.text('Numbers("50") =:= [integer_to_list(I) || I <- lists:seq(1, 50)]') == "true"


# --- fs_cli -------------------------------------------------------------------------------------------------------


def listener(node: RunningNode, peer: Erl) -> str:
    return next(line for line in node.api("erlang listeners").splitlines() if f" {peer.name} " in line)


def test_erlang_listeners_counts(node: RunningNode, erl: StartErl) -> None:
    peer = erl(node)
    handler = subscribed(peer, node, "{event, 'CHANNEL_CREATE', 'CHANNEL_HANGUP_COMPLETE'}")
    assert (
        listener(node, peer)
        == f"Listener to {peer.name} with outbound sessions: 0 events: 0 (lost:0) logs: 0 (lost:0) 0/0"
    )
    handler.text("Fire([]), Fire([]), [Next(), Next()]")
    handler.text(
        'As = [{"Unique-ID", "counted"}],'
        " [request(N, {sendevent, T, As}) || T <- ['CHANNEL_CREATE', 'CHANNEL_CREATE', 'CHANNEL_HANGUP_COMPLETE']],"
        " request(N, {sendevent, 'CHANNEL_DESTROY', As}),"  # or `show channels` has it for good
        " [Next(), Next(), Next()]"
    )
    assert listener(node, peer).endswith(" events: 5 (lost:0) logs: 0 (lost:0) 2/1")
    assert handler.ask("register_log_handler") == "ok"
    assert handler.ask("{set_log_level, alert}") == "ok"
    handler.text('request(N, {api, log, "alert hello"}), Log()')
    assert re.search(r" events: 5 \(lost:0\) logs: [1-9]\d* \(lost:0\) 2/1$", listener(node, peer))


def test_erlang_handlers(node: RunningNode, erl: StartErl) -> None:
    peer = erl(node)
    handler = Handler(peer, node, "register_event_handler", "{event, 'TRAP', 'HEARTBEAT', 'CUSTOM', 'c::d', 'a::b'}")

    def shown() -> str:
        found = re.search(rf"^Listener {peer.name}:\n.*?(?=^Listener |\Z)", node.api("erlang handlers"), re.M | re.S)
        assert found
        return found.group().strip()

    rule = "-" * 32
    head = f"Listener {peer.name}:\n{rule}\n"
    assert shown() == f"{head}HEARTBEAT\nTRAP\nCUSTOM:\n\ta::b\n\tc::d"
    assert handler.ask("{setevent, 'API'}") == "ok"
    assert shown() == f"{head}API\nCUSTOM:"
    assert handler.ask("noevents") == "ok"
    assert shown() == f"{head}CUSTOM:"
    assert handler.ask("{event, 'ALL'}") == "ok"
    assert len(shown().splitlines()) > 80
    assert handler.ask("{nixevent, 'TRAP'}") == "ok"
    assert "\nTRAP\n" not in shown()
    assert "\nHEARTBEAT\n" in shown()


def test_erlang_debug_shows_every_term(node: RunningNode, erl: StartErl) -> None:
    peer = erl(node)
    handler = subscribed(peer, node)
    began = len(node.log())
    assert node.api("erlang debug on").strip() == "+OK debug on"
    try:
        handler.text('Fire([{"Shown", "in the log"}]), Next()')
        assert handler.ask("register_log_handler") == "ok"
        handler.text('request(N, {api, echo, "shown too"})')
        told = ('{"Shown","in the log"}', '{api,echo,"shown too"}', '{ok,"shown too"}', "register_log_handler")
        wait_until(lambda: all(one in node.log()[began:] for one in told))
        # a log handler at DEBUG is told of all this, but not of what it is told: it comes to rest
        settle = "(fun L(I) -> receive {log, _} -> L(I + 1) after 500 -> I end end)(0)"
        assert int(handler.text(settle)) > 0
        wait_until(lambda: int(handler.text(settle)) <= 2)
    finally:
        assert node.api("erlang debug off").strip() == "+OK debug off"
    before = len(node.log())
    handler.text('Fire([{"Shown", "no more"}]), Next()')
    assert "no more" not in node.log()[before:]
    assert node.cookie not in node.log()[began:]


# --- what is lost -------------------------------------------------------------------------------------------------

HOSTS = ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)]


@pytest.mark.parametrize("kind", HOSTS)
def test_a_stopped_reader(start_node: StartNode, erl: StartErl, kind: str) -> None:
    """SIGSTOP: what it takes is bounded, the others get theirs, the loss is counted, and reported once."""
    node = start_node(kind, outbox_bytes="16000000", net_ticktime="60")
    stopped, other = erl(node), erl(node)
    slow = subscribed(stopped, node)
    quick = subscribed(other, node, "{event, 'TRAP'}")
    slow.text("Fire([]), Next()")
    quick.text("Next()")
    stopped.suspend()
    # 3,000 events of 20 kB: 60 MB, of which 16 MB and the buffers of two sockets are kept
    fire = (
        'X = binary:copy(<<"x">>, 20000), [ok = Fire([{"N", integer_to_list(I)}, {"X", X}]) || I <- lists:seq(1, 3000)]'
    )
    assert quick.text(f'{fire}, length(Numbers("3000"))', timeout=60) == "3000"
    found = re.search(r"events: (\d+) \(lost:(\d+)\)", listener(node, stopped))
    assert found
    taken, lost = map(int, found.groups())
    assert taken + lost == 3001
    assert lost > 1500
    assert "Lost" not in node.log()
    stopped.resume()
    waits_for = "(fun L(0) -> all; L(I) -> receive {event, _} -> L(I - 1) after 9000 -> {missing, I} end end)"
    assert slow.text(f"{waits_for}({taken - 1})", 60) == "all"
    assert quick.text('Fire([{"N", "after"}]), Numbers("after")') == '["after"]'
    assert slow.text('Numbers("after")') == '["after"]'
    assert quick.text('Get("info", Next())') == f'"lost {lost} events"'
    assert quick.text("Nothing()") == "nothing"
    lines = [line for line in node.log().splitlines() if "Lost" in line]
    assert len(lines) == 1
    assert f"Lost {lost} events!" in lines[0]
    assert "CRIT" in lines[0]
    assert f"events: {taken + 1} (lost:{lost})" in listener(node, stopped)


@pytest.mark.parametrize("kind", HOSTS)
def test_a_reader_that_stays_stopped_is_disconnected(start_node: StartNode, erl: StartErl, kind: str) -> None:
    node = start_node(kind, outbox_bytes="1000000", net_ticktime="2")
    ticking = ("-kernel", "net_ticktime", "2")
    stopped, other = erl(node, arguments=ticking), erl(node, arguments=ticking)
    subscribed(stopped, node)
    quick = subscribed(other, node)
    stopped.suspend()
    fire = 'X = binary:copy(<<"x">>, 20000), [ok = Fire([{"N", "1"}, {"X", X}]) || _ <- lists:seq(1, 500)]'
    quick.text(f"{fire}, [Next() || _ <- lists:seq(1, 500)], ok")
    wait_until(lambda: stopped.name not in node.api("erlang listeners"), timeout=30)
    assert quick.text('Fire([{"N", "2"}]), Numbers("2")') == '["2"]'
