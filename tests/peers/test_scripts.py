"""scripts/freeswitch.erl: commands, events, log lines, and what it makes of a node that does not answer."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from time import monotonic

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
MODULES = ["freeswitch", "myhandler", "directory_example"]
STRICT = ["-Wall", "-Werror", "+warn_export_vars", "+warn_unused_import", "+warn_missing_spec"]
NOWHERE = "'nobody@localhost'"
_TIMEOUT = 5.0
"""Seconds, of a request's that gets no answer."""

# A handler that tells its starter what it gets.
RELAY = """
-module(relay).
-export([run/2]).
run(Node, To) -> To ! {started, self(), Node}, loop(To).
loop(To) -> receive Message -> To ! {got, Message}, loop(To) end.
"""


def compile_scripts(erl: Erl) -> None:
    """Our modules and `relay` into a folder where that node, and those that share its folder, find them."""
    folder = Path(erl.text("element(2, file:get_cwd())").strip('"'))
    if (folder / "relay.beam").exists():
        return
    (folder / "relay.erl").write_text(RELAY)
    sources = [SCRIPTS / f"{module}.erl" for module in MODULES] + [folder / "relay.erl"]
    subprocess.run(["erlc", "-o", str(folder), *map(str, sources)], check=True, timeout=60)


@pytest.fixture
def caller(node: RunningNode, peer: Erl) -> Erl:
    """The shared peer, with our modules; N is the node."""
    compile_scripts(peer)
    peer.eval(f"N = '{node.name}', ok")
    return peer


@pytest.fixture
def own(node: RunningNode, erl: StartErl) -> Erl:
    """As `caller`, but a node of the test's own, whose subscriptions end with it."""
    return with_scripts(erl(node), node)


def with_scripts(erl: Erl, node: RunningNode) -> Erl:
    compile_scripts(erl)
    erl.eval(f"N = '{node.name}', ok")
    return erl


@pytest.mark.erl
@pytest.mark.parametrize("module", MODULES)
def test_they_compile_without_a_warning(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["erlc", *STRICT, "-o", str(tmp_path), str(SCRIPTS / f"{module}.erl")], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# --- commands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('freeswitch:api(N, echo, "a b")', '{ok,"a b"}'),
        ('freeswitch:api(N, "echo", <<"a b">>)', '{ok,"a b"}'),
        ("freeswitch:api(N, echo)", '{error,"Command returned no output!"}'),
        ('freeswitch:api(N, echo, "-ERR no")', '{error,"-ERR no"}'),
        ('freeswitch:api(N, wtf, "")', '{error,"wtf: Command not found!\\n"}'),
        ("freeswitch:api(N, echo, 12)", "{error,badarg}"),
        ("freeswitch:bgapi(N, echo, 12)", "{error,badarg}"),
        ("freeswitch:bgapi(N, echo, 12, fun(_, _) -> ok end)", "{error,badarg}"),
        ("freeswitch:sendevent(N, 'NO_SUCH_EVENT', [])", "{error,badarg}"),
        ("freeswitch:sendevent(N, 'MESSAGE', none)", "{error,badarg}"),
        ('freeswitch:sendevent(N, \'MESSAGE\', [{"A", "b"}, {<<"C">>, <<"d">>}])', "ok"),
        ('freeswitch:sendevent_custom(N, "scripts::test", [])', "ok"),
        ("freeswitch:send(N, nonsense)", "{error,undef}"),
        ("freeswitch:send(N, {api})", "{error,badarg}"),
        ('freeswitch:send(N, {api, echo, "x"})', '{ok,"x"}'),
        ("{ok, Pid} = freeswitch:getpid(N), {is_pid(Pid), node(Pid) =:= N}", "{true,true}"),
        ("freeswitch:send(N, getpid) =:= freeswitch:getpid(N)", "true"),
        ("{ok, #{versions := #{}, messages := [_ | _]}} = freeswitch:version(N), ok", "ok"),
        ('freeswitch:api_json(N, show, "channels count")', '{ok,#{<<"row_count">> => 0,<<"rows">> => []}}'),
        ('element(1, element(2, freeswitch:api_json(N, status, "")))', "notjson"),
        ('{ok, Json} = freeswitch:json_api(N, #{command => none}), maps:get(<<"status">>, Json)', '<<"error">>'),
        ("freeswitch:register_log_handler(N, nobody)", "{error,noproc}"),
        ("freeswitch:register_event_handler(N, {nobody, node()})", "{error,noproc}"),
        ("freeswitch:unsubscribe(N, make_ref())", "{error,notfound}"),
        ('freeswitch:sendmsg(N, "no-such-call", [{"call-command", "hangup"}])', "{error,nosession}"),
        ('freeswitch:sendmsg(N, "no-such-call", none)', "{error,badarg}"),
        ('freeswitch:execute(N, "no-such-call", "answer", "")', "{error,nosession}"),
        ('freeswitch:execute(N, "no-such-call", "answer", "", [])', "{error,nosession}"),
        ('freeswitch:handlecall(N, "no-such-call")', "{error,badsession}"),
        ('freeswitch:handlecall(N, "no-such-call", somebody)', "{error,badsession}"),
        ('freeswitch:handlecall(N, "")', "{error,baduuid}"),
        ('freeswitch:nohandle(N, "no-such-call")', "{error,badsession}"),
        ('freeswitch:nohandle(N, "no-such-call", continue)', "{error,badsession}"),
        ('freeswitch:nohandle(N, "no-such-call", bury)', '{error,{badarg,"nohandle: expected park or continue"}}'),
        ("freeswitch:session_event(N, 'DTMF')", "{error,notlistening}"),
        ("freeswitch:session_nixevent(N, ['DTMF', 'HEARTBEAT'])", "{error,notlistening}"),
        ("freeswitch:session_setevent(N, ['DTMF'])", "{error,notlistening}"),
        ("freeswitch:session_noevents(N)", "{error,notlistening}"),
        ("freeswitch:event(N, [])", "{error,badarg}"),
        ("freeswitch:set_log_level(N, loud)", "{error,badarg}"),
        ("freeswitch:start_fetch_handler(N, nosection, relay, run, self())", "{error,badarg}"),
        ('freeswitch:fetch_reply(N, "no-such-fetch", "")', "{error,invalid_uuid}"),
    ],
)
def test_an_answer_and_nothing_left_behind(caller: Erl, call: str, expected: str) -> None:
    assert caller.text(f"[begin {call} end, flush()]") == f"[{expected},[]]"


