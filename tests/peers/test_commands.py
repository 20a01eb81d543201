"""api and bgapi, as mod_erlang_event has them, from a real Erlang node."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_scripts_calls import give_dialplan

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NO_OUTPUT = '"Command returned no output!"'


def test_status_is_the_switchs_own(node: RunningNode, peer: Erl) -> None:
    status = peer.request(node.name, '{api, status, ""}')
    assert status.startswith('{ok,"UP 0 years, ')
    assert "FreeSWITCH (Version 1." in status
    assert ("simulated" in status) == (node.kind == "simulated")
    assert peer.request(node.name, '{api, version, ""}').startswith('{ok,"FreeSWITCH Version 1.')


@pytest.mark.parametrize("command", ["echo", "'ECHO'", '"echo"', '"EcHo"', '<<"echo">>', '<<"Echo">>'])
@pytest.mark.parametrize("arguments", ['"a b"', '<<"a b">>', "'a b'", "[97, 32, 98]"])
def test_names_and_arguments_of_every_kind(node: RunningNode, peer: Erl, command: str, arguments: str) -> None:
    assert peer.request(node.name, f"{{api, {command}, {arguments}}}") == '{ok,"a b"}'


@pytest.mark.parametrize("size", [65535, 65536, 200_000])
def test_long_arguments(node: RunningNode, peer: Erl, size: int) -> None:
    """A string of over 65535 characters goes as a list, and comes back as one."""
    peer.eval(f"Long = lists:duplicate({size}, $x)")
    assert peer.text(f"request('{node.name}', {{api, echo, Long}}) =:= {{ok, Long}}") == "true"
    assert peer.text(f"request('{node.name}', {{api, echo, list_to_binary(Long)}}) =:= {{ok, Long}}") == "true"


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("{api, echo}", f"{{error,{NO_OUTPUT}}}"),
        ('{api, echo, ""}', f"{{error,{NO_OUTPUT}}}"),
        ("{api, echo, []}", f"{{error,{NO_OUTPUT}}}"),
        ('{api, global_getvar, "no such variable"}', f"{{error,{NO_OUTPUT}}}"),
        ('{api, echo, "x", more}', '{ok,"x"}'),
        ('{api, echo, "x", more, [1], {}}', '{ok,"x"}'),
        ('{api, uuid_kill, "no-such-uuid"}', '{error,"-ERR No such channel!\\n"}'),
        ('{api, echo, "-ERR no"}', '{error,"-ERR no"}'),
        ('{api, uuid_exists, "no-such-uuid"}', '{ok,"false"}'),
        ('{api, wtf, ""}', '{error,"wtf: Command not found!\\n"}'),
        ('{api, "no such command", ""}', '{error,"no such command: Command not found!\\n"}'),
        ("{api, '', \"\"}", '{error,": Command not found!\\n"}'),
        ("{api, echo, 12}", "{error,badarg}"),
        ("{api, echo, {a}}", "{error,badarg}"),
        ('{api, echo, ["a", [<<"b">>], [[$c] | <<"d">>]]}', '{ok,"abcd"}'),
        ("{api, echo, [[a]]}", "{error,badarg}"),
        ("{api, echo, [$a | $b]}", "{error,badarg}"),
        ("{api, echo, #{}}", "{error,badarg}"),
        ("{api, echo, self()}", "{error,badarg}"),
        ('{api, echo, "a" ++ [0] ++ "b"}', "{error,badarg}"),
        ('{api, 12, ""}', "{error,badarg}"),
        ("{api, echo, <<1:3>>}", "{error,badarg}"),
    ],
)
def test_api(node: RunningNode, peer: Erl, term: str, expected: str) -> None:
    assert peer.request(node.name, term) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[228]", "ä"),
        ("[228, 8364]", "ä€"),
        ('binary_to_list(<<"ä€"/utf8>>)', "ä€"),
        ('<<"ä€"/utf8>>', "ä€"),
        ("'ä€'", "ä€"),
        ('io_lib:format("~ts ~p", [[228, 8364], 1.5])', "ä€ 1.5"),
        ('["ä", <<"ä"/utf8>>]', "ää"),
        ("lists:duplicate(70000, 228)", "ä" * 70_000),
        ("lists:duplicate(70000, 8364)", "€" * 70_000),
    ],
)
def test_characters(node: RunningNode, peer: Erl, text: str, expected: str) -> None:
    """A list that is no UTF-8 is code points; FreeSWITCH has UTF-8."""
    assert bytes(peer.eval(f"request('{node.name}', {{api, echo, {text}}})")[1]) == expected.encode()


def test_bytes_of_a_binary_are_kept(node: RunningNode, peer: Erl) -> None:
    assert peer.eval(f"request('{node.name}', {{api, echo, <<255, 128, 228>>}})")[1] == b"\xff\x80\xe4"


def test_a_command_of_the_switch_itself_ours_included(node: RunningNode, peer: Erl) -> None:
    assert f"Listener to {peer.name} " in peer.request(node.name, '{api, erlang, "listeners"}')


def bgapi(peer: Erl, node: RunningNode, term: str, replies: int = 2) -> list[tuple[Any, ...]]:
    """What comes back for {bgapi, ...}: tag, job and output of each reply."""
    peer.eval(f"{{foo, '{node.name}'}} ! {term}")
    got = []
    for reply in peer.eval(f"collect({replies}, 5000)"):
        tag, job, *output = reply
        got.append((tag.value if isinstance(tag.value, str) else tag.value.decode(), job.decode(), *map(bytes, output)))
    return got


@pytest.mark.parametrize(
    ("term", "tag", "output"),
    [
        ('{bgapi, echo, "hello"}', "bgok", b"hello"),
        ('{bgapi, <<"ECHO">>, <<"hello">>}', "bgok", b"hello"),
        ('{bgapi, echo, "hello", "", more}', "bgok", b"hello"),
        ("{bgapi, echo}", "bgok", b""),
        ('{bgapi, echo, ""}', "bgok", b""),
        ('{bgapi, echo, "-ERR no"}', "bgerror", b"-ERR no"),
        ('{bgapi, wtf, ""}', "bgerror", b"wtf: Command not found!\n"),
        ("{bgapi, echo, <<255, 128>>}", "bgok", b"\xff\x80"),
    ],
)
def test_bgapi_answers_twice(node: RunningNode, peer: Erl, term: str, tag: str, output: bytes) -> None:
    first, second = bgapi(peer, node, term)
    assert first[0] == "ok"
    assert UUID.fullmatch(first[1])
    assert second == (tag, first[1], output)
    assert peer.text("flush()") == "[]"


def test_a_job_uuid_of_ones_own(node: RunningNode, peer: Erl) -> None:
    replies = bgapi(peer, node, '{bgapi, echo, "hello", <<"my job">>}')
    assert replies == [("ok", "my job"), ("bgok", "my job", b"hello")]


@pytest.mark.parametrize("term", ['{bgapi, echo, "", 12}', "{bgapi, echo, 12}", "{bgapi, 12, 12}", "{bgapi}"])
def test_a_wrong_bgapi(node: RunningNode, peer: Erl, term: str) -> None:
    assert peer.request(node.name, term) == "{error,badarg}"


def test_each_job_has_a_uuid_of_its_own_and_its_replies_in_order(node: RunningNode, peer: Erl) -> None:
    """A hundred at once: whatever the order among jobs, `ok` comes before `bgok`."""
    count = 100
    peer.eval(f"[{{foo, '{node.name}'}} ! {{bgapi, echo, integer_to_list(N)}} || N <- lists:seq(1, {count})]")
    peer.eval(f"Replies = collect({2 * count}, 5000)")
    assert peer.text("length(Replies)") == str(2 * count)
    assert peer.text("length(lists:usort([Job || {ok, Job} <- Replies]))") == str(count)
    assert (
        peer.text(
            "Position = fun(R) -> string:str(Replies, [R]) end,"
            " lists:all(fun({bgok, Job, _} = R) -> Position({ok, Job}) < Position(R); (_) -> true end, Replies)"
        )
        == "true"
    )
    assert peer.text("lists:sort([list_to_integer(S) || {bgok, _, S} <- Replies]) =:= lists:seq(1, 100)") == "true"


@pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
def test_encoding_binary(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, encoding="binary")
    peer = erl(node)
    assert peer.request(node.name, '{api, echo, "a b"}') == '{ok,<<"a b">>}'
    assert peer.request(node.name, "{api, echo, <<255, 1>>}") == "{ok,<<255,1>>}"
    assert peer.request(node.name, "{api, echo, [228]}") == '{ok,<<"ä"/utf8>>}'
    assert peer.request(node.name, '{api, echo, ""}') == f"{{error,<<{NO_OUTPUT}>>}}"
    assert peer.request(node.name, '{api, wtf, ""}') == '{error,<<"wtf: Command not found!\\n">>}'
    assert (
        peer.text(
            f"{{foo, '{node.name}'}} ! {{bgapi, echo, \"x\"}}, [{{ok, Job}}, {{bgok, Job, Output}}] = collect(2, 5000),"
            " {is_binary(Job), Output}"
        )
        == '{true,<<"x">>}'
    )


def test_a_call_is_there_when_the_job_is(node: RunningNode, erl: StartErl) -> None:
    """`handlecall` as soon as `{ok, Job}` has come, 300 times."""
    give_dialplan(node)
    peer = erl(node)
    peer.eval(f"""
        Me = self(),
        Switch = {{foo, '{node.name}'}},
        Try = fun() ->
            U = "mine-" ++ integer_to_list(erlang:unique_integer([positive])),
            Switch ! {{bgapi, originate, "{{origination_uuid=" ++ U ++ "}}loopback/park/default &park()"}},
            receive {{ok, _}} -> Switch ! {{handlecall, U}} end,
            Outcome = receive ok -> ok; {{error, _}} = E -> E end,
            Switch ! {{api, uuid_kill, U}},
            Me ! receive {{call_hangup, U}} -> Outcome after 4000 -> {{nohangup, Outcome}} end
        end, ok""")
    for _ in range(6):
        outcomes = "[receive ok -> ok; E -> E after 5000 -> none end || _ <- lists:seq(1, 50), is_pid(spawn(Try))]"
        assert peer.text(f"[Outcome || Outcome <- {outcomes}, Outcome =/= ok]", timeout=60) == "[]"
