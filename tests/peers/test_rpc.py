"""Functions called here from a real Erlang node, by rpc and erpc: the requests, and no others."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
from pathlib import Path

import pytest

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.peers.test_calls import hang_up, parked
from tests.peers.test_otp_interfaces import returned
from tests.waiting import DEADLINE

WAYS = {
    "rpc:call(N, M, F, A)": "Value",
    "rpc:call(N, M, F, A, 5000)": "Value",
    "rpc:block_call(N, M, F, A)": "Value",
    "rpc:block_call(N, M, F, A, 5000)": "Value",
    "rpc:yield(rpc:async_call(N, M, F, A))": "Value",
    "rpc:multicall([N], M, F, A)": "{[Value],[]}",
    "rpc:multicall([N, nobody@localhost], M, F, A, 5000)": "{[Value],[nobody@localhost]}",
    "erpc:call(N, M, F, A)": "Value",
    "erpc:call(N, M, F, A, 5000)": "Value",
    "erpc:multicall([N], M, F, A)": "[{ok,Value}]",
    "erpc:multicall([N, nobody@localhost], M, F, A, 5000)": "[{ok,Value},{error,{erpc,noconnection}}]",
    "erpc:receive_response(erpc:send_request(N, M, F, A))": "Value",
    "{rex, N} ! {self(), {call, M, F, A, user}}, receive {rex, R} -> R end": "Value",  # ei_rpc
}
FUNCTIONS = {
    '{freeswitch, api, [echo, "x"]}': '{ok,"x"}',
    '{freeswitch, api, [echo, <<"x">>]}': '{ok,"x"}',
    "{freeswitch, api, [echo]}": '{error,"Command returned no output!"}',
    '{freeswitch, api, [uuid_kill, "nosuch"]}': '{error,"-ERR No such channel!\\n"}',
    "{freeswitch, api, [echo, #{}]}": "{error,badarg}",
    "{freeswitch, link, []}": "ok",
    "{freeswitch, event, ['CUSTOM', 'py::rpc']}": "ok",
    "{freeswitch, nixevent, ['CUSTOM', 'py::rpc']}": "ok",
    "{freeswitch, sendevent, ['CUSTOM', 'py::rpc', [{\"N\", 1}]]}": "ok",
    '{freeswitch, sendmsg, ["nosuch", []]}': "{error,nosession}",
    '{freeswitch, handlecall, ["nosuch"]}': "{error,badsession}",
    '{freeswitch, fetch_reply, ["nosuch", ""]}': "{error,invalid_uuid}",
    "{freeswitch, nolog, []}": "ok",
    "{erlang, node, []}": "freeswitch@localhost",
    "{erlang, is_process_alive, [P]}": "true",
    "{code, ensure_loaded, [shell]}": "{error,nofile}",
    "{code, ensure_loaded, [freeswitch]}": "{module,freeswitch}",
}
NONE = [
    'os, cmd, ["id"]',
    "erlang, halt, []",
    "init, stop, []",
    "erlang, apply, [freeswitch, getpid, []]",
    "code, load_binary, [m, [], <<>>]",
    "observer_backend, sys_info, []",
    "freeswitch, nosuch, []",
    "freeswitch, api, []",
    "freeswitch, getpid, [now]",
    "freeswitch, '$gen_call', [{self(), x}, getpid]",
    "freeswitch, rex, [{make_ref(), self()}]",
    "freeswitch, io_request, [self(), x, y]",
    "freeswitch, '__init__', []",
    "'Elixir.System', cmd, []",
]
"""Other functions: the operating system's, Erlang's, what tools would load, Python's."""


@pytest.mark.parametrize("way", WAYS)
def test_every_way(node: RunningNode, peer: Erl, way: str) -> None:
    for function, value in FUNCTIONS.items():
        got = returned(node, peer, f"{{M, F, A}} = {function}, {way}")
        assert got == WAYS[way].replace("Value", value), function


