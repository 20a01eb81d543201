"""Look-ups of the switch that Erlang processes answer (as mod_erlang_event has them)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_console import configure
from tests.waiting import wait_until

_MODULE = Path(__file__).with_name("xml_tests.erl")
KINDS = pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])
PREPARE = """
Me = self(),
Bind = fun(What) -> {foo, N} ! {bind, What}, receive R -> R after 5000 -> timeout end end,
Unbind = fun(What) -> {foo, N} ! {unbind, What}, receive R -> R after 5000 -> timeout end end,
Say = fun(Id, Xml) -> xml_tests:say(N, Id, Xml) end,
Data = fun(Tag) -> xml_tests:look(N, Tag, "7") end,
Exists = fun(Tag) -> xml_tests:look(N, Tag, user_exists, "id 7 example.com") end,
Fetched = fun() -> xml_tests:fetched(N) end,
Id = fun() -> element(6, Fetched()) end,
Found = fun(Tag) -> element(1, xml_tests:found(Tag)) end,
Soon = fun(Tag) -> {Answer, Took} = xml_tests:found(Tag), {Answer, Took < 4500} end,
ok
"""


@pytest.fixture
def own(node: RunningNode, erl: StartErl) -> Erl:
    return prepared(node, erl)


def prepared(node: RunningNode, erl: StartErl) -> Erl:
    """An Erlang node of the test's own, with xml_tests; N is ours."""
    peer = erl(node)
    peer.eval(
        f'{{ok, Module, Code}} = compile:file("{_MODULE}", [binary]),'
        f" {{module, Module}} = code:load_binary(Module, \"xml_tests.erl\", Code), N = '{node.name}', ok"
    )
    peer.eval(PREPARE)
    return peer


def bound_sections(node: RunningNode, peer: Erl) -> list[str]:
    """The sections that this node's processes are bound to, for each of them."""
    printed = peer.request(node.name, '{api, erlang, "bindings"}')
    text = printed.removeprefix('{ok,"').removesuffix('"}')
    lines = [line.split() for line in text.split("\\n") if line]
    return [words[1] for words in lines if words[0] == peer.name]


# --- binding ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "answer", "sections"),
    [
        ("directory", "ok", ["directory"]),
        ("dialplan", "ok", ["dialplan"]),
        ("config", "ok", ["config"]),
        ("configuration", "ok", ["config"]),
        ("'directory|dialplan'", "ok", ["directory", "dialplan"]),
        ("phrases", "ok", ["phrases"]),
        ("languages", "ok", ["phrases"]),
        ("chatplan", "ok", ["chatplan"]),
        ("nosection", "{error,badarg}", []),
        ("''", "{error,badarg}", []),
        ("12", "{error,badarg}", []),
        ('"dialplan"', "{error,badarg}", []),
        ('<<"config">>', "{error,badarg}", []),
        ("{directory}", "{error,badarg}", []),
    ],
)
def test_bind(node: RunningNode, own: Erl, section: str, answer: str, sections: list[str]) -> None:
    assert own.text(f"Bind({section})") == answer
    assert bound_sections(node, own) == sections
    assert own.text("Unbind(all)") == "ok"
    assert bound_sections(node, own) == []


def test_bind_without_a_section(own: Erl) -> None:
    assert own.text("{foo, N} ! {bind}, [R] = collect(1, 5000), R") == "{error,badarg}"


def test_bindings_add_up(node: RunningNode, own: Erl) -> None:
    assert own.text("[Bind(S) || S <- [directory, dialplan, directory]]") == "[ok,ok,ok]"
    assert own.text("P = xml_tests:bound(N, directory, fun(_, _) -> ok end), is_pid(P)") == "true"
    assert sorted(bound_sections(node, own)) == ["dialplan", "directory", "directory"]
    assert own.text("[Unbind(S) || S <- [directory, chatplan]]") == "[ok,ok]"
    assert sorted(bound_sections(node, own)) == ["dialplan", "directory"]
    assert own.text("Unbind(nosection)") == "{error,badarg}"


