"""Calls that the switch hands to Erlang processes (as mod_erlang_event does), and what becomes of lost ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

_MODULE = Path(__file__).with_name("call_tests.erl")
KINDS = ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)]


@pytest.fixture
def taker(node: RunningNode, erl: StartErl) -> Erl:
    """An Erlang node with a process `taker` that takes calls."""
    return with_taker(node, erl)


def with_taker(node: RunningNode, erl: StartErl) -> Erl:
    give_dialplan(node)
    peer = with_module(erl(node))
    peer.eval("T = call_tests:start(taker), ok")
    return peer


def with_module(peer: Erl) -> Erl:
    peer.eval(
        f'{{ok, Module, Code}} = compile:file("{_MODULE}", [binary]),'
        ' {module, Module} = code:load_binary(Module, "call_tests.erl", Code), ok'
    )
    return peer


def dial(node: RunningNode, peer: Erl, target: str, variables: str = "") -> None:
    """Have a call handed to a target, "TARGET NODE"; it is answered, as its other leg is."""
    peer.eval(
        f"{{foo, '{node.name}'}} ! {{bgapi, originate, \"{variables}loopback/park/default '&erlang({target})'\"}}, ok"
    )


def api(node: RunningNode, peer: Erl, command: str, arguments: str) -> str:
    return peer.request(node.name, f'{{api, {command}, "{arguments}"}}')


def exists(node: RunningNode, peer: Erl, uuid: str) -> bool:
    return api(node, peer, "uuid_exists", uuid) == '{ok,"true"}'


def called(peer: Erl, process: str = "T", count: int = 1) -> str:
    """The UUID of the call that the process has been given."""
    return peer.text(f"call_tests:wait({process}, call, {count})").strip('"')


def kinds(peer: Erl, process: str = "T") -> list[str]:
    return peer.text(f"call_tests:kinds({process})").strip("[]").replace("'", "").split(",")


def hang_up(node: RunningNode, peer: Erl, uuid: str) -> None:
    assert api(node, peer, "uuid_kill", uuid).startswith('{ok,"+OK')


def gone(node: RunningNode, peer: Erl, uuid: str) -> None:
    wait_until(lambda: not exists(node, peer, uuid), 10, lambda: f"{uuid} is still there")


# --- the three forms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["taker", "taker:!", "call_tests:launch", "call_tests:by_itself"])
def test_a_call_from_its_beginning_to_its_end(node: RunningNode, taker: Erl, form: str) -> None:
    dial(node, taker, f"{form} {taker.name}")
    uuid = called(taker)
    assert exists(node, taker, uuid)
    hang_up(node, taker, uuid)
    assert taker.text("call_tests:wait(T, call_hangup, 1)").strip('"') == uuid
    seen = [kind for kind in kinds(taker) if kind != "get_pid"]
    assert seen[0] == "call"
    assert seen[-1] == "call_hangup"
    assert seen.count("call") == seen.count("call_hangup") == 1
    order = ["CHANNEL_PARK", "CHANNEL_HANGUP", "CHANNEL_UNPARK", "CHANNEL_HANGUP_COMPLETE"]
    assert [kind for kind in seen if kind in order] == order
    gone(node, taker, uuid)


def test_what_a_call_begins_with(node: RunningNode, taker: Erl) -> None:
    dial(node, taker, f"taker {taker.name}", "{erl_test=yes}")
    uuid = called(taker)
    taker.eval("[{call, {event, [_ | H]}} | _] = call_tests:messages(T), ok")
    assert taker.text("hd(H)") == '{"Event-Name","CHANNEL_DATA"}'
    assert taker.text("lists:nthtail(length(H) - 2, H)") == (
        '[{"Content-Type","command/reply"},{"Reply-Text","+OK\\n"}]'
    )
    assert taker.text('proplists:get_value("Unique-ID", H)') == f'"{uuid}"'
    assert taker.text('proplists:get_value("variable_erl_test", H)') == '"yes"'
    hang_up(node, taker, uuid)


def test_the_process_may_live_on_another_node(node: RunningNode, taker: Erl, erl: StartErl) -> None:
    other = with_module(erl(node))
    other.eval("T = call_tests:start(elsewhere), ok")
    taker.eval(f"pong = net_adm:ping('{other.name}'), Far = rpc:call('{other.name}', erlang, whereis, [elsewhere]), ok")
    taker.eval("D = call_tests:answering(desk, Far), ok")
    dial(node, taker, f"desk:! {taker.name}")
    uuid = called(other)
    hang_up(node, taker, uuid)
    assert other.text("call_tests:wait(T, call_hangup, 1)").strip('"') == uuid
    assert kinds(taker, "D") == ["get_pid"]


@pytest.mark.parametrize("first", ["nobody@localhost", "its own node, where it is not registered"])
def test_the_next_node_is_tried(node: RunningNode, taker: Erl, erl: StartErl, first: str) -> None:
    if first != "nobody@localhost":
        first = erl(node).name
    dial(node, taker, f"taker {first}|{taker.name}")
    hang_up(node, taker, called(taker))


def test_many_calls_at_once(node: RunningNode, taker: Erl) -> None:
    for _ in range(20):
        dial(node, taker, f"taker:! {taker.name}")
    for count in range(1, 21):
        hang_up(node, taker, called(taker, count=count))
    taker.eval("call_tests:wait(T, call_hangup, 20)")
    seen = kinds(taker)
    assert seen.count("call") == seen.count("call_hangup") == 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_that_does_not_answer(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, handler_timeout="1")
    give_dialplan(node)
    peer = with_module(erl(node))
    peer.eval("S = call_tests:silent(taker), ok")
    dial(node, peer, f"taker:! {peer.name}")
    wait_until(lambda: "no answer within 1 s" in node.log(), 10, node.log)
    answer = "receive {bgerror, _, Text} -> Text; {bgok, _, Text} -> Text after 10000 -> none end"
    assert peer.text(f"receive {{ok, _}} -> ok end, {answer}").startswith('"')
    wait_until(lambda: "\\n0 total" in api(node, peer, "show", "channels count"), 10)


def test_hung_up_before_a_process_has_it(node: RunningNode, taker: Erl) -> None:
    taker.eval("call_tests:silent(mute), ok")
    dial(node, taker, f"mute:! {taker.name}")
    wait_until(lambda: "get_pid" in taker.text("process_info(whereis(mute), messages)"), 10)
    taker.eval("{messages, [{get_pid, U, Ref, Switch}]} = process_info(whereis(mute), messages), ok")
    uuid = taker.text("U").strip('"')
    hang_up(node, taker, uuid)
    gone(node, taker, uuid)  # at once, not after the time that the process has
    # The switch denies the call from its hangup on, the node once it has heard of that.
    wait_until(lambda: f"{uuid}: erlang: hung up before" in node.log(), 10, node.log)
    assert taker.text("Switch ! {Ref, self()}, receive {error, _} = E -> E after 5000 -> none end") == (
        "{error,notfound}"
    )


# --- handlecall, nohandle, sendmsg --------------------------------------------------------------------------------


def parked(node: RunningNode, peer: Erl) -> str:
    """The UUID of a call that nobody handles."""
    give_dialplan(node)
    reply = peer.request(node.name, '{api, originate, "loopback/park/default &park()"}', 15)
    assert reply.startswith('{ok,"+OK '), reply
    uuid = reply.removeprefix('{ok,"+OK ').removesuffix('\\n"}')
    if node.kind == "freeswitch":  # which answers before that; what the call then plays ends as it is parked
        wait_until(lambda: api(node, peer, "uuid_getvar", f"{uuid} current_application") == '{ok,"park"}')
    return uuid


def test_handlecall_by_the_sender(node: RunningNode, erl: StartErl) -> None:
    peer = with_module(erl(node))
    uuid = parked(node, peer)
    assert peer.text(f"{{foo, '{node.name}'}} ! {{handlecall, \"{uuid}\"}}, hd(collect(1, 5000))") == "ok"
    assert peer.text("{call, {event, [U | _]}} = hd(collect(1, 5000)), U") == f'"{uuid}"'
    hang_up(node, peer, uuid)
    assert (
        peer.text("(fun F() -> receive {call_hangup, V} -> V; {call_event, _} -> F() after 5000 -> none end end)()")
        == f'"{uuid}"'
    )


@pytest.mark.parametrize("order", ['taker, "UUID"', '"UUID", taker'])
def test_handlecall_by_a_registered_process(node: RunningNode, taker: Erl, order: str) -> None:
    uuid = parked(node, taker)
    assert taker.request(node.name, "{handlecall, " + order.replace("UUID", uuid) + "}") == "ok"
    assert called(taker) == uuid
    hang_up(node, taker, uuid)
    assert taker.text("call_tests:wait(T, call_hangup, 1)") == f'"{uuid}"'


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ('{handlecall, ""}', "{error,baduuid}"),
        ('{handlecall, "no-such-call"}', "{error,badsession}"),
        ("{handlecall, 12}", "{error,badarg}"),
        ("{handlecall}", "{error,badarg}"),
        ('{handlecall, "' + "x" * 256 + '"}', "{error,badsession}"),
        ('{handlecall, "' + "x" * 257 + '"}', "{error,badarg}"),
        ("{handlecall, [$a, 0, $b]}", "{error,badarg}"),
        ('{nohandle, "no-such-call"}', "{error,badsession}"),
        ('{nohandle, "no-such-call", elsewhere}', '{error,{badarg,"nohandle: expected park or continue"}}'),
        ('{sendmsg, "no-such-call", []}', "{error,nosession}"),
        ('{sendmsg, "no-such-call", [a]}', "{error,badarg}"),
    ],
)
def test_what_is_refused(node: RunningNode, peer: Erl, request_: str, answer: str) -> None:
    assert peer.request(node.name, request_) == answer


def test_handlecall_to_a_name_that_nobody_has(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    assert peer.request(node.name, f'{{handlecall, nobody, "{uuid}"}}') == "{error,session_attach_failed}"
    hang_up(node, peer, uuid)


def test_sendmsg_is_executed(node: RunningNode, taker: Erl) -> None:
    dial(node, taker, f"taker {taker.name}")
    uuid = called(taker)
    message = '[{"call-command","execute"},{"execute-app-name","set"},{"execute-app-arg","erl_test=1"}]'
    assert taker.request(node.name, f'{{sendmsg, "{uuid}", {message}}}') == "ok"
    wait_until(lambda: api(node, taker, "uuid_getvar", f"{uuid} erl_test") == '{ok,"1"}', 5)
    hangup = '[{<<"call-command">>,<<"hangup">>},{"hangup-cause","USER_BUSY"}]'
    assert taker.request(node.name, f'{{sendmsg, <<"{uuid}">>, {hangup}}}') == "ok"
    assert taker.text("call_tests:wait(T, call_hangup, 1)") == f'"{uuid}"'


@pytest.mark.parametrize("headers", ['{"execute-app-arg", ""}', ""])
def test_a_body_is_the_argument(node: RunningNode, taker: Erl, headers: str) -> None:
    """As with mod_event_socket: a text of several lines, of the type text/plain."""
    uuid = parked(node, taker)
    headers += ", " if headers else ""
    body = f'{headers}{{"Content-Type", "text/plain"}}, {{body, "erl_test=one\\ntwo"}}'
    message = f'[{{"call-command", execute}}, {{"execute-app-name", "set"}}, {body}]'
    assert taker.request(node.name, f'{{sendmsg, "{uuid}", {message}}}') == "ok"
    wait_until(lambda: api(node, taker, "uuid_getvar", f"{uuid} erl_test") == '{ok,"one\\ntwo"}', 5)
    hang_up(node, taker, uuid)


def test_any_text_is_a_uuid(node: RunningNode, taker: Erl) -> None:
    """As a Call-ID has it, with sofia's inbound-use-callid-as-uuid."""
    uuid = f"{'x' * 180}-{node.kind}@192.0.2.1"
    reply = taker.request(
        node.name, f'{{api, originate, "{{origination_uuid={uuid}}}loopback/park/default &park()"}}', 15
    )
    assert reply == f'{{ok,"+OK {uuid}\\n"}}'
    assert taker.request(node.name, f'{{handlecall, taker, "{uuid}"}}') == "ok"
    assert called(taker) == uuid
    execute(node, taker, uuid, "set", "erl_test=1")
    wait_until(lambda: api(node, taker, "uuid_getvar", f"{uuid} erl_test") == '{ok,"1"}', 5)
    assert taker.request(node.name, f'{{nohandle, "{uuid}"}}') == "ok"
    assert taker.request(node.name, f'{{handlecall, "{uuid}", taker}}') == "ok"
    assert taker.request(node.name, f'{{sendmsg, "{uuid}", [{{"call-command", hangup}}]}}') == "ok"
    assert taker.text("call_tests:wait(T, call_hangup, 1)") == f'"{uuid}"'


