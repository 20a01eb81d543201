"""scripts/freeswitch.erl and scripts/myhandler.erl: what they do with calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.hearing import Listener, one_after_the_other
from tests.peers.test_scripts import with_scripts
from tests.waiting import wait_until

FORMS = ["myhandler", "myhandler:!", "myhandler:launch"]

# What myhandler plays: 300 ms of sound and 100 ms of silence; 80 ms of each.
TONE = ("playback", "tone_stream://%(300,100,440)")
BEEP = ("playback", "tone_stream://%(80,80,880)")

PARK = """
<context name="default">
  <extension name="park">
    <condition field="destination_number" expression="^park$">
      <action application="answer"/>
      <action application="park"/>
    </condition>
  </extension>
</context>
"""

# originate's answer comes when the other leg, which is parked, has answered.
PREPARE = """
Me = self(),
Call = fun(App) ->
    {ok, Job} = freeswitch:bgapi(N, originate, "loopback/park/default '&" ++ App ++ "'"),
    receive {bgok, Job, "+OK " ++ UUID} -> string:trim(UUID); {bgerror, Job, Why} -> error(Why) after 10000 -> none end
end,
Exists = fun(UUID) -> freeswitch:api(N, uuid_exists, UUID) =:= {ok, "true"} end,
Execute = fun(UUID, App, Arg) ->
    freeswitch:sendmsg(N, UUID, [{"call-command", "execute"}, {"execute-app-name", App}, {"execute-app-arg", Arg}])
end,
Hangup = fun(UUID) -> freeswitch:sendmsg(N, UUID, [{"call-command", "hangup"}, {"hangup-cause", "USER_BUSY"}]) end,
Named = fun F(Name) ->
    receive {call_event, {event, [UUID | _]} = E} ->
        case freeswitch:get_event_name(E) of Name -> {UUID, E}; _ -> F(Name) end
    after 5000 -> none end
end,
Loops = [handle, talk, digits, until_hangup],
IsHandler = fun(P) ->
    case process_info(P, current_stacktrace) of
        {_, Frames} -> lists:any(fun({M, F, _, _}) -> M =:= myhandler andalso lists:member(F, Loops) end, Frames);
        undefined -> false
    end