@pytest.mark.parametrize("how", ["unbind", "exit", "link", "kill9"])
def test_what_removes_a_binding(node: RunningNode, own: Erl, erl: StartErl, how: str) -> None:
    other = prepared(node, erl)
    other.eval("P = xml_tests:bound(N, directory, fun(_, _) -> ok end), ok = Bind(dialplan), ok")
    assert sorted(bound_sections(node, other)) == ["dialplan", "directory"]
    if how == "unbind":
        assert other.text("Unbind(all)") == "ok"
        assert bound_sections(node, other) == ["directory"]
        return
    if how == "exit":
        other.eval("exit(P, kill)")
        wait_until(lambda: bound_sections(node, other) == ["dialplan"])
        return
    if how == "link":
        other.eval("process_flag(trap_exit, true), erlang:disconnect_node(N)")
    else:
        other.kill9()
    wait_until(lambda: other.name not in own.request(node.name, '{api, erlang, "bindings"}'))


# --- a look-up and its answer -------------------------------------------------------------------------------------


def test_the_shape_of_a_fetch(own: Erl) -> None:
    own.eval("ok = Bind(directory), Data(1), F = Fetched(), I = element(6, F), Ps = element(7, F)")
    assert own.text("setelement(7, setelement(6, F, id), params)") == (
        '{fetch,directory,"domain","name","example.com",id,params}'
    )
    assert own.text("{length(I), hd(Ps)}") == "{36,undefined}"
    assert own.text('[proplists:get_value(K, Ps) || K <- ["Event-Name", "type", "key", "user", "domain"]]') == (
        '["REQUEST_PARAMS","param","id","7","example.com"]'
    )
    assert own.text('Say(I, xml_tests:user("seven")) =:= {ok, I}') == "true"
    assert own.text("Found(1)") == '"seven"'
    assert own.text('Say(I, xml_tests:user("seven")) =:= {error, I, duplicate_response}') == "true"
    assert own.text('Say("nosuch", "")') == "{error,invalid_uuid}"


@KINDS
def test_binaries(kind: str, start_node: StartNode, erl: StartErl) -> None:
    own = prepared(start_node(kind, encoding="binary"), erl)
    own.eval("ok = Bind(directory), Exists(1), F = receive {fetch, _, _, _, _, _, _} = X -> X end, I = element(6, F)")
    assert own.text("setelement(7, setelement(6, F, id), params)") == (
        '{fetch,directory,<<"domain">>,<<"name">>,<<"example.com">>,id,params}'
    )
    assert own.text('Say(I, xml_tests:user("seven")) =:= {ok, I}') == "true"
    assert own.text("Found(1)") == '<<"true">>'


@pytest.mark.parametrize(
    "xml",
    [
        "lists:flatten(User)",
        "list_to_binary(User)",
        "[[[], <<>> | User], [[<<>>]]]",
        "lists:flatten(User) ++ lists:duplicate(70000, $\\s)",
        "list_to_binary([lists:duplicate(70000, $\\s), User])",
        '["<section name=\\"directory\\"><domain name=\\"example.com\\">", User, "</domain></section>"]',
        '["<domain name=\\"example.com\\"><users>", User, "</users></domain>"]',
        "[\"<document>\", \"<section name='directory'><domain name='example.com'>\", User, Ends]",
        '["<user id=\\"6\\"/>", User]',
    ],
)
def test_the_forms_of_an_answer(own: Erl, xml: str) -> None:
    own.eval('User = xml_tests:user("seven"), Ends = "</domain></section></document>"')
    own.eval("ok = Bind(directory), Data(1), I = Id()")
    assert own.text(f"Say(I, {xml}) =:= {{ok, I}}") == "true"
    assert own.text("Found(1)") == '"seven"'


@pytest.mark.parametrize(
    "xml",
    [
        "unicode:characters_to_binary(xml_tests:user([228, 8364]))",
        "binary_to_list(unicode:characters_to_binary(xml_tests:user([228, 8364])))",
        "lists:flatten(xml_tests:user([228, 8364]))",
        "xml_tests:user([228, 8364])",
        'xml_tests:user(<<"ä€"/utf8>>)',
        'io_lib:format("~ts", [xml_tests:user([228, 8364])])',
        "lists:flatten([lists:duplicate(70000, 32), xml_tests:user([228, 8364])])",
    ],
)
def test_utf8(own: Erl, xml: str) -> None:
    own.eval(f"ok = Bind(directory), Data(1), I = Id(), {{ok, I}} = Say(I, {xml})")
    assert own.text("unicode:characters_to_list(list_to_binary(Found(1))) =:= [228, 8364]") == "true"


