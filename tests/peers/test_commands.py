"""api and bgapi: the "Commands" table of the reference, from a real Erlang node."""

from __future__ import annotations

import re

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl

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
        ("{api, echo, [[1]]}", "{error,badarg}"),
        ("{api, echo, #{}}", "{error,badarg}"),
        ("{api, echo, self()}", "{error,badarg}"),
        ('{api, echo, "a" ++ [0] ++ "b"}', "{error,badarg}"),
        ('{api, 12, ""}', "{error,badarg}"),
        ("{api, echo, <<1:3>>}", "{error,badarg}"),
    ],
)
def test_api(node: RunningNode, peer: Erl, term: str, expected: str) -> None:
    assert peer.request(node.name, term) == expected


def test_bytes_are_kept(node: RunningNode, peer: Erl) -> None:
    """Latin-1 and UTF-8 alike, as FreeSWITCH keeps them; a character over 255 becomes UTF-8."""
    assert peer.eval(f"request('{node.name}', {{api, echo, [255, 128, 228]}})")[1] == b"\xff\x80\xe4"
    assert peer.eval(f"request('{node.name}', {{api, echo, <<\"ä€\"/utf8>>}})")[1] == "ä€".encode()
    assert peer.eval(f"request('{node.name}', {{api, echo, [228, 8364]}})")[1] == "ä€".encode()


def test_a_command_of_the_switch_itself_ours_included(node: RunningNode, peer: Erl) -> None:
    assert f"Listener to {peer.name} " in peer.request(node.name, '{api, erlang, "listeners"}')


def bgapi(peer: Erl, node: RunningNode, term: str, replies: int = 2) -> list[tuple[str, str, bytes]]:
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
        ('{bgapi, echo, "hello", more}', "bgok", b"hello"),
        ("{bgapi, echo}", "bgok", b""),
        ('{bgapi, echo, ""}', "bgok", b""),
        ('{bgapi, echo, "-ERR no"}', "bgerror", b"-ERR no"),
        ('{bgapi, wtf, ""}', "bgerror", b"wtf: Command not found!\n"),
        ("{bgapi, echo, [255, 128]}", "bgok", b"\xff\x80"),
    ],
)
def test_bgapi_answers_twice(node: RunningNode, peer: Erl, term: str, tag: str, output: bytes) -> None:
    first, second = bgapi(peer, node, term)
    assert first[0] == "ok"
    assert UUID.fullmatch(first[1])
    assert second == (tag, first[1], output)
    assert peer.text("flush()") == "[]"


@pytest.mark.parametrize("term", ["{bgapi, echo, 12}", "{bgapi, 12, 12}", "{bgapi}"])
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
    assert peer.request(node.name, "{api, echo, [255, 1]}") == "{ok,<<255,1>>}"
    assert peer.request(node.name, '{api, echo, ""}') == f"{{error,<<{NO_OUTPUT}>>}}"
    assert peer.request(node.name, '{api, wtf, ""}') == '{error,<<"wtf: Command not found!\\n">>}'
    assert (
        peer.text(
            f"{{foo, '{node.name}'}} ! {{bgapi, echo, \"x\"}}, [{{ok, Job}}, {{bgok, Job, Output}}] = collect(2, 5000),"
            " {is_binary(Job), Output}"
        )
        == '{true,<<"x">>}'
    )