def test_nohandle(node: RunningNode, taker: Erl) -> None:
    dial(node, taker, f"taker {taker.name}")
    uuid = called(taker)
    assert taker.request(node.name, f'{{nohandle, "{uuid}"}}') == "ok"
    assert taker.request(node.name, f'{{nohandle, "{uuid}"}}') == "{error,badsession}"
    assert exists(node, taker, uuid)
    assert taker.request(node.name, f'{{handlecall, taker, "{uuid}"}}') == "ok"
    assert called(taker, count=2) == uuid
    assert taker.request(node.name, f'{{nohandle, "{uuid}", continue}}') == "ok"
    gone(node, taker, uuid)  # its dialplan has nothing more
    assert "call_hangup" not in kinds(taker)


def test_session_requests_choose_the_events(node: RunningNode, erl: StartErl) -> None:
    peer = with_module(erl(node))
    assert peer.request(node.name, "{session_event, 'ALL'}") == "{error,notlistening}"
    assert peer.request(node.name, "session_noevents") == "{error,notlistening}"
    assert peer.request(node.name, "{session_setevent}") == "{error,badarg}"
    uuid = parked(node, peer)
    peer.eval(
        f"N = '{node.name}', Ask = fun(R) -> {{foo, N}} ! R, receive A when A =:= ok; element(1, A) =:= error -> A"
        " after 5000 -> none end end, ok"
    )
    assert peer.text(f'Ask({{handlecall, "{uuid}"}})') == "ok"
    assert peer.text("Ask({session_setevent, 'ALL'})") == "{error,badarg}"
    assert peer.text("Ask({session_setevent, 'CHANNEL_HANGUP'})") == "ok"
    peer.eval("flush()")
    hang_up(node, peer, uuid)
    names = (
        '(fun F(S) -> receive {call_event, {event, [_ | H]}} -> F([proplists:get_value("Event-Name", H) | S]);'
        " {call_hangup, _} -> lists:reverse(S) after 5000 -> none end end)([])"
    )
    assert peer.text(names) == '["CHANNEL_HANGUP"]'


