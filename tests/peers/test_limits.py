"""The limits of docs/settings.md: each is set low while nodes are connected, reached by one of them, told as the page
has it, and reached by nobody once it is as before. Another node is answered all the while."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from mod_erlang_py.config.limits import PARSERS
from mod_erlang_py.errors import HandshakeError
from scripts.epmd import Epmd
from scripts.scratch import free_port
from scripts.trials.client import Client
from tests.conftest import RunningNode, StartErl, _Shared
from tests.peers.erl import Erl
from tests.peers.test_calls import parked
from tests.peers.test_console import configure
from tests.waiting import DEADLINE, wait_until

KINDS = [pytest.param("simulated"), pytest.param("freeswitch", marks=pytest.mark.freeswitch)]

PRELUDE = """
N = '%s', Me = self(),
Ask = fun(T) -> {foo, N} ! T, receive R -> R after 5000 -> timeout end end,
Each = fun(Funs) ->
    Pids = [spawn(fun() -> receive go -> Me ! {self(), F()} end, receive stop -> ok end end) || F <- Funs],
    Got = [begin P ! go, receive {P, R} -> R after 5000 -> timeout end end || P <- Pids],
    [exit(P, kill) || P <- Pids], Got end,
Tag = fun({ok, _}) -> ok; (R) -> R end,
Jobs = fun(Count) ->
    Got = [Tag(Ask({bgapi, msleep, "200"})) || _ <- lists:seq(1, Count)],
    [receive {bgok, _, _} -> ok after 5000 -> exit(no_bgok) end || ok <- Got], Got end,
{ok, Pid} = request(N, getpid),
ok
"""
"""    Ask(Term)     the answer to it, here
    Each(Funs)    what each returns, one after the other, in processes that live until all have
    Tag(Answer)   `ok` in place of `{ok, _}`
    Jobs(Count)   what so many `bgapi` are answered, once all are done"""


@dataclass
class Bench:
    """A node of ours, and two that are connected to it. peer: reaches the limits. other: is answered meanwhile.

    call: a UUID.
    """

    node: RunningNode
    peer: Erl
    other: Erl
    call: str = ""
    _told: int = field(default=0, init=False)

    def limit(self, **limits: str) -> None:
        """Those, and all others as by default, by `erlang reload`; the log counts from here on."""
        configure(self.node, **limits)
        answer = self.other.request(self.node.name, '{api, erlang, "reload"}')
        assert answer.startswith('{ok,"+OK '), answer
        assert "wrong" not in answer
        self._told = len(self.node.log())

    def log(self) -> str:
        return self.node.log()[self._told :]

    def wait_told(self, text: str) -> None:
        wait_until(lambda: text in self.log(), DEADLINE, self.log)

    def others_are_answered(self) -> None:
        assert self.other.request(self.node.name, '{api, echo, "as ever"}') == '{ok,"as ever"}'

    def links(self) -> set[str]:
        printed = self.other.request(self.node.name, '{api, erlang, "listeners"}')
        return set(re.findall(r"Listener to (\S+) ", printed))


@pytest.fixture(scope="module", params=KINDS)
def bench(request: pytest.FixtureRequest, _shared: _Shared) -> Iterator[Bench]:
    with ExitStack() as stack:
        epmd = Epmd(free_port())
        stack.callback(epmd.stop)
        node = _shared.launcher.start(request.param, epmd.port, {})
        stack.callback(node.kill9)

        def erl(name: str) -> Erl:
            peer = Erl(name, folder=_shared.erl_folder, epmd_port=epmd.port, cookie=node.cookie)
            stack.callback(peer.close)
            peer.eval(PRELUDE % node.name)
            return peer

        bench = Bench(node, erl("limited"), erl("other"))
        bench.call = parked(node, bench.other)
        bench.peer.eval(f'Call = "{bench.call}", ok')
        yield bench


# --- what a request reaches ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """limits: as low as to be reached. ask: what reaches them. refused: its value then. told: in the log. otherwise:
    its value with the default."""

    limits: Mapping[str, str]
    ask: str
    refused: str
    told: str
    otherwise: str


EXECUTES = (
    'Each([fun() -> {foo, N} ! {execute, Call, playback, "tone_stream://%(60000,0,440)"}, Ask({session_noevents}) end,'
    ' fun() -> Ask({execute, Call, answer, "", #{timeout => 300}}) end])'
)
"""One that somebody waits for, whose sender's next request is answered at once; and another one."""