def test_other_messages_stay_where_they_are(caller: Erl) -> None:
    caller.eval("[self() ! M || M <- [{event, [undefined]}, {ok, mine}, {bgok, 1, 2}, later]]")
    assert caller.text('freeswitch:api(N, echo, "x")') == '{ok,"x"}'
    assert caller.text("freeswitch:session_noevents(N)") == "{error,notlistening}"
    assert caller.text("flush()") == "[{event,[undefined]},{ok,mine},{bgok,1,2},later]"


def test_a_job_reports_to_its_caller(caller: Erl) -> None:
    assert caller.text('{ok, Job} = freeswitch:bgapi(N, echo, "done"), [{bgok, Job, Out}] = collect(1, 5000), Out') == (
        '"done"'
    )
    assert (
        caller.text(
            '{ok, Bad} = freeswitch:bgapi(N, wtf, ""), [{bgerror, Bad, Why}] = collect(1, 5000), {Why, is_list(Bad)}'
        )
        == '{"wtf: Command not found!\\n",true}'
    )
    assert caller.text("flush()") == "[]"


def test_a_job_calls_a_function(caller: Erl) -> None:
    caller.eval("Me = self(), F = fun(How, Out) -> Me ! {How, Out, self() =/= Me} end, ok")
    assert caller.text('[freeswitch:bgapi(N, echo, "done", F) | collect(1, 5000)]') == '[ok,{ok,"done",true}]'
    assert caller.text('[freeswitch:bgapi(N, wtf, "", F) | collect(1, 5000)]') == (
        '[ok,{error,"wtf: Command not found!\\n",true}]'
    )


def test_after_close_the_next_request_connects_again(own: Erl) -> None:
    for _ in range(10):
        assert own.text("{freeswitch:close(N), freeswitch:noevents(N)}") == "{ok,{error,notlistening}}"
    assert own.text("flush()") == "[]"


@pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
def test_with_binaries(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, encoding="binary")
    own = with_scripts(erl(node), node)
    assert own.text('freeswitch:api(N, echo, "x")') == '{ok,<<"x">>}'
    assert own.text(
        '{ok, J} = freeswitch:bgapi(N, echo, "x"), [{bgok, J, O}] = collect(1, 5000), {is_binary(J), O}'
    ) == ('{true,<<"x">>}')
    own.eval("{ok, P} = freeswitch:start_event_handler(N, relay, run, self()), [{started, P, N}] = collect(1, 5000)")
    assert own.text("freeswitch:event(N, 'MESSAGE')") == "ok"
    own.eval('freeswitch:sendevent(N, \'MESSAGE\', [{"A", "b"}, {"body", "text"}]), [{got, E}] = collect(1, 5000)')
    own.eval("Get = fun(Name) -> freeswitch:get_event_header(E, Name) end, ok")
    assert own.text("freeswitch:get_event_name(E)") == '<<"MESSAGE">>'
    assert own.text('[Get("A"), Get(<<"A">>), Get("B")]') == '[<<"b">>,<<"b">>,{error,notfound}]'
    assert own.text("freeswitch:get_event_body(E)") == '<<"text">>'


# --- events and log lines -----------------------------------------------------------------------------------------


def test_an_event_handler(own: Erl) -> None:
    assert own.text("freeswitch:noevents(N)") == "{error,notlistening}"
    own.eval("{ok, P} = freeswitch:start_event_handler(N, relay, run, self()), [{started, P, N}] = collect(1, 5000)")
    assert own.text("freeswitch:event(N, ['MESSAGE', 'CUSTOM', 'scripts::test'])") == "ok"
    own.eval('ok = freeswitch:sendevent(N, \'MESSAGE\', [{"A", "b c"}, {"body", "text"}])')
    own.eval('ok = freeswitch:sendevent_custom(N, "scripts::test", [{"A", "2"}])')
    own.eval(
        "F = fun(_) -> receive {got, {event, _} = E} -> E after 5000 -> none end end, [E1, E2] = lists:map(F, [1, 2])"
    )
    own.eval("{event, List} = E1, Get = fun freeswitch:get_event_header/2, ok")
    assert own.text('[Get(E1, "A"), Get(E1, <<"A">>), Get(List, "A")]') == '["b c","b c","b c"]'
    assert own.text("[freeswitch:get_event_name(E1), freeswitch:get_event_body(E1)]") == '["MESSAGE","text"]'
    assert own.text('[Get(E2, "Event-Subclass"), Get(E2, "A"), Get(E2, "B")]') == (
        '["scripts::test","2",{error,notfound}]'
    )
    assert own.text("freeswitch:get_event_body(E2)") == "{error,notfound}"


def test_which_events(own: Erl) -> None:
    """Each request is seen to have worked by the events that come, and do not come, after it."""
    own.eval("ok = freeswitch:register_event_handler(N)")
    own.eval(
        "Names = fun() -> [ok = freeswitch:sendevent(N, T, []) || T <- ['MESSAGE', 'TRAP', 'NOTIFY']],"
        " [freeswitch:get_event_name(E) || {event, _} = E <- collect(3, 500)] end, ok"
    )
    assert (
        own.text("[freeswitch:event(N, ['MESSAGE', 'TRAP', 'NOTIFY']) | Names()]") == '[ok,"MESSAGE","TRAP","NOTIFY"]'
    )
    assert own.text("[freeswitch:nixevent(N, 'TRAP') | Names()]") == '[ok,"MESSAGE","NOTIFY"]'
    assert own.text("[freeswitch:setevent(N, ['TRAP']) | Names()]") == '[ok,"TRAP"]'
    assert own.text("freeswitch:setevent(N, 'ALL')") == "{error,badarg}"
    assert own.text("[freeswitch:filter(N, 'Event-Name NOTIFY') | Names()]") == (
        '[{filter_command_processing_log,[{"added","Event-Name","NOTIFY"}]}]'
    )
    assert own.text("[freeswitch:filter(N, ['delete all', \"\"]) | Names()]").endswith(',"TRAP"]')
    assert own.text("[freeswitch:noevents(N) | Names()]") == "[ok]"


def test_a_log_handler(own: Erl) -> None:
    own.eval(
        "{ok, P} = freeswitch:start_log_handler(N, relay, run, self()),"
        " Is = fun(Text, L) -> lists:suffix(Text, proplists:get_value(data, L)) end,"
        " Until = fun F(Text) -> receive"
        "    {got, {log, L}} -> case Is(Text, L) of true -> [L]; false -> [L | F(Text)] end"
        " after 5000 -> none end end,"
        " Log = fun(What) -> {ok, _} = freeswitch:api(N, log, What) end, ok"
    )
    own.eval('Log("debug one"), One = lists:last(Until("one\\n"))')
    assert own.text("[Key || {Key, _} <- One]") == "[level,text_channel,file,func,line,data,user_data]"
    assert own.text("freeswitch:set_log_level(N, warning)") == "ok"
    own.eval('Log("info two"), Log("err three"), Lines = Until("three\\n")')
    assert own.text('lists:any(fun(L) -> Is("two\\n", L) end, Lines)') == "false"
    assert own.text("freeswitch:nolog(N)") == "ok"
    own.eval('flush(), Log("err four")')
    assert own.text('[L || {got, {log, L}} <- collect(5, 300), Is("four\\n", L)]') == "[]"
    assert own.text("[freeswitch:register_log_handler(N), freeswitch:nolog(N)]") == "[ok,ok]"


