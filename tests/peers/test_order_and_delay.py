"""Requests of one sender are answered in order, and a slow one delays nobody else."""

from __future__ import annotations

import time

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl


def ask_slowly(peer: Erl, node: RunningNode) -> None:
    """A look-up that waits for the process Mute, for the 5 s of fetch-timeout at most."""
    peer.eval(
        f"Self = self(), N = '{node.name}', Mute = spawn(fun() -> {{foo, N}} ! {{bind, directory}},"
        " receive ok -> Self ! bound end, receive {fetch, _, _, _, _, _, _} -> Self ! asked end,"
        " receive never -> ok end end), receive bound -> ok end, spawn(fun() ->"
        ' {foo, N} ! {api, user_data, "7@example.com param password"}, receive R -> Self ! {slow, R} end end),'
        " receive asked -> ok end"
    )


def test_a_slow_request_does_not_delay_another_process(node: RunningNode, peer: Erl) -> None:
    ask_slowly(peer, node)
    replies = [peer.request(node.name, f'{{api, echo, "{number}"}}') for number in range(20)]
    assert peer.text("flush()") == "[]", "the slow one was answered already"
    assert replies == [f'{{ok,"{number}"}}' for number in range(20)]
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    assert peer.text("exit(Mute, kill), [{slow, _}] = collect(1, 5000), ended") == "ended"


def test_a_slow_request_does_not_delay_another_node(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    other = erl(node)
    ask_slowly(peer, node)
    assert other.text(f"net_adm:ping('{node.name}')") == "pong"
    assert other.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert peer.text("flush()") == "[]", "the slow one was answered already"
    assert peer.text("exit(Mute, kill), [{slow, _}] = collect(1, 5000), ended") == "ended"


def test_requests_of_one_sender_are_answered_in_order(node: RunningNode, peer: Erl) -> None:
    """Also when one of them is slow, and when some are no requests at all."""
    peer.eval(
        f"Foo = {{foo, '{node.name}'}}, Foo ! {{api, msleep, \"300\"}},"
        " [Foo ! {api, echo, integer_to_list(N)} || N <- lists:seq(1, 50)],"
        ' Foo ! nosuch, Foo ! {api}, Foo ! getpid, Foo ! {bgapi, echo, 12}, Foo ! {api, echo, "last"}'
    )
    peer.eval("Got = collect(56, 5000)")
    assert peer.text("hd(Got)") == '{ok,"+OK"}'
    assert peer.text("lists:sublist(Got, 2, 50) =:= [{ok, integer_to_list(N)} || N <- lists:seq(1, 50)]") == "true"
    assert peer.text("[if is_pid(element(2, R)) -> pid; true -> R end || R <- lists:nthtail(51, Got)]") == (
        '[{error,undef},{error,badarg},pid,{error,badarg},{ok,"last"}]'
    )
    assert peer.text("flush()") == "[]"


def test_order_holds_from_request_to_request(node: RunningNode, peer: Erl) -> None:
    """Slow and quick ones in turn: the taking over of the reading loses and reorders nothing."""
    peer.eval(
        f"[{{foo, '{node.name}'}} ! if N rem 10 =:= 0 -> {{api, msleep, \"5\"}};"
        " true -> {api, echo, integer_to_list(N)} end || N <- lists:seq(1, 500)]"
    )
    peer.eval("Got = collect(500, 5000)")
    assert (
        peer.text(
            'Got =:= [{ok, if N rem 10 =:= 0 -> "+OK"; true -> integer_to_list(N) end} || N <- lists:seq(1, 500)]'
        )
        == "true"
    )


def test_bgapi_delays_not_even_its_own_sender(node: RunningNode, peer: Erl) -> None:
    peer.eval(f'Foo = {{foo, \'{node.name}\'}}, Foo ! {{bgapi, msleep, "500"}}, Foo ! {{api, echo, "x"}}')
    assert peer.text('[{ok, Job}, {ok, "x"}, {bgok, Job, "+OK"}] = collect(3, 5000), done') == "done"


def test_many_slow_requests_at_once(node: RunningNode, peer: Erl) -> None:
    """30 of a second each: 30 s one after the other."""
    started = time.monotonic()
    peer.eval(
        f"Self = self(), [spawn(fun() -> {{foo, '{node.name}'}} ! {{api, msleep, \"1000\"}},"
        " receive R -> Self ! R end end) || _ <- lists:seq(1, 30)]"
    )
    assert peer.text('length([ok || {ok, "+OK"} <- collect(30, 20000)])', timeout=60) == "30"
    assert time.monotonic() - started < 20


def test_more_slow_requests_than_threads_may_be_held_up(node: RunningNode, peer: Erl) -> None:
    """The later ones wait for the threads of the earlier ones; nothing is lost."""
    peer.eval(
        f"Self = self(), [spawn(fun() -> {{foo, '{node.name}'}} ! {{api, msleep, \"200\"}},"
        " receive R -> Self ! R end end) || _ <- lists:seq(1, 400)]"
    )
    assert peer.text('length([ok || {ok, "+OK"} <- collect(400, 5000)])', timeout=20) == "400"


def test_many_senders_keep_each_its_order(node: RunningNode, peer: Erl) -> None:
    peer.eval(
        f"Self = self(), Ask = fun(Me) -> [{{foo, '{node.name}'}} ! if N rem 7 =:= Me rem 7 -> {{api, msleep, \"3\"}};"
        " true -> {api, echo, integer_to_list(N)} end || N <- lists:seq(1, 60)],"
        ' Got = collect(60, 8000), Expected = [{ok, if N rem 7 =:= Me rem 7 -> "+OK";'
        " true -> integer_to_list(N) end} || N <- lists:seq(1, 60)], Self ! {done, Got =:= Expected} end,"
        " [spawn(fun() -> Ask(Me) end) || Me <- lists:seq(1, 20)]"
    )
    assert peer.text("lists:usort(collect(20, 9000))", timeout=20) == "[{done,true}]"