@pytest.mark.parametrize("xml", ["xml_tests:user([228])", "lists:flatten(xml_tests:user([228]))"])
def test_an_umlaut_alone(own: Erl, xml: str) -> None:
    """On the wire a string of bytes, and no UTF-8."""
    own.eval(f"ok = Bind(directory), Data(1), I = Id(), {{ok, I}} = Say(I, {xml})")
    assert own.eval("Found(1)") == "ä".encode()


UNREADABLE = {
    "an integer": "12",
    "a tuple": "{xml}",
    "an atom in it": "[a]",
    "a map": "#{}",
    "improper": "[$a | $b]",
    "too many elements": "lists:duplicate(100001, a)",
    "too deep": "lists:foldl(fun(X, A) -> [A, X] end, [], lists:seq(1, 100))",
}


@pytest.mark.parametrize("xml", UNREADABLE)
def test_an_answer_that_is_no_text(own: Erl, xml: str) -> None:
    """Its sender has had its turn, and is not waited for; the others have theirs."""
    own.eval("ok = Bind(directory), P = xml_tests:bound(N, directory, fun(I, _) -> Me ! {asked, I} end), Exists(1)")
    own.eval("I = Id(), receive {asked, I} -> ok end")
    assert own.text(f"Say(I, {UNREADABLE[xml]})") == "{error,badarg}"
    assert own.text("xml_tests:found(1, 100)") == "none"
    assert own.text("exit(P, kill), Soon(1)") == '{"false",true}'


def test_an_answer_without_any(own: Erl) -> None:
    own.eval("ok = Bind(directory), Exists(1), I = Id()")
    assert own.text("{foo, N} ! {fetch_reply, I}, receive {error, _} = R -> R after 5000 -> timeout end") == (
        "{error,badarg}"
    )
    assert own.text("Soon(1)") == '{"false",true}'


def test_as_long_as_the_setting_says(own: Erl) -> None:
    """As a string, too: a list of two million characters, one of them over 255."""
    own.eval("ok = Bind(directory), Data(1), I = Id()")
    long = "lists:duplicate(2000000, 32) ++ lists:flatten(xml_tests:user([8364]))"
    assert own.text(f"Say(I, {long}) =:= {{ok, I}}", 30) == "true"
    assert own.text("unicode:characters_to_list(list_to_binary(Found(1))) =:= [8364]") == "true"


def test_nothing_ends_it_at_once(own: Erl) -> None:
    assert own.text('ok = Bind(directory), Exists(1), I = Id(), {ok, I} = Say(I, ""), Soon(1)') == '{"false",true}'
    assert own.text("Say(I, xml_tests:user([]))") == "{error,invalid_uuid}"


NOTHING = [
    '<document type="freeswitch/xml"><section name="result"><result status="not found"/></section></document>',
    '\n<?xml version="1.0"?><document><section name="result" a="&"><result status="Not Found"/></section></document>',
    '<document type="freeswitch/xml"/>',
    '<document type="freeswitch/xml"><section name="directory"/></document>',
    '<section name="directory"> </section>',
]


@pytest.mark.parametrize("nothing", NOTHING)
def test_what_counts_as_nothing(own: Erl, nothing: str) -> None:
    """As mod_xml_curl's users have it: the other processes may still answer."""
    nothing = nothing.replace('"', '\\"')
    own.eval("ok = Bind(directory), P = xml_tests:bound(N, directory, fun(I, _) -> Me ! {asked, I} end), Data(1)")
    own.eval("I = Id(), receive {asked, I} -> ok end")
    assert own.text(f'Say(I, "{nothing}") =:= {{ok, I}}') == "true"
    assert own.text('Say(I, xml_tests:user("seven")) =:= {ok, I}') == "true"
    assert own.text("Found(1)") == '"seven"'
    own.eval("exit(P, kill), Exists(2), J = Id()")
    assert own.text(f'Say(J, "{nothing}") =:= {{ok, J}}') == "true"
    assert own.text("Soon(2)") == '{"false",true}'