@pytest.mark.parametrize("function", NONE)
def test_there_are_no_others(node: RunningNode, peer: Erl, function: str) -> None:
    undef = r"\{undef,\[\{.*,\[\]\}\]\}"
    badrpc = rf"\{{badrpc,\{{'EXIT',{undef}\}}\}}"
    for way in ("rpc:call(N, M)", "rpc:block_call(N, M)", "rpc:yield(rpc:async_call(N, M))"):
        assert re.fullmatch(badrpc, returned(node, peer, way.replace("M", function)))
    raised = returned(node, peer, f"erpc:call(N, {function})")
    assert re.fullmatch(r"\{raised,error,\{exception,undef,\[\{.*,\[\]\}\]\}\}", raised)
    assert returned(node, peer, f"element(1, hd(erpc:multicall([N], {function})))") == "error"
    for way in ("rpc:cast(N, M)", "erpc:cast(N, M)", "rpc:eval_everywhere([N], M)", "erpc:multicast([N], M)"):
        assert returned(node, peer, way.replace("M", function)) in ("true", "ok", "abcast")


def test_funs_are_not_run(node: RunningNode, peer: Erl) -> None:
    """What recon and Elixir's :erpc.call/2 send."""
    assert returned(node, peer, "erpc:call(N, fun() -> node() end)").startswith(
        "{raised,error,{exception,undef,[{erlang,"
    )
    assert returned(node, peer, "rpc:multicall([N], erlang, apply, [fun() -> {node(), 1} end, []])").startswith(
        "{[{badrpc,{'EXIT',{undef,[{erlang,apply,"
    )


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("net_adm:ping(N)", "pong"),
        ("rpc:call(N, erlang, node, [])", "freeswitch@localhost"),
        ("rpc:call(node(P), erlang, is_process_alive, [P])", "true"),
        ("rpc:call(N, erlang, whereis, [net_kernel]) =:= P", "true"),
        ("element(1, rpc:call(N, observer_backend, sys_info, []))", "badrpc"),
        ("rpc:block_call(N, code, ensure_loaded, [rb])", "{error,nofile}"),
        ("rpc:block_call(N, application, which_applications, [])", "{badrpc,{'EXIT',{undef,.*"),
        ("lists:member(N, nodes(hidden)) andalso not lists:member(N, nodes())", "true"),
    ],
)
def test_what_tools_ask_first(node: RunningNode, peer: Erl, expression: str, answer: str) -> None:
    got = returned(node, peer, expression)
    assert got == answer or (".*" in answer and got.startswith(answer.removesuffix(".*")))


def test_no_process_is_spawned(node: RunningNode, peer: Erl) -> None:
    """It is a pid that has ended already; OTP 23 raises notsup."""
    reply = "spawn_request(N, freeswitch, getpid, [], []), receive R -> element(4, R) end"
    assert returned(node, peer, reply) == "notsup"
    ended = "monitor(process, spawn(N, os, cmd, [[]])), receive D -> element(5, D) end"
    assert returned(node, peer, ended) in ("notsup", "noproc", "{raised,error,notsup}")
    assert peer.request(node.name, "getpid").startswith("{ok,")


def test_a_remote_shell_is_refused(node: RunningNode, tmp_path: Path) -> None:
    """It says so. Only with a terminal is there one."""
    naming = ["-sname", "remsh@localhost", "-setcookie", node.cookie, "-start_epmd", "false"]
    command = ["erl", *naming, "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-remsh", node.name]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ERL_")}
    environment = {**kept, "ERL_EPMD_PORT": str(node.epmd_port), "HOME": str(tmp_path), "TERM": "xterm"}
    ours, terminal = pty.openpty()
    printed = ""
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment) as shell:
        os.close(terminal)
        while not re.search("Could not load|Shell process terminated", printed):
            readable, _, _ = select.select([ours], [], [], DEADLINE)
            assert readable, printed
            printed += os.read(ours, 4096).decode(errors="replace")
        shell.kill()
    os.close(ours)
    assert "freeswitch@localhost)1>" not in printed


def test_a_late_answer_reaches_nobody(node: RunningNode, peer: Erl) -> None:
    """The next call of the process is answered after it."""
    for way in (
        "rpc:call(N, freeswitch, api, [msleep, \"400\"], 50)",
        "rpc:block_call(N, freeswitch, api, [msleep, \"400\"], 50)",
        "erpc:call(N, freeswitch, api, [msleep, \"400\"], 50)",
        "erpc:multicall([N], freeswitch, api, [msleep, \"400\"], 50)",
    ):  # fmt: skip
        late = f"catch {way}, {{ok, P}} = rpc:call(N, freeswitch, getpid, []), receive M -> M after 0 -> none end"
        assert returned(node, peer, late) == "none", way


def test_what_comes_later_comes_as_a_message(node: RunningNode, peer: Erl) -> None:
    job = '{ok, J} = rpc:call(N, freeswitch, bgapi, [echo, "x"]), receive {bgok, J, O} -> O after 5000 -> none end'
    assert returned(node, peer, job) == '"x"'