MUTE = """
%s = spawn(fun() -> {foo, N} ! {bind, directory}, receive ok -> Me ! bound end,
    (fun F() -> receive M when element(1, M) =:= fetch -> Me ! asked, F() end end)() end),
receive bound -> ok after 5000 -> exit(not_bound) end,
"""
"""A process that is asked, and answers nothing."""

FETCHES = (
    MUTE % "B"
    + """Look = fun() -> spawn(fun() -> Ask({api, user_data, "7@example.com param password"}), Me ! found end) end,
Look(), asked = receive First -> First after 5000 -> none end,
Look(), Second = receive Next -> Next after 5000 -> none end,
exit(B, kill),
[receive found -> ok after 4000 -> exit(not_found) end || _ <- [1 | [2 || Second =:= asked]]], flush(), Second
"""
)
"""A look-up that nobody answers, and another one."""

REGEXES = """
(fun() ->
    Burns = [begin {ok, R} = Ask({subscribe, [{'CUSTOM', burns}], [{filter, [{"X", regex, "^((a|b)+)+$"}]}]}), R end
        || _ <- lists:seq(1, 20)],
    [{foo, N} ! {sendevent, 'CUSTOM', burns, [{"X", X}]} || X <- ["aaaaaaaaaaaac", "aaaaaaaaaaaac", "a"]],
    [receive ok -> ok after 5000 -> exit(timeout) end || _ <- [1, 2, 3]],
    Last = erlang:monotonic_time(millisecond) + 500,
    Got = [receive {event, R, _} -> 1
        after max(0, Last - erlang:monotonic_time(millisecond)) -> 0 end || R <- Burns],
    ok = Ask({unsubscribe, all}),
    lists:sum(Got) =:= 20
end)()
"""
"""Whether all of twenty get the event after two for which their expressions go back and forth."""

ROWS = {
    "max-term-elements": Row(
        {"max_term_elements": "4096"},
        "Ask({nosuch, lists:duplicate(5000, {})})",
        "{error,badarg}",
        "refused: term of over 4096 elements",
        "{error,undef}",
    ),
    "max-term-depth": Row(
        {"max_term_depth": "8"},
        "Ask({nosuch, lists:foldl(fun(_, T) -> {T} end, x, lists:seq(1, 9))})",
        "{error,badarg}",
        "refused: term of over 8 levels",
        "{error,undef}",
    ),
    "max-term-bytes": Row(
        {"max_term_bytes": "4096"},
        "Ask({nosuch, <<0:40000>>})",
        "{error,badarg}",
        "refused: term of 50",
        "{error,undef}",
    ),
    "max-running-jobs": Row(
        {"max_running_jobs": "1", "max_waiting_jobs": "1"},
        "Jobs(3)",
        "[ok,ok,{error,system_limit}]",
        "max-waiting-jobs: 1 jobs wait already",
        "[ok,ok,ok]",
    ),
    "max-waiting-jobs": Row(
        {"max_running_jobs": "1", "max_waiting_jobs": "0"},
        "Jobs(2)",
        "[ok,{error,system_limit}]",
        "max-waiting-jobs: 0 jobs wait already",
        "[ok,ok]",
    ),
    "max-job-bytes": Row(
        {"max_job_bytes": "4096"},
        '(fun() -> R = Tag(Ask({bgapi, msleep, "1", "a-job", lists:duplicate(100, [])})),'
        " receive {bgok, _, _} -> R after 500 -> R end end)()",
        "{error,system_limit}",
        "max-job-bytes: jobs of 0 bytes run or wait already",
        "ok",
    ),
    "max-subscriptions": Row(
        {"max_subscriptions": "1"},
        "Each(lists:duplicate(2, fun() -> Tag(Ask({subscribe, 'HEARTBEAT'})) end))",
        "[ok,{error,system_limit}]",
        "max-subscriptions: 1 subscriptions go to limited@localhost",
        "[ok,ok]",
    ),
    "max-executes": Row(
        {"max_executes": "1"},
        EXECUTES,
        "[{error,undef},{error,system_limit}]",
        "max-executes: 1 executes are waited for already",
        "[{error,undef},{error,timeout}]",
    ),
    "max-executes-per-node": Row(
        {"max_executes_per_node": "1"},
        EXECUTES,
        "[{error,undef},{error,system_limit}]",
        "max-executes-per-node: 1 executes of limited@localhost are waited for already",
        "[{error,undef},{error,timeout}]",
    ),
    "max-fetches": Row(
        {"max_fetches": "1"},
        f"(fun() -> {FETCHES} end)()",
        "found",
        "max-fetches: 1 look-ups are under way already: one for directory finds nothing",
        "asked",
    ),
    "max-regex-ms-per-second": Row(
        {"max_regex_ms_per_second": "1"},
        REGEXES,
        "false",
        "max-regex-ms-per-second: limited@localhost: the regular expressions of its filters took ",
        "true",
    ),
    "max-process-links": Row(
        {"max_process_links": "1"},
        "Each(lists:duplicate(2, fun() -> process_flag(trap_exit, true), link(Pid), Tag(Ask(getpid)) end))",
        "[ok,{'EXIT',PID,system_limit}]",
        "max-process-links: 1 processes of limited@localhost are linked: ",
        "[ok,ok]",
    ),
    "max-process-links by a request": Row(
        {"max_process_links": "1"},
        "Each([fun() -> link(Pid), Tag(Ask(getpid)) end, fun() -> Ask({bind, chatplan}) end])",
        "[ok,{error,system_limit}]",
        "refused: max-process-links: 1 processes of limited@localhost are linked",
        "[ok,ok]",
    ),
    "max-monitors": Row(
        {"max_monitors": "1"},
        "Each(lists:duplicate(2, fun() -> M = monitor(process, {foo, N}),"
        " {foo, N} ! getpid, receive {'DOWN', M, process, {foo, N}, R} -> R; {ok, _} -> ok end end))",
        "[ok,system_limit]",
        "max-monitors: processes of limited@localhost have 1: ",
        "[ok,ok]",
    ),
}