WHOLE = (
    "<document><section name='directory'><domain name='example.com'><users>{user}</users></domain></section></document>"
)
USER = "<user id='7'><params><param name='password' value='{value}'/></params></user>"
LOOSE = {
    "a bare &": (WHOLE.format(user=USER.format(value="a&b=1")), "a&b=1"),
    "an application": (WHOLE.format(user=USER.format(value="&park()")), "&park()"),
    "a bare <": (WHOLE.format(user=USER.format(value="a<b")), "a<b"),
    "an entity of HTML": (WHOLE.format(user=USER.format(value="a&nbsp;b&lt;")), "a&nbsp;b<"),
    "a line feed first": ("\n<?xml version='1.0'?>\n" + WHOLE.format(user=USER.format(value="x")), "x"),
    "something else first": ("text " + WHOLE.format(user=USER.format(value="x")), "x"),
    "no blank": (WHOLE.format(user=USER.format(value="x").replace("' value", "'value")), "x"),
    "twice": (WHOLE.format(user=USER.format(value="x' value='y")), "x"),
    "a prefix": (WHOLE.format(user="<x:y x:z='1'/>" + USER.format(value="x")), "x"),
    "text behind it": (WHOLE.format(user=USER.format(value="x")) + "\nand so on", "x"),
    "a NUL behind it": (WHOLE.format(user=USER.format(value="x")) + "\0", "x"),
}
"""Documents that FreeSWITCH takes though they are no XML, and the password that it reads in them."""


@pytest.mark.parametrize("xml", LOOSE)
def test_a_document_that_freeswitch_takes(own: Erl, xml: str) -> None:
    text, password = LOOSE[xml]
    codes = ",".join(map(str, text.encode()))
    own.eval(f"ok = Bind(directory), Data(1), I = Id(), {{ok, I}} = Say(I, <<{codes}>>)")
    assert own.eval("Found(1)").decode() == password


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        ("<document><section>&</document>", "[error near line 1]: unexpected closing tag </document>"),
        ("<document a='&'><section>", "[error near line 1]: unclosed tag <section>"),
        ("<document a='&'>" + "<a>" * 300 + "</a>" * 300 + "</document>", "more than 256 levels"),
        ("<!DOCTYPE document><document a='&'/>", "a DOCTYPE is not taken"),
    ],
)
def test_a_document_that_freeswitch_refuses(own: Erl, xml: str, why: str) -> None:
    """In its own words."""
    own.eval("ok = Bind(directory), Exists(1), I = Id()")
    assert own.eval(f'{{error, I, {{bad_xml, R}}}} = Say(I, "{xml}"), R').decode() == why
    assert own.text("Soon(1)") == '{"false",true}'


@KINDS
def test_variables_in_an_answer(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, expand_xml="true")
    own = prepared(node, erl)
    own.eval("ok = Bind(directory)")
    set_ = "".join(
        f'<X-PRE-PROCESS cmd=\\"set\\" data=\\"{data}\\"/>' for data in ("erl_secret=a&b", "erl_more = $${erl_secret}c")
    )
    user = own.text('xml_tests:user("$${erl_secret} $${erl_more} $${erl_none}")')
    own.eval(
        f"Xml = [\"<document><section name='directory'><domain name='example.com'>{set_}\", {user},"
        ' "</domain></section></document>"], ok'
    )
    own.eval("Exists(1), I = Id()")
    bad = own.text('{error, I, {bad_xml, R}} = Say(I, ["<document>", hd(Xml)]), R')
    assert "unclosed tag" in bad
    assert own.request(node.name, '{api, global_getvar, "erl_more"}') == '{error,"Command returned no output!"}'
    own.eval("Data(2), J = Id(), {ok, J} = Say(J, Xml)")
    assert own.text("Found(2)") == '"a&b a&bc "'
    assert own.request(node.name, '{api, global_getvar, "erl_more"}') == '{ok,"a&bc"}'
    own.eval("Exists(3), K = Id()")
    include = '<X-PRE-PROCESS cmd=\\"include\\" data=\\"/etc/passwd\\"/><user id=\\"7\\"/>'
    assert own.text(f'{{error, K, {{bad_xml, Why}}}} = Say(K, "{include}"), Why') == (
        '"X-PRE-PROCESS include: only set is done in an answer"'
    )


