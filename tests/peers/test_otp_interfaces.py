"""Whatever OTP offers for asking a process of another node returns, asked of ours: what we do not serve is refused,
but at once. What we serve is in test_gen_server.py and test_rpc.py.

N is our node, P its pid. What is not here OTP refuses by itself for a process of another node; or it is `dbg:n`, which
waits for ever for the process that it did not get.
"""

from __future__ import annotations

import re

import pytest

from tests.conftest import RunningNode
from tests.peers.erl import Erl

UNDEF = re.escape("{error,undef}")
RAISES_UNDEF = re.escape("{raised,error,undef}")
STOPPED = r"\{raised,(error,\{try_clause|exit,\{\{badmatch),\{error,undef\}.*"
BADRPC = r"\{badrpc,\{'EXIT',\{undef,\[\{os,cmd,\[\],\[\]\}\]\}\}\}"
RAISED = r"\{exception,undef,\[\{os,cmd,\[\],\[\]\}\]\}"
ENOTSUP = re.escape("{error,enotsup}")
NOT_SPAWNED = r"\{?<\d.*>\}?|\{raised,(error|exit),(notsup|badarg)\}"
"""A pid that is dead since OTP 24; until 23 it raises."""

GEN = {
    "gen_server:call(To, q)": UNDEF,
    "gen_server:call(To, q, infinity)": UNDEF,
    "gen_server:cast(To, q)": "ok",
    "gen_server:wait_response(gen_server:send_request(To, q), infinity)": r"\{reply,\{error,undef\}\}",
    "gen_server:stop(To)": STOPPED,
    "gen_statem:call(To, q)": UNDEF,
    "gen_statem:call(To, q, infinity)": UNDEF,
    "gen_statem:cast(To, q)": "ok",
    "gen_statem:stop(To)": STOPPED,
    "To ! {'$gen_sync_event', {self(), x}, q}, receive {x, R} -> R end": UNDEF,  # gen_fsm, which has left OTP
    "To ! {'$gen_sync_all_state_event', {self(), x}, q}, receive {x, R} -> R end": UNDEF,
    "gen_event:notify(To, e)": "ok",
    "gen_event:sync_notify(To, e)": UNDEF,
    "gen_event:which_handlers(To)": UNDEF,
    "gen_event:add_handler(To, h, a)": UNDEF,
    "gen_event:add_sup_handler(To, h, a)": UNDEF,
    "gen_event:delete_handler(To, h, a)": UNDEF,
    "gen_event:swap_handler(To, {h, a}, {i, b})": UNDEF,
    "gen_event:swap_sup_handler(To, {h, a}, {i, b})": UNDEF,
    "gen_event:call(To, h, q)": UNDEF,
    "gen_event:call(To, h, q, infinity)": UNDEF,
    "gen_event:stop(To)": STOPPED,
    "supervisor:which_children(To)": UNDEF,
    "supervisor:count_children(To)": UNDEF,
    "supervisor:start_child(To, s)": UNDEF,
    "supervisor:terminate_child(To, s)": UNDEF,
    "supervisor:restart_child(To, s)": UNDEF,
    "supervisor:delete_child(To, s)": UNDEF,
    "supervisor:get_childspec(To, s)": UNDEF,
    "proc_lib:stop(To)": STOPPED,
    "proc_lib:stop(To, shutdown, infinity)": STOPPED,
    "sys:get_state(To)": RAISES_UNDEF,
    "sys:get_status(To)": UNDEF,
    "sys:replace_state(To, fun(S) -> S end)": RAISES_UNDEF,
    "sys:suspend(To)": UNDEF,
    "sys:suspend(To, infinity)": UNDEF,
    "sys:resume(To)": UNDEF,
    "sys:change_code(To, m, 1, e)": UNDEF,
    "sys:terminate(To, r)": UNDEF,
    "sys:terminate(To, r, infinity)": UNDEF,
    "sys:log(To, get)": UNDEF,
    "sys:log_to_file(To, false)": UNDEF,
    "sys:trace(To, true)": UNDEF,
    "sys:statistics(To, get)": UNDEF,
    "sys:no_debug(To)": UNDEF,
    "sys:install(To, {fun(_, _, _) -> ok end, s})": UNDEF,
    "sys:remove(To, fun(_, _, _) -> ok end)": UNDEF,
}
"""To: our pid, or any name."""