@pytest.mark.parametrize("limit", ROWS)
def test_what_a_request_reaches(bench: Bench, limit: str) -> None:
    row, peer = ROWS[limit], bench.peer
    expected = row.refused.replace("PID", peer.text("Pid"))
    assert peer.text(row.ask) == row.otherwise
    _settled(bench)
    bench.limit(**row.limits)
    assert peer.text(row.ask) == expected
    bench.wait_told(row.told)
    bench.others_are_answered()
    _settled(bench)
    bench.limit()
    assert peer.text(row.ask) == row.otherwise
    assert row.told not in bench.log()
    _settled(bench)


def _settled(bench: Bench) -> None:
    """Nobody waits for an execute any more."""

    def status() -> str:
        return bench.other.request(bench.node.name, '{api, erlang, "status"}')

    wait_until(lambda: "executes   0 waited for" in status(), DEADLINE, status)


def test_each_limit_is_reached_here() -> None:
    of_this_file = {name for row in ROWS.values() for name in row.limits}
    elsewhere = {"max-frame-bytes", "max-waiting-requests", "max-waiting-request-bytes", "max-running-requests"}
    elsewhere |= {"max-waiting-request-bytes-total"}
    elsewhere |= {"max-half-open", "max-nodes", "max-nodes-per-address", "max-log-lines-per-minute"}
    assert {name.replace("_", "-") for name in of_this_file} | elsewhere == {*PARSERS}