def test_variables_stay_as_they_are_without_the_setting(own: Erl) -> None:
    own.eval('ok = Bind(directory), Data(1), I = Id(), {ok, I} = Say(I, xml_tests:user("$${hostname}"))')
    assert own.text("Found(1)") == '"$${hostname}"'


def test_the_first_good_answer_wins(own: Erl) -> None:
    own.eval("To = fun(I, _) -> Me ! {asked, self(), I} end, A = xml_tests:bound(N, directory, To)")
    own.eval("B = xml_tests:bound(N, directory, To), C = xml_tests:bound(N, directory, To), Data(1)")
    own.eval("Ids = lists:usort([receive {asked, P, I} -> I end || P <- [A, B, C]]), [I] = Ids")
    assert own.text('Say(I, "")') == own.text("{ok, I}")
    assert own.text('Say(I, xml_tests:user("two")) =:= {ok, I}') == "true"
    assert own.text('Say(I, xml_tests:user("three")) =:= {error, I, duplicate_response}') == "true"
    assert own.text("Found(1)") == '"two"'


@pytest.mark.parametrize(
    "bad",
    [
        '"<user"',
        '"no xml"',
        '"<include/>"',
        '"<user/><domain/>"',
        '"<!DOCTYPE user><user/>"',
        '"<!DOCTYPE u [<!ENTITY e SYSTEM \\"file:///etc/hostname\\">]><user id=\\"7\\">&e;</user>"',
        '"<user id=\\"&nosuch;\\"/>"',
        "<<255, 254, 0>>",
    ],
)
def test_a_bad_answer_leaves_the_others_their_chance(own: Erl, bad: str) -> None:
    own.eval("ok = Bind(directory), P = xml_tests:bound(N, directory, fun(I, _) -> Me ! {asked, I} end), Data(1)")
    own.eval("I = Id(), receive {asked, I} -> ok end")
    assert own.text(f"{{error, I, {{bad_xml, R}}}} = Say(I, {bad}), is_list(R)") == "true"
    assert own.text("xml_tests:found(1, 100)") == "none"
    assert own.text('Say(I, xml_tests:user("seven")) =:= {ok, I}') == "true"
    assert own.text("Found(1)") == '"seven"'


def test_a_bad_answer_of_the_only_one_ends_it(own: Erl) -> None:
    own.eval("ok = Bind(directory), Exists(1), I = Id()")
    assert own.text('{error, I, {bad_xml, _}} = Say(I, "<user"), Soon(1)') == '{"false",true}'


@pytest.mark.parametrize(
    ("xml", "told"),
    [
        ('["<user id=\\"7\\">", lists:duplicate(40000, "<x/>"), "</user>"]', "more than 5000 elements in one"),
        ('["<document a=\\"&\\">", lists:duplicate(40000, "<x/>"), "</document>"]', "more than 5000 elements in one"),
        ('["<user id=\\"7\\">", lists:duplicate(20000, ["<x>", lists:duplicate(3, "<x/>"), "</x>"]), "</user>"]', ""),
        ('["<user>", lists:duplicate(250000, "&lt;"), "</user>"]', "more than 2000 references"),
        (
            '["<user><![CDATA[", lists:duplicate(250000, $<), "]]></user>"]',
            "more than 2000 references",
        ),
        ('["<user>", lists:duplicate(4194304, $x), "</user>"]', "4194317 bytes, the limit is 4194304"),
    ],
)
def test_what_would_hang_the_switch(own: Erl, xml: str, told: str) -> None:
    """Its parser does not get to see it: each of these would keep it for seconds, and some for minutes."""
    own.eval("ok = Bind(directory), Exists(1), I = Id()")
    said = own.text(f"{{error, I, {{bad_xml, R}}}} = Say(I, list_to_binary({xml})), R")
    assert told in said
    assert own.text("Soon(1)") == '{"false",true}'