def test_erlang_sendmsg(node: RunningNode, taker: Erl) -> None:
    uuid = parked(node, taker)
    message = (
        '[{"call-command","execute"},{"execute-app-name","erlang_sendmsg"},'
        f'{{"execute-app-arg","taker {taker.name} two words"}}]'
    )
    assert taker.request(node.name, f'{{sendmsg, "{uuid}", {message}}}') == "ok"
    wait_until(lambda: taker.text("call_tests:messages(T)") == '[{freeswitch_sendmsg,"two words"}]', 5)
    hang_up(node, taker, uuid)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("taker  NODE   two  words ", "two  words"),
        ("'taker' 'NODE' 'quotes  vanish'", "quotes  vanish"),
        ("taker NODE it's kept", "it's kept"),
        ("taker NODE ", None),
    ],
)
def test_what_is_sent_is_split_as_freeswitch_does(
    node: RunningNode, taker: Erl, written: str, sent: str | None
) -> None:
    uuid = parked(node, taker)
    execute(node, taker, uuid, "erlang_sendmsg", written.replace("NODE", taker.name))
    execute(node, taker, uuid, "erlang_sendmsg", f"taker {taker.name} last")
    messages = [f'{{freeswitch_sendmsg,"{text}"}}' for text in (sent, "last") if text]
    wait_until(lambda: taker.text("call_tests:messages(T)") == f"[{','.join(messages)}]", 5)
    hang_up(node, taker, uuid)


