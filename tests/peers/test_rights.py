"""Rights and cookies of a node, with real Erlang nodes: what they may not do is not done, by whatever way."""

from __future__ import annotations

from pathlib import Path

import pytest

from mod_erlang_py.config.rights import Family
from scripts import scratch
from tests.conftest import RunningNode, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.test_calls import called, dial, parked, with_taker
from tests.peers.test_console import configure
from tests.peers.test_reference_docs import code, rows
from tests.waiting import wait_until

KINDS = pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])

OWN = "a-cookie-of-its-own"


def ping(peer: Erl, node: RunningNode) -> str:
    return peer.text(f"net_adm:ping('{node.name}')")


def reload(node: RunningNode, nodes: str = "", **settings: str) -> None:
    """By a node that has every right."""
    configure(node, nodes, **settings)
    assert node.api("erlang reload").startswith("+OK"), node.log()[-2000:]


def of(name: str, *params: tuple[str, str]) -> str:
    given = "".join(f'<param name="{param}" value="{value}"/>' for param, value in params)
    return f'<node name="{name}">{given}</node>'


# --- cookies ------------------------------------------------------------------------------------------------------


@KINDS
def test_a_cookie_for_some_nodes(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """In both directions, with OTP's own set_cookie/2 too; the general one is theirs no more."""
    node = start_node(kind)
    before = erl(node, name="own0")
    assert ping(before, node) == "pong"
    reload(node, of("own*@localhost", ("cookie", OWN)))
    assert ping(before, node) == "pong"  # it is connected
    own, other = erl(node, name="own1", cookie=OWN), erl(node, name="other1")
    general, stolen = erl(node, name="own2"), erl(node, name="other2", cookie=OWN)
    per_node = erl(node, name="own3", cookie="unrelated")
    assert [ping(one, node) for one in (own, other, general, stolen, per_node)] == ["pong", "pong"] + ["pang"] * 3
    per_node.eval(f"erlang:set_cookie('{node.name}', '{OWN}')")
    assert ping(per_node, node) == "pong"
    for one in (own, other, per_node):
        node.api(f"erlang disconnect {one.name}")
        assert one.text("wait_until(fun() -> nodes(hidden) =:= [] end)") == "true"
        assert node.api(f"erlang connect {one.name}").strip() == f"+OK connected to {one.name}"
        assert one.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    for one in (general, stolen):
        assert node.api(f"erlang connect {one.name}").startswith(f"-ERR no connection to {one.name}: ")
    wait_until(lambda: "the peer has another cookie" in node.log(), told=node.log)
    assert OWN not in node.log()
    assert "Traceback" not in node.log()


# --- rights -------------------------------------------------------------------------------------------------------

EACCES = "{error,eacces}"

ASKED = {
    "api": ['{api, status, ""}', '{bgapi, status, ""}', '{json_api, #{<<"command">> => <<"status">>}}'],
    "events": ["register_event_handler", "{event, 'ALL'}", "{filter, 'A b'}", "{subscribe, all}", "noevents"],
    "sendevent": ["{sendevent, 'CUSTOM', \"x\", []}"],
    "logs": ["register_log_handler", "{set_log_level, debug}", "nolog"],
    "calls": ['{handlecall, "U"}', '{sendmsg, "U", []}', '{execute, "U", answer, ""}', "session_noevents"],
    "fetch": ["{bind, dialplan}", "{unbind, all}"],
}
"""By family. U: a call."""


@KINDS
def test_families(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind)
    with_all, without = erl(node, name="all"), erl(node, name="none")
    uuid = parked(node, with_all)
    assert without.request(node.name, "register_event_handler") == "ok"
    without.eval("Tuple = fun(Atom) when is_atom(Atom) -> {Atom}; (Term) -> Term end, ok")
    reload(node, of("none@*", ("allow", "none")))
    for terms in ASKED.values():
        for term in (one.replace("U", uuid) if '"U"' in one else one for one in terms):
            assert without.request(node.name, term) == EACCES, term
            assert without.text(f"gen_server:call({{x, '{node.name}'}}, {term})") == EACCES, term
            for call in ("rpc:call", "erpc:call"):
                asked = f"[F | A] = tuple_to_list(Tuple({term})), {call}('{node.name}', freeswitch, F, A)"
                assert without.text(f"(fun() -> {asked} end)()") == EACCES, term
    assert without.request(node.name, '{fetch_reply, "id", ""}') == '{error,"id",eacces}'
    assert without.request(node.name, "getpid").startswith("{ok,")
    assert ping(without, node) == "pong"
    assert with_all.request(node.name, f'{{api, uuid_exists, "{uuid}"}}') == '{ok,"true"}'
    wait_until(lambda: "none@localhost: <none@localhost" in node.log(), told=node.log)
    wait_until(lambda: "may not {api,status,[]}: allow is none" in node.log(), told=node.log)
    for family in ASKED:
        reload(node, of("none@*", ("allow", family)))
        for other, others in ASKED.items():
            answer = without.request(node.name, others[0].replace("U", uuid) if '"U"' in others[0] else others[0])
            assert (answer == EACCES) is (other != family), (family, other)
    reload(node)
    assert without.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert "Traceback" not in node.log()


@KINDS
def test_calls_that_the_dialplan_gives_to_a_node_are_its_own(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """It is told all about them, and may say nothing without the right."""
    node = start_node(kind)
    taker = with_taker(node, erl)
    uuid = parked(node, taker)
    reload(node, of(taker.name, ("allow", "api")))
    dial(node, taker, f"taker {taker.name}")
    given = called(taker)
    for call in (uuid, given):
        assert taker.request(node.name, f'{{execute, "{call}", set, "a=b"}}') == EACCES
        assert taker.request(node.name, f'{{handlecall, "{call}"}}') == EACCES
    assert taker.request(node.name, f'{{api, uuid_kill, "{given}"}}').startswith('{ok,"+OK')
    assert taker.text("call_tests:wait(T, call_hangup, 1)") == f'"{given}"'


@KINDS
def test_a_call_in_the_name_of_another_node(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """The rights are those of the node that it came from, and not of the one that the answer goes to."""
    node = start_node(kind)
    rich, poor = erl(node, name="rich"), erl(node, name="poor")
    reload(node, of("poor@*", ("allow", "none")))
    rich.eval("register(holder, self())")
    assert ping(rich, node) == ping(poor, node) == poor.text(f"net_adm:ping('{rich.name}')") == "pong"
    poor.eval(f"Rich = rpc:call('{rich.name}', erlang, whereis, [holder])")
    for term in ('{api, global_setvar, "robbed=yes"}', "register_event_handler"):
        poor.eval(f"{{x, '{node.name}'}} ! {{'$gen_call', {{Rich, make_ref()}}, {term}}}, ok")
        assert rich.text("element(2, hd(collect(1, 5000)))") == EACCES
    assert node.log().count("poor@localhost: <rich@localhost") == 2
    assert rich.request(node.name, '{api, global_getvar, "robbed"}') != '{ok,"yes"}'
    assert node.api("erlang rights poor@localhost").strip().endswith("denied     2 requests")


# --- API commands -------------------------------------------------------------------------------------------------

EVASIONS = [
    '{api, system, "touch FILE"}',
    '{api, "SYSTEM", "touch FILE"}',
    '{api, "\\tsystem\\r\\n", "\\vtouch FILE"}',
    '{bgapi, <<" System">>, <<"touch FILE">>}',
    '{api, bgapi, "system touch FILE"}',
    '{api, expand, "system touch FILE"}',
    '{api, sched_api, "+1 none system touch FILE"}',
    '{api, xml_wrap, "encoded system touch FILE"}',
    '{api, chat, "api|a|s%79stem touch FILE|x"}',
    '{api, json, "{\\"command\\":\\"fsapi\\",\\"data\\":{\\"cmd\\":\\"s\\\\u0079stem\\",\\"arg\\":\\"touch FILE\\"}}"}',
    '{json_api, #{<<"command">> => fsapi, <<"data">> => #{cmd => system, arg => <<"touch FILE">>}}}',
    '{api, eval, "${system(touch FILE)}"}',
    '{api, eval, "${\\tsystem touch FILE}"}',
    '{api, pyrun, "touching FILE"}',
    "{api, originate, \"null/x '&log(INFO ${system(touch FILE)})'\"}",
    "{api, originate, \"null/x '&log(INFO $''{system(touch FILE)})'\"}",
]

ARGUMENTS = ["robbed=yes", "'robbed'=yes", "rob''bed=yes", "^^:robbed:yes"]
"""Of global_setvar, which sets `robbed` to yes by each."""


@pytest.mark.freeswitch
def test_no_spelling_of_a_command_slips_through(start_node: StartNode, erl: StartErl, tmp_path: Path) -> None:
    """In the real switch: each works as long as it is allowed, and none once `system` is denied; the same of a
    command with these arguments."""
    node = start_node("freeswitch")
    peer = erl(node, name="poor")
    for number, term in enumerate(EVASIONS):
        file = tmp_path / f"allowed{number}"
        if "pyrun" not in term:  # there is no such script
            peer.request(node.name, term.replace("FILE", str(file)))
            wait_until(file.exists, 10, lambda term=term: term)  # type: ignore[misc]
    for rule in (
        [("deny-api", "system")],
        [("allow-api", "*"), ("deny-api", "s?st[e]m*")],
        [("allow-api", "status"), ("allow-api", "uuid_*")],
    ):
        reload(node, of("poor@*", *rule))
        for term in EVASIONS:
            assert peer.request(node.name, term.replace("FILE", str(tmp_path / "denied"))) == EACCES, term
        assert peer.request(node.name, '{api, status, ""}').startswith('{ok,"UP')
    for pattern, done in ("other", True), ("global_setvar robbed*", False):
        reload(node, of("poor@*", ("deny-api", pattern)))
        for arguments in ARGUMENTS:
            assert node.api("global_setvar robbed=no").strip() == "+OK"
            said = peer.request(node.name, f'{{api, global_setvar, "{arguments}"}}')
            assert said == ('{ok,"+OK"}' if done else EACCES), arguments
            assert node.api("global_getvar robbed").strip() == ("yes" if done else "no"), arguments
    node.api(f"sched_api +1 none system touch {tmp_path}/last")  # after what one of them would have left behind
    wait_until((tmp_path / "last").exists)
    assert not list(tmp_path.glob("denied*"))


# --- what rights cannot stop --------------------------------------------------------------------------------------


def against(cell: str) -> tuple[str, str]:
    """What docs/security.md has against it: "deny `x`" or "no `calls`", as a param."""
    how, _, what = cell.partition(" ")
    families = " ".join(family.value for family in Family if family.value != what.strip("`"))
    return ("deny-api", what.strip("`")) if how == "deny" else ("allow", families)


@pytest.mark.freeswitch
def test_what_the_page_says_of_other_ways(start_node: StartNode, erl: StartErl, tmp_path: Path) -> None:
    """Each does what it says though `system` is denied, and not with what the page has against it."""
    node = start_node("freeswitch")
    peer, operator = erl(node, name="poor"), erl(node, name="rich")
    table = [(code(term)[0], against(how)) for term, how in rows("security.md", "as in", "against it")]
    assert len(table) > 10

    def asked(term: str, file: Path, rule: tuple[str, str]) -> str:
        reload(node, of("poor@*", ("deny-api", "system"), rule))
        uuid = parked(node, operator)
        given = term.replace("/tmp/x", str(file)).replace('"U ', f'"{uuid} ').replace(" U ", f" {uuid} ")
        answer = peer.request(node.name, given.replace(", U,", f', "{uuid}",'), 15)
        if "sched" in term:
            node.api(f"sched_api +1 none system touch {file}.due")
            wait_until(Path(f"{file}.due").exists)
        if "hangup_hook" in term:
            node.api(f"uuid_kill {uuid}")
        return answer

    for number, (term, _) in enumerate(table):
        file = tmp_path / f"done{number}"
        asked(term, file, ("allow", "all"))
        wait_until(file.exists, 10, lambda term=term: term)  # type: ignore[misc]
    for number, (term, rule) in enumerate(table):
        file = tmp_path / f"denied{number}"
        assert asked(term, file, rule) == EACCES, (term, rule)
        assert not file.exists()


@pytest.mark.freeswitch
def test_what_the_page_says_of_look_ups(start_node: StartNode, erl: StartErl, tmp_path: Path) -> None:
    node = start_node("freeswitch")
    peer = erl(node, name="poor")
    reload(node, of("poor@*", ("deny-api", "system")))
    file = tmp_path / "done"
    extension = (
        f'<extension><condition><action application=\\"system\\" data=\\"touch {file}\\"/></condition></extension>'
    )
    assert peer.text(f"{{x, '{node.name}'}} ! {{bind, dialplan}}, hd(collect(1, 5000))") == "ok"
    peer.eval(f"""{{x, '{node.name}'}} ! {{bgapi, originate, "loopback/nobody/default &park()"}},
        ID = receive {{fetch, dialplan, _, _, _, Asked, _}} -> Asked end,
        {{x, '{node.name}'}} ! {{fetch_reply, ID, "{extension}"}}, ok""")
    wait_until(file.exists)
    peer.forget()
    reload(node, of("poor@*", ("allow", "api")))
    assert peer.request(node.name, "{bind, dialplan}") == EACCES
    assert node.api("erlang bindings").strip() == "No bindings"


@pytest.mark.freeswitch
def test_what_the_page_says_of_freeswitch_itself(start_node: StartNode, erl: StartErl, tmp_path: Path) -> None:
    variables = ("disable_system_api_commands", "disable_system_app_commands")
    lines = "".join(f'<X-PRE-PROCESS cmd="set" data="{name}=true"/>\n' for name in variables)
    switch = scratch._settings("switch.conf", {**scratch._SWITCH, "api-expansion": "false"})
    start = '<document type="freeswitch/xml">'
    assert start in scratch._FREESWITCH_XML
    node = start_node(
        "freeswitch",
        files={
            "freeswitch.xml": scratch._FREESWITCH_XML.replace(start, f"{start}\n{lines}"),
            "autoload_configs/switch.conf.xml": switch,
        },
    )
    peer = erl(node)
    uuid = parked(node, peer)
    file = tmp_path / "none"
    for command in ("system", "bg_system", "spawn", "bg_spawn", "spawn_stream"):
        assert "Command not found" in peer.request(node.name, f'{{api, {command}, "touch {file}"}}')
    assert peer.request(node.name, '{api, eval, "${status()}"}') == '{ok,"<API execute Permission Denied>"}'
    assert peer.request(node.name, f'{{execute, "{uuid}", set, "a=${{status()}}"}}').startswith("{ok,#{")
    assert "UP" not in peer.request(node.name, f'{{api, uuid_getvar, "{uuid} a"}}')
    for application in ("system", "bgsystem"):
        call = parked(node, peer)
        assert peer.request(node.name, f'{{execute, "{call}", {application}, "touch {file}"}}') == "{error,hangup}"
    assert not file.exists()
