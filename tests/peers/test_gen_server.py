"""Requests by OTP's calls and casts, from a real Erlang node: term for term what a message gets."""

from __future__ import annotations

import re

import pytest

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.peers.test_calls import hang_up, parked
from tests.peers.test_errors import ERRORS, STRANGERS, hang_up_all, with_everything
from tests.peers.test_otp_interfaces import returned
from tests.waiting import wait_until

WAYS = {
    "gen_server:call(To, Q)": "Answer",
    "gen_server:call(To, Q, infinity)": "Answer",
    "gen_statem:call(To, Q)": "Answer",
    "gen_server:wait_response(gen_server:send_request(To, Q), infinity)": "{reply,Answer}",
    "(fun F(R) -> case gen_server:check_response(receive M -> M after 5000 -> none end, R) of"
    " no_reply -> F(R); Answer -> Answer end end)(gen_server:send_request(To, Q))": "{reply,Answer}",
    "To ! {'$gen_call', {self(), tag}, Q}, receive {tag, R} -> R end": "Answer",
}
QUESTIONS = {
    '{api, echo, "x"}': '{ok,"x"}',
    '{api, uuid_kill, "nosuch"}': '{error,"-ERR No such channel!\\n"}',
    "link": "ok",
    "{nosuch, 1}": "{error,undef}",
    "{api, echo, #{}}": "{error,badarg}",
    "{filter, nonsense}": "{filter_command_processing_log,['-ERR invalid syntax']}",
}
LATER_OTPS = {
    "gen_server:receive_response(gen_server:send_request(To, Q), 5000)": "{reply,Answer}",
    "(fun(Ids) -> element(1, gen_server:receive_response(Ids, 5000, true)) end)"
    "(gen_server:send_request(To, Q, label, gen_server:reqids_new()))": "{reply,Answer}",
}
"""Of OTP 24 and 25."""


@pytest.mark.parametrize("to", ["P", "{x, N}", "{net_kernel, N}", "{rex, N}"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_call(node: RunningNode, peer: Erl, way: str, to: str) -> None:
    for question, answer in QUESTIONS.items():
        expected = WAYS[way].replace("Answer", answer)
        assert returned(node, peer, way.replace("To", to).replace("Q", question)) == expected


@pytest.mark.parametrize("way", LATER_OTPS)
def test_later_ways(node: RunningNode, peer: Erl, way: str) -> None:
    if int(peer.eval("list_to_integer(erlang:system_info(otp_release))")) < 25:
        pytest.skip("OTP 25 and later")
    for question, answer in QUESTIONS.items():
        expected = LATER_OTPS[way].replace("Answer", answer)
        assert returned(node, peer, way.replace("To", "P").replace("Q", question)) == expected


def test_several_nodes_at_once(node: RunningNode, peer: Erl) -> None:
    """One of them is not there."""
    for timeout in ("", ", 5000"):
        got = returned(node, peer, f'gen_server:multi_call([N, nobody@localhost], x, {{api, echo, "x"}}{timeout})')
        assert got == f'{{[{{{node.name},{{ok,"x"}}}}],[nobody@localhost]}}'


def test_every_error_is_a_value(node: RunningNode, erl: StartErl) -> None:
    owner = with_everything(node, erl)
    wrong = {}
    for term, answer in ERRORS.items():
        got = owner.text(f"gen_server:call({{foo, N}}, {term})", 15)
        # An answer to a question of ours is none in a call.
        expected = r"\{error,undef\}" if re.match(r"\{(rex, \{)?make_ref\(\)", term) else answer
        if not re.fullmatch(expected, got):
            wrong[term] = got
    for term, answer in STRANGERS.items():
        got = returned(node, owner, f"gen_server:call({{foo, N}}, {term})")
        if not re.fullmatch(answer, got):
            wrong[term] = got
    assert wrong == {}
    hang_up_all(node, owner)


@pytest.mark.parametrize(
    "way",
    [
        "gen_server:call(P, {api, msleep, \"400\"}, 50)",
        "gen_server:call({x, N}, {api, msleep, \"400\"}, 50)",
        "gen_statem:call(P, {api, msleep, \"400\"}, {clean_timeout, 50})",
        "gen_server:multi_call([N], x, {api, msleep, \"400\"}, 50)",
    ],
)  # fmt: skip
def test_a_late_answer_reaches_nobody(node: RunningNode, peer: Erl, way: str) -> None:
    """The next request of the process is answered after it."""
    late = returned(
        node, peer, f"catch {way}, {{ok, P}} = gen_server:call(P, getpid), receive M -> M after 0 -> none end"
    )
    assert late == "none"


def test_what_comes_later_comes_as_a_message(node: RunningNode, peer: Erl) -> None:
    job = '{ok, J} = gen_server:call(P, {bgapi, echo, "x"}), receive {bgok, J, O} -> O after 5000 -> none end'
    assert returned(node, peer, job) == '"x"'


def test_who_calls_is_registered(node: RunningNode, erl: StartErl) -> None:
    other = erl(node)
    other.eval(f"N = '{node.name}', ok = gen_server:call({{x, N}}, register_event_handler)")
    other.eval("ok = gen_server:call({x, N}, {event, 'CUSTOM', 'py::call'})")
    other.eval("ok = gen_server:cast({x, N}, {sendevent, 'CUSTOM', 'py::call', [{\"N\", \"1\"}]})")
    assert other.text('receive {event, [_ | H]} -> proplists:get_value("N", H) after 5000 -> none end') == '"1"'
    assert other.text("gen_server:call({x, N}, noevents)") == "ok"
    assert other.text("flush()") == "[]"


def test_a_call_is_taken_by_who_calls(node: RunningNode, peer: Erl) -> None:
    uuid = parked(node, peer)
    peer.eval(f"N = '{node.name}', ok = gen_server:call({{x, N}}, {{handlecall, \"{uuid}\"}})")
    assert peer.text(f'receive {{call, {{event, ["{uuid}" | _]}}}} -> mine after 5000 -> none end') == "mine"
    hang_up(node, peer, uuid)
    assert peer.text(f'receive {{call_hangup, "{uuid}"}} -> over after 5000 -> none end') == "over"


def test_a_call_that_is_passed_on_is_its_callers(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    """gen_server's way to have another process answer; the caller lives on a third node, which we know."""
    third = erl(node)
    peer.eval(f"N = '{node.name}', pong = net_adm:ping(N), pong = net_adm:ping('{third.name}')")
    peer.eval("register(desk, spawn(fun F() -> receive M -> {x, N} ! M, F() end end))")
    third.eval(f"N = '{node.name}', pong = net_adm:ping(N)")
    assert third.text(f"gen_server:call({{desk, '{peer.name}'}}, link)") == "ok"
    assert third.text("{ok, P} = gen_server:call({x, N}, getpid), element(2, process_info(self(), links)) =:= [P]") == (
        "true"
    )
    peer.eval("exit(whereis(desk), kill)")


def test_a_cast_that_fails_is_told_to_the_operator(node: RunningNode, peer: Erl) -> None:
    assert returned(node, peer, "gen_server:cast(P, {api, py_cast, #{}})") == "ok"
    wait_until(lambda: re.search(r"\[WARNING\].* cast by .*\{api,py_cast,#\{\}\}: \{error,badarg\}", node.log()))


def test_the_end_of_the_connection_ends_a_call(node: RunningNode, erl: StartErl) -> None:
    other = erl(node)
    cut = "spawn(fun() -> receive after 300 -> erlang:disconnect_node(N) end end)"
    assert "nodedown" in returned(node, other, f'{cut}, catch gen_server:call(P, {{api, msleep, "3000"}})')