# --- what ends the link -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "ask", "told"),
    [
        ({"max_frame_bytes": "4096"}, "{foo, N} ! <<0:40000>>", "frame of 50"),
        (
            {"max_waiting_requests": "3"},
            '[{foo, N} ! {api, msleep, "100"} || _ <- lists:seq(1, 10)]',
            "max-waiting-requests: 3 requests of <limited@localhost.",
        ),
        (
            {"max_waiting_request_bytes": "8192"},
            '[{foo, N} ! {api, msleep, "100"} || _ <- lists:seq(1, 10)]',
            "max-waiting-request-bytes: ",
        ),
        (
            {"max_waiting_request_bytes_total": "4096"},
            '[{foo, N} ! {api, msleep, "100", lists:duplicate(5000, [])} || _ <- lists:seq(1, 10)]',
            "max-waiting-request-bytes-total: it has most of ",
        ),
    ],
    ids=[
        "max-frame-bytes",
        "max-waiting-requests",
        "max-waiting-request-bytes",
        "max-waiting-request-bytes-total",
    ],
)
def test_what_ends_the_link(bench: Bench, limits: dict[str, str], ask: str, told: str) -> None:
    """Of the node that reaches it; it connects again with its next message."""
    peer = bench.peer
    bench.limit(**limits)
    assert peer.request(bench.node.name, '{api, echo, "x"}') == '{ok,"x"}'
    down = "receive {nodedown, N} -> down after 5000 -> up end"
    assert peer.text(f"true = monitor_node(N, true), {ask}, {down}") == "down"
    bench.wait_told(f"node down: limited@localhost, {told}")
    bench.others_are_answered()
    assert "node down: other@localhost" not in bench.log()
    bench.limit()
    assert peer.request(bench.node.name, '{api, echo, "x"}') == '{ok,"x"}'
    answered = "(fun F() -> receive {ok, Pid} -> ok; {nodedown, N} -> down; _ -> F() after 5000 -> none end end)()"
    assert peer.text(f"flush(), {ask}, {{foo, N}} ! getpid, {answered}") == "ok"
    peer.eval("monitor_node(N, false)")


# --- what waits ---------------------------------------------------------------------------------------------------


def test_running_requests(bench: Bench) -> None:
    """With one that keeps a thread, another process waits for its end; of the same node, and of no other."""
    ask = (
        'spawn(fun() -> Me ! {slow, Ask({api, user_data, "7@example.com param password"})} end),'
        " receive asked -> ok after 5000 -> exit(not_asked) end,"
        " spawn(fun() -> Me ! {quick, Ask(getpid)} end), ok"
    )
    first = "element(1, hd(collect(1, 5000)))"
    bench.limit(max_running_requests="1", fetch_timeout="60")
    bench.peer.eval(f"flush(), {MUTE % 'Mute1'} {ask}")
    bench.others_are_answered()
    assert bench.peer.text("flush()") == "[]"
    bench.peer.eval("exit(Mute1, kill), ok")
    assert [bench.peer.text(first), bench.peer.text(first)] == ["slow", "quick"]
    bench.limit(fetch_timeout="60")
    bench.peer.eval(f"{MUTE % 'Mute2'} {ask}")
    assert bench.peer.text(first) == "quick"
    bench.peer.eval("exit(Mute2, kill), ok")
    assert bench.peer.text(first) == "slow"
    bench.limit()


LOOKED_UP = """
Holds = spawn(fun() -> {foo, N} ! {bind, directory}, receive ok -> Me ! bound end,
    receive M when element(1, M) =:= fetch -> Me ! asked end, receive stop -> ok end end),
receive bound -> ok after 5000 -> exit(not_bound) end
"""
"""Holds: a process that keeps a look-up waiting until it ends."""


def test_requests_that_a_node_left_behind(bench: Bench) -> None:
    """With as many as it may have it is not let in before they are done, and knows why; others are."""
    peer, other, node = bench.peer, bench.other, bench.node
    ping = "net_adm:ping(N)"
    other.eval(LOOKED_UP)
    bench.limit(max_running_requests="1")
    peer.eval('spawn(fun() -> Ask({api, user_data, "7@example.com param password"}) end)')
    assert other.text("receive asked -> asked after 5000 -> none end") == "asked"
    peer.eval("erlang:disconnect_node(N)")
    wait_until(lambda: bench.links() == {other.name})
    assert peer.text(ping) == "pang"
    told = "max-running-requests: 1 requests of its earlier connections still run"
    bench.wait_told(f"refused: status: {told}: limited@localhost is not let in")
    connected = other.request(node.name, '{api, erlang, "connect limited@localhost"}')
    assert connected.startswith(f'{{error,"-ERR no connection to limited@localhost: {told}')
    bench.limit(max_running_requests="2")
    assert peer.text(ping) == "pong"
    bench.limit(max_running_requests="1")
    assert peer.text(ping) == "pong"  # who is connected stays
    peer.eval("erlang:disconnect_node(N)")
    other.eval("exit(Holds, kill)")
    wait_until(lambda: peer.text(ping) == "pong")
    bench.limit()


# --- who connects -------------------------------------------------------------------------------------------------