end,
Handlers = fun() -> lists:filter(IsHandler, processes()) end,
ok
"""


@pytest.fixture
def handlers(node: RunningNode, erl: StartErl) -> Erl:
    """An Erlang node with our modules and the functions of PREPARE; `N` is FreeSWITCH."""
    return prepared(node, erl)


def give_dialplan(node: RunningNode) -> None:
    """The simulated switch has no dialplan of its own, but reads what comes into its folder; the scratch FreeSWITCH has
    this extension."""
    if node.kind == "simulated":
        arguments = Path(f"/proc/{node.pid}/cmdline").read_text().split("\0")
        file = Path(arguments[arguments.index("--conf") + 1]) / "dialplan" / "default.xml"
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_text(PARK)


def prepared(node: RunningNode, erl: StartErl) -> Erl:
    give_dialplan(node)
    own = with_scripts(erl(node), node)
    if own.text("freeswitch:api(N, originate)").endswith('Command not found!\\n"}'):
        pytest.skip("this switch makes no calls yet")
    own.eval(PREPARE)
    return own


def said(erl: Erl, uuid: str, what: str) -> bool:
    return any(re.fullmatch(f"{uuid}: {what}", line) for line in erl.output().splitlines())


def wait_said(erl: Erl, uuid: str, what: str) -> None:
    wait_until(lambda: said(erl, uuid, what), 15, erl.output)


def call(erl: Erl, target: str) -> str:
    """The UUID of a call that is handed to a target on that node."""
    uuid: bytes = erl.eval(f'list_to_binary(Call("erlang({target} {erl.name})"))', 15).value
    return uuid.decode()


# --- freeswitch.erl -----------------------------------------------------------------------------------------------


def test_a_call_taken_commanded_and_hung_up(handlers: Erl) -> None:
    own = handlers
    own.eval('U = Call("park()")')
    assert own.text("freeswitch:handlecall(N, U)") == "ok"
    assert own.text("{call, {event, [U | _]} = Data} = hd(collect(1, 5000)), freeswitch:get_event_name(Data)") == (
        '"CHANNEL_DATA"'
    )
    assert own.text('[freeswitch:session_setevent(N, [\'CHANNEL_EXECUTE\']), Execute(U, "set", "scripts_test=1")]') == (
        "[ok,ok]"
    )
    own.eval(  # that of park() itself may come before it
        'Set = fun F() -> {U, E} = Named("CHANNEL_EXECUTE"),'
        ' case freeswitch:get_event_header(E, "Application") of "set" -> E; _ -> F() end end, Executed = Set()'
    )
    assert own.text('freeswitch:get_event_header(Executed, "Application-Data")') == '"scripts_test=1"'
    assert own.text('freeswitch:api(N, uuid_getvar, U ++ " scripts_test")') == '{ok,"1"}'
    assert (
        own.text(
            "flush(), [freeswitch:session_event(N, 'CHANNEL_EXECUTE_COMPLETE'),"
            " freeswitch:session_nixevent(N, 'CHANNEL_EXECUTE')]"
        )
        == "[ok,ok]"
    )
    own.eval('ok = Execute(U, "set", "scripts_test=2")')
    assert own.text("[{call_event, Only}] = collect(1, 5000), freeswitch:get_event_name(Only)") == (
        '"CHANNEL_EXECUTE_COMPLETE"'
    )
    assert own.text("[freeswitch:session_noevents(N), Hangup(U)]") == "[ok,ok]"
    assert own.text("collect(1, 5000) =:= [{call_hangup, U}]") == "true"
    assert own.text("collect(1, 200)") == "[]"
    assert own.text("freeswitch:session_noevents(N)") == "{error,notlistening}"


def test_all_events_until_some_are_chosen(handlers: Erl) -> None:
    handlers.eval('U = Call("park()"), ok = freeswitch:handlecall(N, U), ok = Hangup(U)')
    told = handlers.text(
        "Till = fun F() -> receive {call_hangup, U} -> []; {call_event, E} -> [freeswitch:get_event_name(E) | F()]"
        " after 5000 -> [late] end end, Till()"
    )
    assert '"CHANNEL_HANGUP"' in told
    assert "late" not in told


def test_a_call_given_to_a_registered_process(handlers: Erl) -> None:
    own = handlers
    own.eval('U = Call("park()"), register(scripts_test, P = spawn(relay, run, [N, self()])), flush()')
    assert own.text("freeswitch:handlecall(N, U, scripts_test)") == "ok"
    assert own.text("receive {got, {call, {event, [U | _]}}} -> taken after 5000 -> none end") == "taken"
    assert own.text("freeswitch:handlecall(N, U, nobody_here)") == "{error,session_attach_failed}"
    own.eval("Hangup(U)")


@pytest.mark.parametrize(("arguments", "exists"), [("U", "true"), ("U, park", "true"), ("U, continue", "false")])
def test_a_call_let_go(handlers: Erl, arguments: str, exists: str) -> None:
    """Parked it stays; there is nothing after park() that it could continue with."""
    own = handlers
    own.eval('U = Call("park()"), ok = freeswitch:handlecall(N, U), flush()')
    assert own.text(f"freeswitch:nohandle(N, {arguments})") == "ok"
    assert own.text(f"freeswitch:nohandle(N, {arguments})") == "{error,badsession}"
    if exists == "true":
        assert own.text('flush(), Execute(U, "set", "a=b")') == "ok"
        assert own.text("{collect(1, 300), Exists(U)}") == "{[],true}"
        own.eval("Hangup(U)")
    assert own.text("wait_until(fun() -> not Exists(U) end)") == "true"


SECOND = "tone_stream://%(1000,0,440)"


def test_one_application_after_the_other(handlers: Erl, node: RunningNode, erl: StartErl) -> None:
    listener = Listener(erl(node), node)
    handlers.eval('U = Call("park()"), ok = freeswitch:handlecall(N, U)')
    handlers.eval(
        f'[ok = freeswitch:execute(N, U, App, Arg) || {{App, Arg}} <- [{{"answer", ""}}, {{"playback", "{SECOND}"}},'
        f' {{"playback", "{SECOND}"}}, {{"hangup", "USER_BUSY"}}]]'
    )
    heard = listener.until_hangup(handlers.eval("list_to_binary(U)").value.decode())
    assert one_after_the_other(heard) == [
        ("answer", ""),
        ("playback", SECOND),
        ("playback", SECOND),
        ("hangup", "USER_BUSY"),
    ]
    assert [round(one.seconds) for one in heard[1:3]] == [1, 1], heard


def test_an_application_and_what_came_of_it(handlers: Erl) -> None:
    """The caller's mailbox is left alone. One whose caller ends is waited for no more."""
    own = handlers
    own.eval('U = Call("park()")')
    played = f'freeswitch:execute(N, U, playback, "{SECOND}", #{{}})'
    assert own.text(f"{{ok, #{{response := R}}}} = {played}, {{R, flush()}}") == '{"FILE PLAYED",[]}'
    assert own.text('{ok, #{variables := V}} = freeswitch:execute(N, U, "set", "a=b", []), maps:get("a", V)') == '"b"'
    long = 'freeswitch:execute(N, U, playback, "silence_stream://-1", [{timeout, infinity}])'
    assert own.text(long.replace("infinity", "100")) == "{error,timeout}"
    own.eval('Waiting = fun() -> {ok, S} = freeswitch:api(N, erlang, "status"), string:find(S, "executes") end')
    own.eval(f"Asker = spawn(fun() -> {long} end)")
    assert own.text('wait_until(fun() -> lists:prefix("executes   1 ", Waiting()) end)') == "true"
    own.eval("exit(Asker, kill)")
    assert own.text('wait_until(fun() -> lists:prefix("executes   0 ", Waiting()) end)') == "true"
    own.eval("Me = self(), spawn(fun() -> Me ! {over, " + long + "} end), Hangup(U)")
    own.eval("freeswitch:api(N, uuid_kill, U)")
    assert own.text("receive {over, Why} -> Why after 5000 -> none end") == "{error,hangup}"
    assert own.text("flush()") == "[]"