@pytest.mark.parametrize("start", ["start_event_handler", "start_log_handler"])
def test_a_handler_hears_when_freeswitch_goes(
    simulated_node: RunningNode, start_node: StartNode, erl: StartErl, start: str
) -> None:
    """It is linked as well: one that does not trap exits ends, with noconnection."""
    node = start_node("simulated")
    own = with_scripts(erl(node), node)
    own.eval(f"{{ok, P}} = freeswitch:{start}(N, relay, run, self()), M = monitor(process, P), ok")
    node.kill9()
    assert own.text(
        "receive {'DOWN', M, process, P, Why} -> Why; {got, {nodedown, N}} -> nodedown after 5000 -> none end"
    ) in (
        "noconnection",
        "nodedown",
    )


# --- a node that does not answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        'api(N, echo, "x")',
        'bgapi(N, echo, "x")',
        'bgapi(N, echo, "x", fun(_, _) -> ok end)',
        "send(N, getpid)",
        "getpid(N)",
        "close(N)",
        "event(N, 'ALL')",
        "noevents(N)",
        'handlecall(N, "uuid")',
        'handlecall(N, "uuid", name)',
        'sendmsg(N, "uuid", [])',
        'execute(N, "uuid", "answer", "")',
        'execute(N, "uuid", "answer", "", [])',
        "sendevent(N, 'MESSAGE', [])",
        'fetch_reply(N, "id", "")',
        "start_event_handler(N, relay, run, self())",
        "start_fetch_handler(N, directory, relay, run, self())",
    ],
)
def test_a_node_that_is_not_there(offline: Erl, call: str) -> None:
    begun = monotonic()
    assert offline.text(f"N = {NOWHERE}, [freeswitch:{call}, flush()]") == "[timeout,[]]"
    assert monotonic() - begun < _TIMEOUT


@pytest.fixture
def offline(erl: StartErl) -> Erl:
    own = erl()
    compile_scripts(own)
    return own