@pytest.mark.parametrize("written", ["  taker   NODE  ", "'taker' 'NODE'", "^^;taker:!;NODE", "taker 'nobody@x|NODE'"])
def test_who_is_to_have_it_is_split_as_freeswitch_does(node: RunningNode, taker: Erl, written: str) -> None:
    """In a dialplan that Erlang answers."""
    action = f'<action application=\\"erlang\\" data=\\"{written.replace("NODE", taker.name)}\\"/>'
    taker.eval(f"""N = '{node.name}', D = spawn(fun() ->
        {{foo, N}} ! {{bind, dialplan}},
        Xml = "<extension name=\\"e\\"><condition>{action}</condition></extension>",
        (fun F() -> receive {{fetch, _, _, _, _, Id, _}} -> {{foo, N}} ! {{fetch_reply, Id, Xml}}; _ -> ok end, F()
            end)() end), ok""")
    wait_until(lambda: "dialplan" in api(node, taker, "erlang", "bindings"), 5)
    taker.eval('{foo, N} ! {bgapi, originate, "loopback/split/default &park()"}, ok')
    hang_up(node, taker, called(taker))
    taker.eval("exit(D, kill), ok")
    wait_until(lambda: "dialplan" not in api(node, taker, "erlang", "bindings"), 5)