@KINDS
def test_too_long_and_too_late(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, max_xml_bytes="1000")
    own = prepared(node, erl)
    own.eval("ok = Bind(directory), Exists(1), I = Id()")
    assert own.text("{error, I, {bad_xml, R}} = Say(I, xml_tests:user(lists:duplicate(1000, $a))), R") == (
        '"1070 bytes, the limit is 1000"'
    )
    assert own.text("Soon(1)") == '{"false",true}'
    configure(node, max_xml_bytes="1000", fetch_timeout="1")
    assert own.text("""ok = element(1, request(N, {api, erlang, "reload"}))""") == "ok"
    own.eval("Exists(2), J = Id(), {Late, Took} = xml_tests:found(2)")
    assert own.text("{Late, Took >= 950}") == '{"false",true}'
    assert own.text('Say(J, xml_tests:user("seven"))') == "{error,invalid_uuid}"
    assert "when waiting for XML fetch response for " + own.text("J").strip('"') in node.log()


def test_any_process_may_answer(own: Erl) -> None:
    own.eval("P = xml_tests:bound(N, directory, fun(I, _) -> Me ! {asked, I} end), Data(1)")
    assert own.text('receive {asked, I} -> Say(I, xml_tests:user("seven")) =:= {ok, I} end') == "true"
    assert own.text("Found(1)") == '"seven"'
    own.eval("Exists(2)")
    assert own.text('receive {asked, J} -> Say(J, "") =:= {ok, J} end') == "true"
    assert own.text("Soon(2)") == '{"false",true}'


# --- who asks, and who goes ---------------------------------------------------------------------------------------


def test_a_request_that_needs_an_answer_of_its_sender(own: Erl) -> None:
    own.eval('ok = Bind(directory), {foo, N} ! {api, user_data, "7@example.com param password"}, I = Id()')
    assert own.text('Say(I, xml_tests:user("seven")) =:= {ok, I}') == "true"
    assert own.text("collect(1, 2000)") == '[{ok,"seven"}]'


def test_who_exits_in_the_middle_is_not_waited_for(own: Erl) -> None:
    own.eval("P = xml_tests:bound(N, directory, fun(_, _) -> Me ! asked end), Exists(1), receive asked -> ok end")
    assert own.text("exit(P, kill), Soon(1)") == '{"false",true}'


@pytest.mark.parametrize("unbound", [False, True])
def test_whose_node_goes_in_the_middle_is_not_waited_for(
    node: RunningNode, own: Erl, erl: StartErl, unbound: bool
) -> None:
    """Nor when it has unbound itself since it was asked."""
    other = prepared(node, erl)
    other.eval("ok = Bind(directory)")
    own.eval("Exists(1)")
    other.eval("Id()")
    if unbound:
        other.eval("ok = Unbind(all)")
    assert own.text("xml_tests:found(1, 0)") == "none"
    other.kill9()
    assert own.text("Soon(1)") == '{"false",true}'


def test_one_of_two_nodes_is_frozen(node: RunningNode, own: Erl, erl: StartErl) -> None:
    other = prepared(node, erl)
    other.eval("ok = Bind(directory)")
    own.eval('P = xml_tests:bound(N, directory, fun(I, _) -> {foo, N} ! {fetch_reply, I, xml_tests:user("7")} end)')
    other.suspend()
    try:
        own.eval('Took = [begin Data(T), {A, M} = xml_tests:found(T), A = "7", M end || T <- lists:seq(1, 20)]', 60)
        assert own.text("lists:sum(Took) < 15000") == "true", own.text("Took")
    finally:
        other.resume()


