"""scripts/freeswitch.erl and scripts/directory_example.erl: look-ups that Erlang answers."""

from __future__ import annotations

import pytest

from scripts.epmd import Epmd
from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_scripts import with_scripts
from tests.peers.test_scripts_calls import give_dialplan
from tests.waiting import wait_until

# A look-up of the user 7, in a process of its own; what it found comes as {found, _}.
PREPARE = r"""
Me = self(),
Look = fun() -> spawn(fun() -> Me ! {found, freeswitch:api(N, user_data, "7@example.com param password")} end) end,
Fetched = fun F() ->
    receive {fetch, Section, Tag, Key, Value, ID, Params} ->
        case freeswitch:get_event_header(Params, "user") of
            {error, notfound} -> ok = freeswitch:fetch_reply(N, ID, ""), F();
            User -> {{Section, Tag, Key, Value, User}, ID}
        end
    after 5000 -> none end
end,
Cli = fun(Name, Arguments) ->
    case freeswitch:api(N, Name, Arguments) of {_, Printed} -> iolist_to_binary(Printed); timeout -> <<"timeout">> end
end,
Originate = fun(To) ->
    {ok, Job} = freeswitch:bgapi(N, originate, "loopback/" ++ To ++ " &park()"),
    receive {_, Job, Printed} -> iolist_to_binary(Printed) after 15000 -> <<"timeout">> end
end,
Found = fun() -> receive {found, Found} -> Found after 6000 -> none end end,
User = "<user id=\"7\"><params><param name=\"password\" value=\"seven\"/></params></user>",
ok
"""


@pytest.fixture
def bound(node: RunningNode, erl: StartErl) -> Erl:
    """An Erlang node with our modules; `N` is FreeSWITCH."""
    return prepared(node, erl)


def prepared(node: RunningNode, erl: StartErl, needed: str = "user_data") -> Erl:
    own = with_scripts(erl(node), node)
    if own.text(f"freeswitch:api(N, {needed})").endswith('Command not found!\\n"}'):
        pytest.skip(f"this switch has no {needed} yet")
    own.eval(PREPARE)
    return own


def cli(erl: Erl, command: str) -> str:
    """What an API command of FreeSWITCH prints, asked for by the Erlang node."""
    name, _, arguments = command.partition(" ")
    value: bytes = erl.eval(f'Cli({name}, "{arguments}")').value
    return value.decode().strip()


def originate(erl: Erl, to: str) -> str:
    value: bytes = erl.eval(f'Originate("{to}")', 20).value
    return value.decode().strip()


# --- freeswitch.erl -----------------------------------------------------------------------------------------------


def test_a_look_up_and_its_answer(bound: Erl) -> None:
    own = bound
    assert own.text("freeswitch:bind(N, directory)") == "ok"
    own.eval("Look(), {What, ID} = Fetched()")
    assert own.text("What") == '{directory,"domain","name","example.com","7"}'
    assert own.text("freeswitch:fetch_reply(N, ID, User)") == "ok"
    assert own.text("Found()") == '{ok,"seven"}'
    assert own.text("freeswitch:fetch_reply(N, ID, User)") == "{error,duplicate_response}"
    assert own.text("[M || M <- flush(), element(1, M) =/= fetch]") == "[]"


@pytest.mark.parametrize("xml", ["list_to_binary(User)", "[[User], <<>>]", "User"])
def test_xml_in_any_form(bound: Erl, xml: str) -> None:
    bound.eval("ok = freeswitch:bind(N, directory), Look(), {_, ID} = Fetched()")
    assert bound.text(f"[freeswitch:fetch_reply(N, ID, {xml}), Found()]") == '[ok,{ok,"seven"}]'


def test_bad_xml(bound: Erl) -> None:
    bound.eval("ok = freeswitch:bind(N, directory), Look(), {_, ID} = Fetched()")
    assert bound.text('freeswitch:fetch_reply(N, ID, "<user")').startswith("{error,{bad_xml,")
    assert bound.text("Found()") != '{ok,"seven"}'