def test_erlang_sessions(node: RunningNode, taker: Erl) -> None:
    dial(node, taker, f"taker {taker.name}")
    uuid = called(taker)
    assert api(node, taker, "erlang", f"sessions {taker.name}") == (
        f'{{ok,"Outbound session for {uuid} in state CS_EXECUTE\\n"}}'
    )
    assert f"Listener to {taker.name} with outbound sessions: 1 " in api(node, taker, "erlang", "listeners")
    assert re.search(r"\\ncalls      1 attached, [1-9]\d* so far\\n", api(node, taker, "erlang", "status"))
    hang_up(node, taker, uuid)
    taker.eval("call_tests:wait(T, call_hangup, 1)")
    assert api(node, taker, "erlang", f"sessions {taker.name}") == f'{{ok,"No active sessions for {taker.name}\\n"}}'
    assert api(node, taker, "erlang", "sessions x@y") == '{ok,"Could not find a listener for x@y\\n"}'


def execute(node: RunningNode, peer: Erl, uuid: str, application: str, argument: str = "") -> None:
    headers = f'[{{"call-command", "execute"}}, {{"execute-app-name", "{application}"}}'
    headers += f', {{"execute-app-arg", "{argument}"}}]' if argument else "]"
    assert peer.request(node.name, f'{{sendmsg, "{uuid}", {headers}}}') == "ok"


def test_another_process_takes_the_call_over(node: RunningNode, taker: Erl) -> None:
    taker.eval("O = call_tests:start(other), ok")
    dial(node, taker, f"taker {taker.name}")
    uuid = called(taker)
    assert taker.request(node.name, f'{{handlecall, other, "{uuid}"}}') == "ok"
    assert called(taker, "O") == uuid
    hang_up(node, taker, uuid)
    assert taker.text("call_tests:wait(O, call_hangup, 1)") == f'"{uuid}"'
    assert kinds(taker, "O")[0] == "call"
    assert "call_hangup" not in kinds(taker)
    assert [kinds(taker, "O").count(kind) for kind in ("call", "call_hangup")] == [1, 1]


@pytest.mark.freeswitch
def test_transferred_away_and_back(freeswitch_node: RunningNode, erl: StartErl) -> None:
    """Its process keeps the call meanwhile, and is not given it again. (No inline dialplan in the simulated switch.)"""
    node, taker = freeswitch_node, with_taker(freeswitch_node, erl)
    dial(node, taker, f"taker {taker.name}")
    uuid = called(taker)
    assert "+OK" in api(node, taker, "uuid_transfer", f"{uuid} park XML default")
    wait_until(lambda: api(node, taker, "uuid_getvar", f"{uuid} current_application") == '{ok,"park"}', 5)
    away = kinds(taker).count("CHANNEL_PARK")
    assert "+OK" in api(node, taker, "uuid_transfer", f"{uuid} 'erlang:taker {taker.name}' inline")
    wait_until(lambda: kinds(taker).count("CHANNEL_PARK") > away, 5, lambda: kinds(taker))
    hang_up(node, taker, uuid)
    taker.eval("call_tests:wait(T, call_hangup, 1)")
    assert [kinds(taker).count(kind) for kind in ("call", "call_hangup")] == [1, 1]
    assert kinds(taker)[-1] == "call_hangup"