NODE = {
    "gen_server:multi_call([N], x, q)": r"\{\[\{freeswitch@localhost,\{error,undef\}\}\],\[\]\}",
    "gen_server:multi_call([N], x, q, infinity)": r"\{\[\{freeswitch@localhost,\{error,undef\}\}\],\[\]\}",
    "rpc:call(N, os, cmd, [])": BADRPC,
    "rpc:call(N, os, cmd, [], 4000)": BADRPC,
    "rpc:block_call(N, os, cmd, [])": BADRPC,
    "rpc:block_call(N, os, cmd, [], 4000)": BADRPC,
    "rpc:cast(N, os, cmd, [])": "true",
    "rpc:yield(rpc:async_call(N, os, cmd, []))": BADRPC,
    "rpc:multicall([N], os, cmd, [])": rf"\{{\[{BADRPC}\],\[\]\}}",
    "rpc:multicall([N], os, cmd, [], 4000)": rf"\{{\[{BADRPC}\],\[\]\}}",
    "rpc:eval_everywhere([N], os, cmd, [])": "abcast",
    "rpc:sbcast([N], x, q)": r"\{\[\],\[freeswitch@localhost\]\}",
    "rpc:server_call(N, x, wrapper, q)": r"\{error,nodedown\}",
    "rpc:server_call(N, net_kernel, wrapper, q)": r"\{error,nodedown\}",
    "rpc:multi_server_call([N], x, q)": r"\{\[\],\[freeswitch@localhost\]\}",
    "rpc:pinfo(P)": r"\{badrpc,\{'EXIT',\{undef,.*",
    "rpc:pinfo(P, links)": r"\{badrpc,\{'EXIT',\{undef,.*",
    "{rex, N} ! {self(), {call, os, cmd, [], user}}, receive R -> R end": rf"\{{rex,{BADRPC}\}}",  # ei_rpc
    "erpc:call(N, os, cmd, [])": rf"\{{raised,error,{RAISED}\}}",
    "erpc:call(N, os, cmd, [], 4000)": rf"\{{raised,error,{RAISED}\}}",
    "erpc:cast(N, os, cmd, [])": "ok",
    "erpc:multicall([N], os, cmd, [])": rf"\[\{{error,{RAISED}\}}\]",
    "erpc:multicast([N], os, cmd, [])": "ok",
    "erpc:receive_response(erpc:send_request(N, os, cmd, []))": rf"\{{raised,error,{RAISED}\}}",
    "spawn(N, erlang, node, [])": NOT_SPAWNED,
    "spawn(N, fun() -> ok end)": NOT_SPAWNED,
    "process_flag(trap_exit, true), spawn_link(N, erlang, node, [])": NOT_SPAWNED,
    "spawn_monitor(N, erlang, node, [])": NOT_SPAWNED,
    "process_flag(trap_exit, true), spawn_opt(N, erlang, node, [], [link])": NOT_SPAWNED,
    "spawn_opt(N, erlang, node, [], [monitor])": NOT_SPAWNED,
    "element(3, begin spawn_request(N, erlang, node, []), receive R -> R end end)": "error",
    "net_adm:ping(N)": "pong",
    "net_kernel:connect_node(N)": "true",
    "gen_server:call({net_kernel, N}, q, infinity)": UNDEF,
    "sys:get_status({net_kernel, N})": UNDEF,
    "gen_event:which_handlers({net_kernel, N})": UNDEF,
    "slave:stop(N)": "ok",
    "global:set_lock({x, self()}, [N])": r"\{raised,error,function_clause\}",
    "global:del_lock({x, self()}, [N])": "true",
    "global:trans({x, self()}, fun() -> ok end, [N])": r"\{raised,error,function_clause\}",
    "yes = global:re_register_name(x, P), true = global:whereis_name(x) =:= P, global:unregister_name(x)": "ok",
    "global:sync()": "ok",
    "global_group:registered_names({node, N})": r"\[\]",
    "global_group:whereis_name({node, N}, x)": "undefined",
    "global_group:send({node, N}, x, q)": r"\{badarg,\{x,q\}\}",
    "gen_server:call({application_controller, N}, which_applications, infinity)": UNDEF,
    "gen_server:call({code_server, N}, q, infinity)": UNDEF,
    "disk_log:info(P)": r"\{error,no_such_log\}",
    "link(P), unlink(P)": "true",
    "monitor_node(N, true), monitor_node(N, false)": "true",
    "demonitor(monitor(process, P), [flush, info])": "true",
    "group_leader(P, spawn(fun() -> ok end))": r"true|\{raised,error,badarg\}",
    "exit(P, kill)": "true",
}