def test_any_process_may_answer(bound: Erl) -> None:
    bound.eval("ok = freeswitch:bind(N, directory), Look(), {_, ID} = Fetched()")
    bound.eval("spawn(fun() -> Me ! {answered, freeswitch:fetch_reply(N, ID, User)} end)")
    assert bound.text("[receive {answered, A} -> A end, Found()]") == '[ok,{ok,"seven"}]'


def test_unbind(bound: Erl) -> None:
    own = bound
    assert own.text("[freeswitch:bind(N, S) || S <- [directory, dialplan, 'config|phrases']]") == "[ok,ok,ok]"
    assert own.text("[freeswitch:unbind(N, S) || S <- [directory, chatplan]]") == "[ok,ok]"
    own.eval("Look()")
    assert own.text("Found() =/= none andalso [M || {fetch, _, _, _, _, _, _} = M <- flush()]") == "[]"
    assert own.text("freeswitch:unbind(N, nosection)") == "{error,badarg}"
    assert own.text("freeswitch:bind(N, nosection)") == "{error,badarg}"
    assert own.text("freeswitch:unbind(N, all)") == "ok"
    assert own.name not in cli(own, "erlang bindings")


def test_a_fetch_handler(bound: Erl) -> None:
    own = bound
    own.eval(
        "{ok, P} = freeswitch:start_fetch_handler(N, directory, relay, run, Me), [{started, P, N}] = collect(1, 5000)"
    )
    assert own.name in cli(own, "erlang bindings")
    own.eval(
        "Look(), Answer = fun F() -> receive {got, {fetch, directory, _, _, _, I, Ps}} ->"
        ' case freeswitch:get_event_header(Ps, "user") of "7" -> freeswitch:fetch_reply(N, I, User); _ ->'
        ' freeswitch:fetch_reply(N, I, ""), F() end after 5000 -> none end end'
    )
    assert own.text("[Answer(), Found()]") == '[ok,{ok,"seven"}]'
    own.eval("exit(P, kill)")
    wait_until(lambda: own.name not in cli(own, "erlang bindings"))


# --- directory_example.erl ----------------------------------------------------------------------------------------


def test_a_directory(bound: Erl) -> None:
    own = bound
    own.eval("[{ok, Directory}, {ok, Dialplan}] = directory_example:start(N)")
    assert cli(own, "user_exists id 1000 example.com") == "true"
    assert cli(own, "user_exists id 2000 example.com") == "false"
    assert cli(own, "user_exists id 1000 example.org") == "false"
    assert cli(own, "user_data 1000@example.com param password") == "secret-1000"
    assert cli(own, "user_data 1001@example.com param password") == "secret-1001"
    assert cli(own, "user_data 1000@example.com var effective_caller_id_name") == "Ann & Bob"
    assert own.text("[directory_example:stop(P) || P <- [Directory, Dialplan]]") == "[ok,ok]"
    wait_until(lambda: own.name not in cli(own, "erlang bindings"))
    assert cli(own, "user_exists id 1000 example.com") == "false"


def test_a_dialplan(node: RunningNode, erl: StartErl) -> None:
    own = prepared(node, erl, "originate")
    give_dialplan(node)
    own.eval("[{ok, _}, {ok, _}] = directory_example:start(N)")
    answered = originate(own, "4100/erlang")
    assert answered.startswith("+OK ")
    assert originate(own, "4101/erlang") == "-ERR USER_BUSY"
    assert originate(own, "4999/erlang").startswith("-ERR ")
    from_file = originate(own, "park/default")
    assert from_file.startswith("+OK ")
    for uuid in (answered[4:], from_file[4:]):
        assert cli(own, f"uuid_kill {uuid}") == "+OK"


@pytest.mark.freeswitch
def test_a_directory_for_a_switch_that_comes_back(start_node: StartNode, erl: StartErl, epmd: Epmd) -> None:
    """With binaries then."""
    node = start_node("freeswitch", epmd=epmd)
    own = prepared(node, erl)
    own.eval("[{ok, _}, {ok, _}] = directory_example:start(N)")
    assert cli(own, "user_exists id 1000 example.com") == "true"
    node.kill9()
    start_node("freeswitch", epmd=epmd, encoding="binary")
    wait_until(lambda: cli(own, "user_exists id 1000 example.com") == "true", 15)
    assert cli(own, "user_data 1000@example.com param password") == "secret-1000"