def test_bridged_to_another_leg_that_hangs_up(node: RunningNode, taker: Erl) -> None:
    dial(node, taker, f"taker {taker.name}", "{hangup_after_bridge=true}")
    uuid = called(taker)
    execute(node, taker, uuid, "bridge", "loopback/park/default")
    wait_until(lambda: "CHANNEL_BRIDGE" in kinds(taker), 10, lambda: kinds(taker))
    other = api(node, taker, "uuid_getvar", f"{uuid} bridge_uuid").removeprefix('{ok,"').removesuffix('"}')
    hang_up(node, taker, other)
    assert taker.text("call_tests:wait(T, call_hangup, 1)") == f'"{uuid}"'
    assert "CHANNEL_UNBRIDGE" in kinds(taker)


# --- lost handlers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["kill", "normal", "{shutdown, done}"])
@pytest.mark.parametrize("form", ["taker", "taker:!"])
def test_a_handler_that_ends_gives_its_call_back_to_the_dialplan(
    node: RunningNode, taker: Erl, form: str, reason: str
) -> None:
    dial(node, taker, f"{form} {taker.name}")
    uuid = called(taker)
    assert taker.text(f"call_tests:stop(T, {reason})") == "ok"
    gone(node, taker, uuid)  # there is nothing more in it


def test_a_handler_that_ends_before_its_call_is_parked(node: RunningNode, taker: Erl) -> None:
    """Which of the two is first differs from call to call."""
    taker.eval("call_tests:brief(brief, self()), ok")
    for _ in range(40):
        dial(node, taker, f"brief:! {taker.name}")
    assert taker.text("[receive taken -> ok after 10000 -> late end || _ <- lists:seq(1, 40)], ok") == "ok"
    wait_until(lambda: "0 total" in api(node, taker, "show", "channels count"), 30, node.log)


@pytest.mark.parametrize("chosen", ["park", "hangup USER_BUSY", "transfer park XML default", "nonsense"])
def test_what_the_call_says_about_a_lost_handler(node: RunningNode, taker: Erl, chosen: str) -> None:
    dial(node, taker, f"taker:! {taker.name}", "{erlang_on_handler_exit='" + chosen + "'}")
    uuid = called(taker)
    assert taker.text("call_tests:stop(T, crash)") == "ok"
    if chosen.startswith(("park", "transfer")):
        wait_until(lambda: f"{uuid}: its handler is gone: crash" in node.log(), 5, node.log)
        assert exists(node, taker, uuid)
        if chosen == "park":
            assert api(node, taker, "erlang", f"sessions {taker.name}").startswith('{ok,"No active')
        else:
            wait_until(lambda: api(node, taker, "uuid_getvar", f"{uuid} current_application") == '{ok,"park"}', 5)
        hang_up(node, taker, uuid)
    gone(node, taker, uuid)
    if chosen == "nonsense":
        wait_until(lambda: "erlang_on_handler_exit" in node.log(), told=node.log)


def test_a_handler_that_ends_on_purpose_is_no_lost_one(node: RunningNode, taker: Erl) -> None:
    dial(node, taker, f"taker:! {taker.name}", "{erlang_on_handler_exit=park}")
    uuid = called(taker)
    assert taker.text("call_tests:stop(T, normal)") == "ok"
    gone(node, taker, uuid)


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_dies_with_its_calls(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, on_handler_exit="hangup")
    peer, other = with_taker(node, erl), erl(node)
    for _ in range(50):
        dial(node, peer, f"taker:! {peer.name}")
    peer.eval("call_tests:wait(T, call, 50)")
    peer.kill9()
    wait_until(lambda: "\\n0 total" in api(node, other, "show", "channels count"), 5)