def test_without_event_lock_inside_what_waits_for_media(handlers: Erl, node: RunningNode, erl: StartErl) -> None:
    """What docs/messages.md says of FreeSWITCH."""
    listener = Listener(erl(node), node)
    handlers.eval('U = Call("park()"), ok = freeswitch:handlecall(N, U)')
    handlers.eval(f'[ok = Execute(U, App, Arg) || {{App, Arg}} <- [{{"playback", "{SECOND}"}}, {{"hangup", ""}}]]')
    playback, hangup = listener.until_hangup(handlers.eval("list_to_binary(U)").value.decode())
    assert hangup.within == "playback"
    assert playback.seconds < 0.5


@pytest.mark.freeswitch
def test_what_does_not_wait(freeswitch_node: RunningNode, erl: StartErl) -> None:
    """uuid_break ends what is being played, and the next begins."""
    own = prepared(freeswitch_node, erl)
    listener = Listener(erl(freeswitch_node), freeswitch_node)
    own.eval('U = Call("park()"), ok = freeswitch:handlecall(N, U)')
    own.eval(
        '[ok = freeswitch:execute(N, U, App, Arg) || {App, Arg} <- [{"answer", ""},'
        f' {{"playback", "silence_stream://-1"}}, {{"playback", "{SECOND}"}}, {{"hangup", "USER_BUSY"}}]]'
    )
    own.eval('{U, _} = Named("PLAYBACK_START"), {ok, _} = freeswitch:api(N, uuid_break, U)')
    heard = listener.until_hangup(own.eval("list_to_binary(U)").value.decode())
    assert [name for name, _ in one_after_the_other(heard)] == ["answer", "playback", "playback", "hangup"]
    assert round(heard[2].seconds) == 1


# --- myhandler.erl ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("dialled", "taken"), [("12#", "12"), ("123456", "1234")])
def test_a_call_from_its_tone_to_its_end(handlers: Erl, form: str, dialled: str, taken: str) -> None:
    handlers.eval("myhandler:start(N)")
    uuid = call(handlers, form)
    wait_said(handlers, uuid, "call from .*")
    assert handlers.text(f'freeswitch:api(N, uuid_recv_dtmf, "{uuid} {dialled}")').startswith('{ok,"+OK')
    wait_said(handlers, uuid, f'digits "{taken}"')
    wait_said(handlers, uuid, "over")
    assert handlers.text(f'wait_until(fun() -> Handlers() =:= [] andalso not Exists("{uuid}") end)') == "true"
    assert handlers.text("myhandler:stop()") == "ok"