def test_who_calls_is_registered(node: RunningNode, erl: StartErl) -> None:
    other = erl(node)
    other.eval(f"N = '{node.name}', F = fun(F, A) -> rpc:call(N, freeswitch, F, A) end")
    assert other.text("[F(register_event_handler, []), F(event, ['CUSTOM', 'py::rpc'])]") == "[ok,ok]"
    other.eval("rpc:cast(N, freeswitch, sendevent, ['CUSTOM', 'py::rpc', [{\"N\", \"1\"}]])")
    assert other.text('receive {event, [_ | H]} -> proplists:get_value("N", H) after 5000 -> none end') == '"1"'
    assert other.text("{ok, P} = F(getpid, []), element(2, process_info(self(), links)) =:= [P]") == "true"
    assert other.text("[F(noevents, []), flush()]") == "[ok,[]]"


def test_a_call_is_taken_by_who_calls(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    peer.eval(f"ok = erpc:call('{node.name}', freeswitch, handlecall, [\"{uuid}\"])")
    assert peer.text(f'receive {{call, {{event, ["{uuid}" | _]}}}} -> mine after 5000 -> none end') == "mine"
    hang_up(node, peer, uuid)
    assert peer.text(f'receive {{call_hangup, "{uuid}"}} -> over after 5000 -> none end') == "over"


def test_an_answer_that_comes_once_a_call_is_done(node: RunningNode, peer: Erl) -> None:
    """`execute` answers later."""
    uuid = parked(node, peer)
    for way in (
        f'gen_server:call(P, {{execute, "{uuid}", set, "a=b"}})',
        f'rpc:call(N, freeswitch, execute, ["{uuid}", set, "a=b"])',
        f'erpc:call(N, freeswitch, execute, ["{uuid}", set, "a=b", #{{loops => 1}}])',
        f'rpc:yield(rpc:async_call(N, freeswitch, execute, ["{uuid}", set, "a=b"]))',
    ):
        assert returned(node, peer, f"element(1, {way})") == "ok", way
    hang_up(node, peer, uuid)


def test_many_callers_at_once_leave_nothing_behind(node: RunningNode, erl: StartErl) -> None:
    """Some give up, and some die, before the answer is there."""
    other = erl(node)
    other.eval(f"N = '{node.name}', pong = net_adm:ping(N)")
    other.eval(
        'Call = fun(T) -> fun() -> catch erpc:call(N, freeswitch, api, [msleep, "200"], T),'
        ' {ok, "y"} = erpc:call(N, freeswitch, api, [echo, "y"]) end end, ok'
    )
    other.eval("Ps = [spawn_monitor(Call(T)) || T <- [infinity, 20], _ <- lists:seq(1, 100)]")
    other.eval("Dying = [element(1, spawn_monitor(Call(infinity))) || _ <- lists:seq(1, 100)]")
    other.eval("[exit(P, kill) || P <- Dying]")
    ends = other.text(
        "lists:sort([receive {'DOWN', _, _, _, R} -> R after 9000 -> hangs end || _ <- lists:seq(1, 300)])", 30
    )
    assert ends.count("normal") == 200
    assert ends.count("killed") == 100
    assert other.text("flush()") == "[]"
    assert "Invalid distribution" not in other.output()
    assert "spawn_reply" not in other.output()
    assert other.request(node.name, "getpid").startswith("{ok,")


def test_an_answer_of_a_megabyte(node: RunningNode, peer: Erl) -> None:
    got = returned(
        node, peer, "{ok, X} = erpc:call(N, freeswitch, api, [echo, binary:copy(<<$x>>, 1000000)]), length(X)"
    )
    assert got == "1000000"


def test_a_call_over_a_limit_is_refused(node: RunningNode, peer: Erl) -> None:
    deep = "lists:foldl(fun(_, T) -> {T} end, x, lists:seq(1, 100))"
    assert (
        returned(node, peer, f"erpc:call(N, freeswitch, api, [echo, {deep}])") == "{raised,error,{erpc,system_limit}}"
    )
    assert returned(node, peer, f"rpc:call(N, freeswitch, api, [echo, {deep}])") == "{badrpc,{'EXIT',system_limit}}"
    assert returned(node, peer, f"gen_server:call(P, {{api, echo, {deep}}})") == "{error,badarg}"
