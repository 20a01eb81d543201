"""`erlang rights`, and what a reload does to nodes that are connected."""

from __future__ import annotations

from pathlib import Path

import pytest

from mod_erlang_py.config.rights import Family
from mod_erlang_py.errors import ConfigError
from mod_erlang_py.events.interest import NOTHING, Names
from mod_erlang_py.events.own_subscriptions import Options
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Form, Section
from tests.console.standing import Standing

PEER = "peer@localhost"
NODES = """
    <node name="peer@*">
      <param name="cookie" value="do-not-tell"/>
      <param name="allow" value="logs api"/>
      <param name="allow-api" value="status"/>
      <param name="allow-api" value="show  Calls*"/>
      <param name="deny-api" value="*system"/>
    </node>
    <node name="closed@*"><param name="allow" value="none"/></node>
    """


@pytest.fixture
def restricted(tmp_path: Path) -> Standing:
    return Standing(tmp_path, nodes=NODES, allow="api events")


def test_the_rights_of_a_node(restricted: Standing) -> None:
    peer = restricted.link()
    peer.denied = 3
    assert restricted.ask(f"rights {PEER}") == (
        "node       peer@localhost\n"
        'rule       <node name="peer@*">\n'
        "cookie     its own\n"
        "allow      api logs\n"
        "allow-api  status\n"
        "allow-api  show Calls*\n"
        "deny-api   *system\n"
        "denied     3 requests\n"
    )
    assert restricted.json(f"rights {PEER}") == {
        "node": PEER,
        "rule": "peer@*",
        "own_cookie": True,
        "allow": ["api", "logs"],
        "allow_api": ["status", "show Calls*"],
        "deny_api": ["*system"],
        "denied": 3,
    }


def test_of_nodes_that_are_not_connected(restricted: Standing) -> None:
    assert restricted.ask("rights closed@localhost") == (
        "node       closed@localhost\n"
        'rule       <node name="closed@*">\n'
        "cookie     that of <settings>\n"
        "allow      none\n"
        "denied     not connected\n"
    )
    assert restricted.ask("rights Peer@localhost") == (
        "node       Peer@localhost\n"
        "rule       none, but <settings>\n"
        "cookie     that of <settings>\n"
        "allow      api events\n"
        "denied     not connected\n"
    )
    assert restricted.json("rights other@localhost")["allow_api"] is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("peer@localhost STATUS", "may STATUS"),
        ("peer@localhost show calls as xml", "may show calls as xml"),
        ("peer@localhost bg_system ls", "may not bg_system ls: deny-api *system"),
        ("peer@localhost lua x.lua", "may not lua x.lua: no allow-api for it"),
        ("other@localhost lua x.lua", "may lua x.lua"),
        ("closed@localhost status", "may not status: allow is none"),
    ],
)
def test_one_command(restricted: Standing, line: str, told: str) -> None:
    assert restricted.ask(f"rights {line}") == f"{line.split()[0]} {told}\n"
    answer = restricted.json(f"rights {line}")
    assert answer["allowed"] is (" may not " not in f" {told}")
    assert answer["why"] is None or told.endswith(answer["why"])


def test_which_node(restricted: Standing) -> None:
    assert restricted.ask("rights").startswith("USAGE")


def test_rights_that_a_name_is_enough_for_are_a_warning(restricted: Standing) -> None:
    warning = "node %s has the cookie of nodes with other rights: each may take the other's name"
    assert restricted.json("status")["warnings"] == [warning % "closed@*"]
    own, other, general = (f'<param name="cookie" value="{one}"/>' for one in ("own", "other", "monster"))
    logs = '<param name="allow" value="logs"/>'
    restricted.configure(
        f'<node name="a@*">{own}</node><node name="b@*">{own}{logs}</node><node name="c@*">{other}{logs}</node>'
        f'<node name="e@*"></node><node name="d@*">{general}{logs}</node>'
    )
    restricted.ask("reload")
    assert restricted.json("status")["warnings"] == [warning % "b@*", warning % "d@*"]


# --- a reload -----------------------------------------------------------------------------------------------------


def listening(standing: Standing, name: str) -> None:
    """A node that gets whatever there is to get."""
    peer, context = standing.link(name), standing.context
    context.event_handlers.register(peer.link, peer.pid)
    context.event_handlers.change(peer.link, lambda now: now.add(Names(frozenset({"HEARTBEAT"}), frozenset())))
    everything = Options(Form.STRING, NOTHING.add(Names(frozenset({"HEARTBEAT"}), frozenset())))
    own = context.own_subscriptions.subscribe(peer.pid, Target(peer.link, peer.pid), everything)
    assert own is not None
    context.own_subscriptions.open(own)
    context.logs.register(peer.link, peer.pid)
    context.fetches.bind(peer.link, peer.pid, Section.DIRECTORY)
    standing.call(peer)


def gets(standing: Standing, name: str) -> set[Family]:
    """What the node of that name still gets."""
    context = standing.context
    link = context.node.link_to(name)
    assert link is not None
    handler, logs = context.event_handlers.of(link), context.logs.handler(link)
    assert handler is not None
    assert logs is not None
    events = [handler.interest != NOTHING, bool(context.own_subscriptions.of(link))]
    assert events[0] is events[1]
    found = {
        Family.EVENTS: events[0],
        Family.LOGS: logs.target is not None,
        Family.FETCH: any(pid.node == name for pid, _ in context.fetches.bindings()),
        Family.CALLS: bool(context.calls.of(link)),
    }
    return {family for family, so in found.items() if so}


ALL = {Family.EVENTS, Family.LOGS, Family.FETCH, Family.CALLS}


@pytest.mark.parametrize(
    ("allow", "left"),
    [
        ("all", ALL),
        ("events logs", {Family.EVENTS, Family.LOGS}),
        ("fetch", {Family.FETCH}),
        ("none", set()),
    ],
)
def test_what_a_node_may_no_longer_ask_for_ends(standing: Standing, allow: str, left: set[Family]) -> None:
    """But for the calls that it has: they are in its hands until they end."""
    listening(standing, PEER)
    assert gets(standing, PEER) == ALL
    standing.configure(nodes=f'<node name="{PEER}"><param name="allow" value="{allow}"/></node>')
    standing.ask("reload")
    assert gets(standing, PEER) == left | {Family.CALLS}


def test_others_notice_nothing(standing: Standing) -> None:
    listening(standing, "other@localhost")
    standing.configure(nodes='<node name="peer@*"><param name="allow" value="none"/></node>')
    standing.ask("reload")
    assert gets(standing, "other@localhost") == ALL


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        (
            '<node name="a@b"><param name="allow" value="every"/></node>',
            "node a@b: allow='every': expected all, none, ",
        ),
        ('<node name="a@b"><param name="alow" value="none"/></node>', "node a@b: alow='***': expected one of cookie, "),
        ('<node name="a@b"><param name="cookie" value=""/></node>', "node a@b: cookie='***': expected 1 to 255 "),
        ('<node><param name="allow" value="none"/></node>', "node='': expected a name, NAME@HOST, "),
    ],
)
def test_a_right_that_cannot_be_read_changes_nothing(standing: Standing, tmp_path: Path, nodes: str, why: str) -> None:
    """And a node that is to start with it does not."""
    with pytest.raises(ConfigError) as raised:
        Standing(tmp_path, nodes=nodes)
    assert str(raised.value).startswith(why)
    standing.configure(nodes=nodes, fetch_timeout="9")
    said = standing.ask("reload")
    assert said.startswith(f"-ERR {why}")
    assert said.endswith("; nothing changed\n")
    assert standing.context.node.config.fetch_timeout == 5