def test_a_runtime_that_is_no_node(offline: Erl) -> None:
    folder = offline.text("element(2, file:get_cwd())").strip('"')
    program = (
        f"N = {NOWHERE}, R = [freeswitch:api(N, status), freeswitch:event(N, 'ALL'), freeswitch:bgapi(N, status, []), "
        'freeswitch:start_log_handler(N, relay, run, self())], io:format("~0p", [R]), halt().'
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ERL_")}
    done = subprocess.run(
        ["erl", "-noshell", "-pa", folder, "-eval", program],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment,
    )
    assert done.stdout == "[timeout,timeout,timeout,timeout]"


def test_a_connection_lost_while_asking(start_node: StartNode, erl: StartErl) -> None:
    """Every request ends then and there, and a job that runs is told to have failed."""
    node = start_node("simulated")
    own = with_scripts(erl(node), node)
    own.eval(
        'Lost = "-ERR connection lost\\n", Me = self(), {ok, Job} = freeswitch:bgapi(N, msleep, "60000"),'
        ' ok = freeswitch:bgapi(N, msleep, "60000", fun(Tag, Out) -> Me ! {Tag, Out} end)'
    )
    os.kill(node.pid, signal.SIGSTOP)
    own.eval(
        "Ask = fun(F) -> spawn_monitor(fun() -> R = F(), Me ! {R, element(2, process_info(self(), messages))} end) end,"
        " [Ask(F) || F <- [fun() -> freeswitch:api(N, status) end, fun() -> freeswitch:noevents(N) end]]"
    )
    begun = monotonic()
    node.kill9()
    told = own.text("lists:sort([M || M <- collect(6, 9000), element(1, M) =/= 'DOWN']) -- [{bgerror, Job, Lost}]")
    assert told == '[{error,"-ERR connection lost\\n"},{timeout,[]},{timeout,[]}]'
    assert monotonic() - begun < _TIMEOUT


def test_answers_that_come_too_late(start_node: StartNode, erl: StartErl) -> None:
    """None is taken for the answer to a later request, and none stays in the mailbox."""
    node = start_node("simulated")
    own = with_scripts(erl(node), node)
    own.eval("{error, notlistening} = freeswitch:noevents(N), Me = self(), ok")
    os.kill(node.pid, signal.SIGSTOP)
    own.eval('spawn(fun() -> Me ! {freeswitch:api(N, echo, "x"), freeswitch:bgapi(N, echo, "y")} end)')
    assert own.text("freeswitch:noevents(N)", timeout=15) == "timeout"
    assert own.text("receive {timeout, _} = Both -> Both end", timeout=15) == "{timeout,timeout}"
    os.kill(node.pid, signal.SIGCONT)
    assert own.text("freeswitch:set_log_level(N, debug)") == "ok"
    assert own.text("freeswitch:noevents(N)") == "{error,notlistening}"
    assert own.text("flush()") == "[]"


def test_a_request_that_is_never_answered(simulated_node: RunningNode, erl: StartErl) -> None:
    """It costs the next one time, not its answer; the one after that nothing."""
    own = with_scripts(erl(simulated_node), simulated_node)
    assert own.text("freeswitch:send(N, {rex, x})", timeout=15) == "timeout"
    assert own.text("freeswitch:noevents(N)", timeout=15) == "{error,notlistening}"
    begun = monotonic()
    assert own.text("freeswitch:set_log_level(N, debug)") == "ok"
    assert monotonic() - begun < _TIMEOUT


def test_another_connection_owes_nothing(start_node: StartNode, erl: StartErl) -> None:
    """What a connection left unanswered is not waited for on the next one."""
    node = start_node("simulated")
    own = with_scripts(erl(node), node)
    assert own.text("freeswitch:send(N, {rex, x})", timeout=15) == "timeout"
    own.eval("ok = freeswitch:close(N), true = wait_until(fun() -> nodes(connected) =:= [] end)")
    begun = monotonic()
    assert own.text("freeswitch:noevents(N)") == "{error,notlistening}"
    assert monotonic() - begun < _TIMEOUT


# --- subscriptions, targets ---------------------------------------------------------------------------------------

FIRED = 'freeswitch:sendevent_custom(N, "scripts::own", [{"A", "b"}])'
OWN = "[{'CUSTOM', \"scripts::own\"}]"


def test_subscribing(own: Erl) -> None:
    own.eval(
        f"{{ok, S}} = freeswitch:subscribe(N, {OWN}, [{{format, map}}]), {{ok, T}} = freeswitch:subscribe(N, {OWN}), ok"
    )
    # a map's pattern in a receive that erl interprets may end OTP 25.2 (SIGSEGV), whoever has sent it
    assert own.text(f'{FIRED}, receive {{event, S, M}} -> map_get("A", M) after 5000 -> timeout end') == '"b"'
    assert own.text('receive {event, T, E} -> freeswitch:get_event_header(E, "A") after 5000 -> timeout end') == '"b"'
    assert own.text("freeswitch:unsubscribe(N, S)") == "ok"
    assert own.text(f"{FIRED}, receive {{event, T, _}} -> ok after 5000 -> timeout end, flush()") == "[]"
    assert own.text("freeswitch:unsubscribe(N, all)") == "ok"
    assert own.text("freeswitch:unsubscribe(N, T)") == "{error,notfound}"
    assert own.text("element(1, element(2, freeswitch:subscribe(N, [])))") == "badarg"


def test_acknowledging(own: Erl) -> None:
    own.eval(f"{{ok, S}} = freeswitch:subscribe(N, {OWN}, #{{ack => 1}}), ok = {FIRED}, ok = {FIRED}")
    one = "receive {event, S, _} -> event after 5000 -> timeout end"
    assert own.text(f"{{{one}, flush(), freeswitch:ack(N, S, 1), {one}, flush()}}") == "{event,[],ok,event,[]}"


def test_handlers_for_another_process(own: Erl) -> None:
    own.eval("Self = self(), P = spawn(fun L() -> receive M -> Self ! {got, element(1, M)}, L() end end), ok")
    assert own.text("freeswitch:register_log_handler(N, P)") == "ok"
    assert own.text('freeswitch:api(N, log, "alert hello"), receive {got, log} -> ok after 5000 -> timeout end') == "ok"
    assert (
        own.text("freeswitch:register_event_handler(N, P), freeswitch:event(N, ['CUSTOM', \"scripts::own\"])") == "ok"
    )
    assert own.text(f"{FIRED}, receive {{got, event}} -> ok after 5000 -> timeout end") == "ok"