def test_half_open_connections(bench: Bench) -> None:
    """Whoever is connected stays; of those that say nothing the oldest makes way."""
    bench.limit(max_half_open="2")
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", bench.node.port), DEADLINE)) for _ in range(3)
        ]
        assert silent[0].recv(1) == b""
        bench.wait_told("max-half-open: 2 connections in their handshake: closing one of 127.0.0.1:")
        bench.others_are_answered()
        assert bench.links() == {"limited@localhost", "other@localhost"}
        bench.limit()
        silent += [
            stack.enter_context(socket.create_connection(("127.0.0.1", bench.node.port), DEADLINE)) for _ in range(10)
        ]
        silent[1].settimeout(0.3)
        with pytest.raises(TimeoutError):
            silent[1].recv(1)
        assert "max-half-open:" not in bench.log()


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("max_nodes", "max-nodes: 2 nodes are connected: third@localhost is not let in"),
        (
            "max_nodes_per_address",
            "max-nodes-per-address: 2 nodes are connected from 127.0.0.1: third@localhost is not let in",
        ),
    ],
    ids=["max-nodes", "max-nodes-per-address"],
)
def test_a_node_too_many(bench: Bench, erl: StartErl, limit: str, told: str) -> None:
    """It is told `not_allowed`; those that are connected may connect anew; a higher limit lets it in."""
    node = bench.node
    third = erl(node, name="third")
    ping = f"net_adm:ping('{node.name}')"
    bench.limit(**{limit: "2"})
    assert bench.links() == {"limited@localhost", "other@localhost"}
    assert third.text(ping) == "pang"
    bench.wait_told(f"refused: status: {told}")
    assert bench.log().count("third@localhost") == 1
    with pytest.raises(HandshakeError, match="not_allowed"):
        Client(node.port, to=node.name)
    assert not re.search("error|fail", third.output(), re.IGNORECASE)
    bench.others_are_answered()
    assert bench.peer.text("erlang:disconnect_node(N)") == "true"
    wait_until(lambda: bench.links() == {"other@localhost"})
    assert third.text(ping) == "pong"
    assert bench.peer.text("net_adm:ping(N)") == "pang"
    bench.limit(**{limit: "3"})
    assert bench.peer.text("net_adm:ping(N)") == "pong"
    assert bench.links() == {"limited@localhost", "other@localhost", "third@localhost"}
    bench.limit(**{limit: "1"})
    assert [one.text(f"net_adm:ping('{node.name}')") for one in (bench.peer, bench.other, third)] == ["pong"] * 3
    third.close()
    wait_until(lambda: "third@localhost" not in bench.links())
    bench.limit()


def test_a_node_that_is_dialled_is_one_too_many(bench: Bench, erl: StartErl) -> None:
    """max-nodes counts it, max-nodes-per-address lets it pass."""
    third = erl(bench.node, name="third")
    connect = f'{{api, erlang, "connect {third.name}"}}'
    bench.limit(max_nodes="2")
    assert bench.other.request(bench.node.name, connect) == (
        '{error,"-ERR no connection to third@localhost: max-nodes: 2 nodes are connected\\n"}'
    )
    assert third.text("nodes(hidden)") == "[]"
    bench.limit(max_nodes_per_address="2")
    assert bench.other.request(bench.node.name, connect).startswith('{ok,"+OK')
    third.close()
    wait_until(lambda: "third@localhost" not in bench.links())
    bench.limit()


# --- what is left out ---------------------------------------------------------------------------------------------


def test_log_lines(bench: Bench) -> None:
    """Those about one node; the lines about another one are written."""
    bad = "Ask({nosuch, lists:foldl(fun(_, T) -> {T} end, x, lists:seq(1, 70))})"
    told = "refused: term of over 64 levels"
    bench.limit(max_log_lines_per_minute="1000")
    before = bench.log().count(told)
    assert bench.peer.text(f"[{bad} || _ <- lists:seq(1, 30)], ok") == "ok"
    wait_until(lambda: bench.log().count(told) == before + 30, DEADLINE, bench.log)
    bench.limit(max_log_lines_per_minute="31")
    assert bench.peer.text(f"[{bad} || _ <- lists:seq(1, 30)], ok") == "ok"
    bench.wait_told("further lines about limited@localhost are left out until a minute is over, and counted")
    assert bench.log().count(told) < 2
    assert bench.other.text(bad) == "{error,badarg}"
    wait_until(lambda: "other@localhost: a message of" in bench.log(), DEADLINE, bench.log)
    bench.limit()
