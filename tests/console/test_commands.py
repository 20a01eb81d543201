"""How a command is found, and those that do something."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from mod_erlang_py import console
from mod_erlang_py.console import USAGE
from mod_erlang_py.errors import NotConnected
from mod_erlang_py.node import traffic
from tests.console.standing import Standing


def test_no_listeners() -> None:
    context: Any = SimpleNamespace(node=SimpleNamespace(links=list))
    assert console.run(context, "listeners") == "No active listeners\n"


@pytest.mark.parametrize("line", ["", " ", "nosuch", "-h", "json", "connect", "disconnect", "connect a@b c@d"])
def test_anything_else_prints_the_usage(standing: Standing, line: str) -> None:
    assert standing.ask(line) == USAGE


@pytest.mark.parametrize("line", ["nosuch", "connect", "disconnect", "sessions a@b c@d"])
def test_the_usage_as_json(standing: Standing, line: str) -> None:
    assert standing.json(line) == {"error": "unknown command or wrong arguments"}


def test_the_usage_names_every_command(standing: Standing) -> None:
    for command in console._COMMANDS:
        assert f"\nerlang {command}" in USAGE


def test_completion_offers_every_command(standing: Standing) -> None:
    standing.link()
    completion = console.completion(standing.context)
    assert {line.split()[0] for line in completion.lines} == set(console._COMMANDS)
    (names,) = completion.lists.values()
    assert list(names()) == ["peer@localhost"]


def test_connect(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = standing.link()
    assert standing.ask(f"connect {peer.name}") == "+OK connected to peer@localhost\n"
    assert standing.json(f"connect {peer.name}") == {"node": "peer@localhost", "connected": True}

    def refuse(name: str) -> None:
        raise NotConnected(name, "it sleeps")

    monkeypatch.setattr(standing.context.node, "connect", refuse)
    assert standing.ask("connect other@host") == "-ERR no connection to other@host: it sleeps\n"
    assert standing.json("connect other@host") == {"error": "no connection to other@host: it sleeps"}


@pytest.mark.parametrize("name", ["peer", "peer@", "@host", "@"])
def test_connect_to_what_is_no_node(standing: Standing, name: str) -> None:
    assert standing.ask(f"connect {name}") == f"-ERR {name} is no node: expected NAME@HOST\n"


def test_disconnect(standing: Standing) -> None:
    peer = standing.link()
    assert standing.ask("disconnect PEER@localhost") == "+OK disconnected from peer@localhost\n"
    assert standing.json("disconnect peer@localhost") == {"node": "peer@localhost", "connected": False}
    assert peer.reasons == ["disconnected by an operator"] * 2
    assert standing.ask("disconnect other@host") == "-ERR no connection to other@host\n"
    assert standing.json("disconnect other@host") == {"error": "no connection to other@host"}


def test_debug(standing: Standing) -> None:
    try:
        assert standing.ask("debug") == "+OK debug off\n"
        assert standing.ask("debug ON") == "+OK debug on\n"
        assert traffic.is_shown()
        assert json.loads(standing.ask("debug JSON")) == {"debug": True}
        assert standing.json("debug off") == {"debug": False}
        assert not traffic.is_shown()
    finally:
        traffic.turn(False)
