"""FreeSWITCH's JSON as maps: api with #{format => json}, and json_api."""

from __future__ import annotations

import pytest

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.waiting import wait_until

VALUES = r"{\"a\": [1, -2.5, true, false, null, \"x\"], \"ä\": {}, \"deep\": {\"deeper\": []}}"


def test_values(node: RunningNode, peer: Erl) -> None:
    found = peer.text(f"request('{node.name}', {{api, echo, \"{VALUES}\", #{{format => json}}}})")
    assert found == (
        '{ok,#{<<"a">> => [1,-2.5,true,false,null,<<"x">>],<<"deep">> => #{<<"deeper">> => []},<<"ä"/utf8>> => #{}}}'
    )


@pytest.mark.parametrize(
    ("term", "answer"),
    [
        ('{api, show, "channels count", #{format => json}}', '{ok,#{<<"row_count">> => 0,<<"rows">> => []}}'),
        ('{api, show, "channels count as json", #{format => json}}', '{ok,#{<<"row_count">> => 0,<<"rows">> => []}}'),
        ('{api, echo, "17", #{format => json}}', "{ok,17}"),
        ('{api, echo, "[]", #{format => <<"json">>}}', '{error,{badarg,"format: expected json"}}'),
        ('{api, echo, "[]", #{}}', '{ok,"[]"}'),
        ('{api, echo, "[]", #{form => json}}', '{error,{badarg,"form: expected one of format"}}'),
        ('{api, echo, "{}", [{format, json}]}', "{ok,#{}}"),
        ('{api, echo, "{}", [{form, json}]}', '{error,{badarg,"form: expected one of format"}}'),
        ('{api, echo, "{}", "json"}', '{ok,"{}"}'),  # a fourth element was ignored always
        ('{api, echo, "{}", []}', '{ok,"{}"}'),
        ('{api, nosuch, "", #{format => json}}', '{error,"nosuch: Command not found!\\n"}'),
        ('{api, echo, "-ERR no", #{format => json}}', '{error,"-ERR no"}'),
        ('{api, echo, "", #{format => json}}', '{error,"Command returned no output!"}'),
    ],
)
def test_answers(node: RunningNode, peer: Erl, term: str, answer: str) -> None:
    # calls that another test has ended are on their way out
    wait_until(lambda: "0 total" in peer.request(node.name, '{api, show, "channels count"}'))
    assert peer.request(node.name, term) == answer


@pytest.mark.parametrize(
    "output", ["{", "UP 0 years", "NaN", "1e999", "[1,]", r"\"\t\"", "'[' || _ <- lists:seq(1, 70)"]
)
def test_what_is_no_json(node: RunningNode, peer: Erl, output: str) -> None:
    text = 'lists:append(["[" || _ <- lists:seq(1, 70)])' if "||" in output else f'"{output}"'
    found = peer.text(f"request('{node.name}', {{api, echo, {text}, #{{format => json}}}})")
    assert found.startswith('{error,{notjson,"'), found


@pytest.mark.parametrize("levels", [59, 60, 61, 100, 5000])
def test_levels(node: RunningNode, peer: Erl, levels: int) -> None:
    text = f'lists:append(lists:duplicate({levels}, "[")) ++ lists:append(lists:duplicate({levels}, "]"))'
    found = peer.text(f"request('{node.name}', {{api, echo, {text}, #{{format => json}}}})")
    assert found.startswith("{ok,[" if levels <= 60 else '{error,{notjson,"'), found


def test_bytes_that_are_no_utf_8(node: RunningNode, peer: Erl) -> None:
    found = peer.text(f"request('{node.name}', {{api, echo, <<34, 255, 34>>, #{{format => json}}}})")
    assert found == '{ok,<<"ÿ">>}'  # of one byte: with two, `/utf8` would be shown


ECHO = '{json_api, #{command => fsapi, <<"data">> => #{"cmd" => <<"echo">>, arg => "a \\"b\\" ä"}}}'


def test_json_api(node: RunningNode, peer: Erl) -> None:
    assert peer.text(f"{{ok, M}} = request('{node.name}', {ECHO}), maps:get(<<\"response\">>, M)") == (
        '#{<<"message">> => <<"a \\"b\\" ä"/utf8>>}'
    )
    assert peer.text('{maps:get(<<"status">>, M), maps:get(<<"command">>, M)}') == '{<<"success">>,<<"fsapi">>}'


def test_json_api_passes_all_values_on(node: RunningNode, peer: Erl) -> None:
    nulls = '"no" => null, "u" => undefined, "elixir" => nil'
    data = f'#{{"n" => 1, "f" => 2.5, "l" => [1000, <<"x">>, []], "t" => true, {nulls}, 7 => #{{}}}}'
    found = peer.text(
        f"{{ok, #{{<<\"data\">> := D}}}} = request('{node.name}', {{json_api, #{{command => x, data => {data}}}}}), D"
    )
    assert found == (
        '#{<<"7">> => #{},<<"elixir">> => null,<<"f">> => 2.5,<<"l">> => [1000,<<"x">>,[]],<<"n">> => 1,'
        '<<"no">> => null,<<"t">> => true,<<"u">> => null}'
    )


def test_the_switchs_status(freeswitch_node: RunningNode, erl: StartErl) -> None:
    found = erl(freeswitch_node).text(
        f"{{ok, M}} = request('{freeswitch_node.name}', {{json_api, #{{command => status, data => <<>>}}}}),"
        ' maps:get(<<"systemStatus">>, maps:get(<<"response">>, M))'
    )
    assert found == '<<"ready">>'


@pytest.mark.parametrize(
    "term", ["[]", "x", "#{{} => 1}", "#{a => {}}", "#{a => self()}", "#{a => <<255>>}", "#{a => <<1:3>>}"]
)
def test_what_no_json_can_be_made_of(node: RunningNode, peer: Erl, term: str) -> None:
    found = peer.request(node.name, f"{{json_api, {term}}}")
    assert found.startswith('{error,{badarg,"json_api: expected a map that can be written as JSON'), found