IO = {
    'io:put_chars(P, "x")': r"\{raised,error,.*\}",
    'io:put_chars({user, N}, "x")': r"\{raised,error,.*\}",
    'io:format(P, "x", [])': r"\{raised,error,.*\}",
    "io:nl(P)": r"\{raised,error,.*\}",
    'io:get_line(P, "")': ENOTSUP,
    'io:fread(P, "", "~d")': ENOTSUP,
    'io:read(P, "")': ENOTSUP,
    'io:scan_erl_exprs(P, "")': ENOTSUP,
    "io:getopts(P)": ENOTSUP,
    "io:setopts(P, [])": ENOTSUP,
    "io:columns(P)": ENOTSUP,
    "file:read(P, 10)": ENOTSUP,
    "file:read_line(P)": ENOTSUP,
    'file:write(P, "x")': ENOTSUP,
    "file:pread(P, 0, 10)": ENOTSUP,
    'file:pwrite(P, 0, "x")': ENOTSUP,
    "file:position(P, 0)": ENOTSUP,
    "file:truncate(P)": ENOTSUP,
    "file:datasync(P)": ENOTSUP,
    "file:sync(P)": ENOTSUP,
    "file:advise(P, 0, 0, normal)": ENOTSUP,
    "file:allocate(P, 0, 0)": ENOTSUP,
    "file:close(P)": ENOTSUP,
}


def returned(node: RunningNode, peer: Erl, expression: str) -> str:
    """What comes of it within 5 seconds, in a process of its own."""
    peer.eval(f"N = '{node.name}', {{ok, P}} = request(N, getpid), ok")
    body = f"try {expression} catch C:E -> {{raised, C, E}} end"
    source = f"{{_, M}} = spawn_monitor(fun() -> exit({{returned, begin {body} end}}) end)"
    return peer.text(
        f"(fun() -> {source}, receive {{'DOWN', M, _, _, {{returned, X}}}} -> X; {{'DOWN', M, _, _, X}} -> {{died, X}}"
        " after 5000 -> hangs end end)()"
    )


@pytest.mark.parametrize("to", ["P", "{x, N}"], ids=["pid", "name"])
@pytest.mark.parametrize("expression", GEN)
def test_a_process(node: RunningNode, peer: Erl, expression: str, to: str) -> None:
    assert re.fullmatch(GEN[expression], returned(node, peer, expression.replace("To", to)))


@pytest.mark.parametrize("expression", NODE)
def test_a_node(node: RunningNode, peer: Erl, expression: str) -> None:
    assert re.fullmatch(NODE[expression], returned(node, peer, expression))


@pytest.mark.parametrize("expression", IO)
def test_an_io_device(node: RunningNode, peer: Erl, expression: str) -> None:
    assert re.fullmatch(IO[expression], returned(node, peer, expression))


def test_mnesia(node: RunningNode, peer: Erl) -> None:
    if peer.text("mnesia:start()").startswith("{error"):
        pytest.skip("not installed: mnesia (erlang-mnesia)")
    try:
        assert returned(node, peer, "mnesia:change_config(extra_db_nodes, [N])") == "{ok,[]}"
        assert returned(node, peer, "mnesia:create_schema([N])").startswith("{error")
    finally:
        peer.text("mnesia:stop()")


def test_a_log_event_of_a_process_whose_group_leader_we_are(node: RunningNode, peer: Erl) -> None:
    """It comes from OTP's logger_proxy, which an answer would end."""
    proxy = peer.text("whereis(logger_proxy)")
    assert returned(node, peer, 'logger:log(error, "told elsewhere", #{gl => P})') == "ok"
    assert returned(node, peer, "error_logger:error_report([{gl, P}])") == "ok"
    assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert peer.text("sys:get_status(logger_proxy), whereis(logger_proxy)") == proxy