@pytest.mark.parametrize("form", FORMS)
def test_its_tones_are_heard(handlers: Erl, node: RunningNode, erl: StartErl, form: str) -> None:
    listener = Listener(erl(node), node)
    handlers.eval("myhandler:start(N)")
    uuid = call(handlers, form)
    handlers.eval(f'{{ok, _}} = freeswitch:api(N, uuid_recv_dtmf, "{uuid} 12#")')
    heard = listener.until_hangup(uuid)
    assert one_after_the_other(heard) == [("answer", ""), TONE, BEEP, BEEP, ("hangup", "NORMAL_CLEARING")]
    tone, *beeps = heard[1:-1]
    assert 0.35 < tone.seconds < 0.8, heard
    assert all(0.13 < beep.seconds < 0.4 for beep in beeps), heard


@pytest.mark.parametrize("form", FORMS)
def test_a_caller_who_hangs_up(handlers: Erl, form: str) -> None:
    handlers.eval("myhandler:start(N)")
    uuid = call(handlers, form)
    wait_said(handlers, uuid, "call from .*")
    assert handlers.text(f'freeswitch:api(N, uuid_kill, "{uuid}")') == '{ok,"+OK\\n"}'
    wait_said(handlers, uuid, "over")
    assert handlers.text("wait_until(fun() -> Handlers() =:= [] end)") == "true"
    assert handlers.text("is_pid(whereis(myhandler))") == "true"


def test_many_calls_at_once(handlers: Erl) -> None:
    handlers.eval("myhandler:start(N)")
    count = 30
    uuids = [call(handlers, FORMS[number % len(FORMS)]) for number in range(count)]
    for uuid in uuids:
        wait_said(handlers, uuid, "call from .*")
    assert handlers.text("length(Handlers())") == str(count)
    for number, uuid in enumerate(uuids):
        handlers.eval(f'{{ok, _}} = freeswitch:api(N, uuid_recv_dtmf, "{uuid} {number:02}#")')
    for number, uuid in enumerate(uuids):
        wait_said(handlers, uuid, f'digits "{number:02}"')
        wait_said(handlers, uuid, "over")
    assert handlers.text("wait_until(fun() -> Handlers() =:= [] end)") == "true"


@pytest.mark.parametrize("end", ["exit(hd(Handlers()), kill)", "myhandler:stop()"])
def test_a_call_does_not_outlive_the_process_that_has_it(handlers: Erl, end: str) -> None:
    """In the first form, where FreeSWITCH knows only the registered process."""
    handlers.eval("myhandler:start(N)")
    uuid = call(handlers, "myhandler")
    wait_said(handlers, uuid, "call from .*")
    handlers.eval(end)
    assert handlers.text(f'wait_until(fun() -> Handlers() =:= [] andalso not Exists("{uuid}") end)') == "true"


@pytest.mark.freeswitch
def test_handlers_end_when_freeswitch_goes(start_node: StartNode, erl: StartErl) -> None:
    node = start_node("freeswitch")
    own = prepared(node, erl)
    own.eval("myhandler:start(N)")
    for form in FORMS:
        wait_said(own, call(own, form), "call from .*")
    assert own.text("length(Handlers())") == "3"
    node.kill9()
    assert own.text("wait_until(fun() -> Handlers() =:= [] end)") == "true"
    assert own.text("is_pid(whereis(myhandler))") == "true"


@pytest.mark.freeswitch
@pytest.mark.parametrize("form", FORMS)
def test_with_binaries(start_node: StartNode, erl: StartErl, form: str) -> None:
    node = start_node("freeswitch", encoding="binary")
    own = with_scripts(erl(node), node)
    own.eval("myhandler:start(N)")
    command = f"loopback/park/default '&erlang({form} {own.name})'"
    uuid = own.eval(
        f'{{ok, <<"+OK ", U:36/binary, _/binary>>}} = freeswitch:api(N, originate, "{command}"), U'
    ).value.decode()
    wait_said(own, uuid, "call from .*")
    own.eval(f'{{ok, _}} = freeswitch:api(N, uuid_recv_dtmf, "{uuid} 7#")')
    wait_said(own, uuid, 'digits "7"')
    wait_said(own, uuid, "over")