@KINDS
def test_a_frozen_node_that_is_the_only_one(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """Its socket takes bytes. Look-ups wait for it once, then for a moment at most, until it answers again."""
    node = start_node(kind, fetch_timeout="2")
    own, other = prepared(node, erl), prepared(node, erl)
    other.eval('P = xml_tests:bound(N, directory, fun(I, _) -> {foo, N} ! {fetch_reply, I, xml_tests:user("7")} end)')
    other.suspend()
    try:
        own.eval('Look = fun(T) -> Exists(T), {A, M} = xml_tests:found(T), "false" = A, M end, ok')
        own.eval("First = Look(0), Took = [Look(T) || T <- lists:seq(1, 10)]", 60)
        assert own.text("First >= 1900") == "true", own.text("First")
        assert own.text("lists:sum(Took) < 10000") == "true", own.text("Took")
        assert f"no answer of <{other.name}." in node.log()
    finally:
        other.resume()
    wait_until(lambda: own.text("Exists(a), element(1, xml_tests:found(a))") == '"true"', 10)


def test_fifty_at_once(own: Erl) -> None:
    own.eval("""P = xml_tests:bound(N, directory, fun(I, F) ->
        User = proplists:get_value("user", tl(element(7, F))),
        Password = ["<param name=\\"password\\" value=\\"p", User, "\\"/>"],
        Xml = ["<user id=\\"", User, "\\"><params>", Password, "</params></user>"],
        spawn(fun() -> timer:sleep(20), {foo, N} ! {fetch_reply, I, Xml} end) end)""")
    own.eval("[xml_tests:look(N, T, integer_to_list(T)) || T <- lists:seq(1, 50)]")
    assert own.text('[T || T <- lists:seq(1, 50), Found(T) =/= "p" ++ integer_to_list(T)]', 20) == "[]"


def test_a_look_up_within_a_look_up(own: Erl) -> None:
    """The process that is asked looks another user up before it answers."""
    own.eval("""P = xml_tests:bound(N, directory, fun(I, F) ->
        case proplists:get_value("user", tl(element(7, F))) of
            "7" -> spawn(fun() ->
                xml_tests:look(N, inner, "8"),
                {Password, _} = xml_tests:found(inner),
                {foo, N} ! {fetch_reply, I, xml_tests:user(Password)} end);
            "8" -> {foo, N} ! {fetch_reply, I, "<user id=\\"8\\"><params><param name=\\"password\\" value=\\"eight\\"/>"
                "</params></user>"}
        end end)""")
    assert own.text("Data(1), Found(1)") == '"eight"'


def test_the_xml_of_a_user(own: Erl) -> None:
    """Both switches print the same when nothing is merged into what is there."""
    own.eval("""P = xml_tests:bound(N, directory, fun(I, _) -> {foo, N} ! {fetch_reply, I,
        "<domain name=\\"example.com\\"><params><param name=\\"a\\" value=\\"&lt;&#xE4;\\"/></params><user id=\\"7\\"/>"
        "</domain>"} end)""")
    own.eval('xml_tests:look(N, 1, find_user_xml, "id 7 example.com"), xml_tests:look(N, 2, find_user_xml, "id 7")')
    assert own.eval("Found(1)").decode() == (
        '<user id="7" domain-name="example.com">\n  <params>\n    <param name="a" value="&lt;&#xE4;"></param>\n'
        "  </params>\n  <variables></variables>\n  <profile-variables></profile-variables>\n</user>\n"
    )
    assert own.text("Found(2)") == '"-ERR bad args\\n"'


@KINDS
def test_the_switch_ends_in_the_middle(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, fetch_timeout="30")
    own = prepared(node, erl)
    own.eval('ok = Bind(directory), [xml_tests:look(N, T, user_exists, "id 7 example.com") || T <- [1, 2, 3]]')
    own.eval("[Id() || _ <- [1, 2, 3]]")
    assert node.stop() == 0


@pytest.mark.freeswitch
def test_the_configuration_of_a_module(freeswitch_node: RunningNode, erl: StartErl) -> None:
    """hash.conf, as mod_hash reads it when it is loaded: the names of other switches, which nobody answers for."""
    own = prepared(freeswitch_node, erl)
    for name in ("first", "second"):
        remote = f"<remote name='{name}' host='127.0.0.1' port='1' username='' password='x' interval='100'/>"
        xml = f"<configuration name='hash.conf'><remotes>{remote}</remotes></configuration>"
        server = own.text(f"""pid_to_list(xml_tests:module(N, "hash.conf", "{xml}"))""")
        assert "+OK module loaded" in freeswitch_node.api("reload mod_hash")
        assert name in freeswitch_node.api("hash_remote list")
        own.eval(f"exit(list_to_pid({server}), kill)")
        wait_until(lambda: freeswitch_node.api("erlang bindings") == "No bindings", 10)
    assert "+OK module loaded" in freeswitch_node.api("reload mod_hash")
    assert "second" not in freeswitch_node.api("hash_remote list")
