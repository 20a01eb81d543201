"""{version}: what a client finds out about the node."""

from __future__ import annotations

import re

from mod_erlang_py import __version__
from mod_erlang_py.requests.version import CAPABILITIES
from scripts.install import ROOT
from tests.conftest import RunningNode
from tests.peers.erl import Erl

MESSAGES = ROOT / "docs" / "messages.md"
ASK = "{ok, V} = request('%s', {version}), "


def test_versions(node: RunningNode, peer: Erl) -> None:
    found = peer.text(ASK % node.name + "#{versions := #{mod_erlang_py := M, switch := S, python := P}} = V, {M, S, P}")
    version, switch, python = found.strip("{}").split(",")
    assert version == f'"{__version__}"'
    assert ("FreeSWITCH" if node.kind == "freeswitch" else "simulated") in switch
    assert python.startswith('"3.')


def test_messages(node: RunningNode, peer: Erl) -> None:
    """Each is answered with something else than undef; an invented one is not."""
    peer.text(ASK % node.name + "#{messages := M} = V, Has = fun(T, A) -> lists:member({T, A}, M) end, ok")
    for tag, arity in (("api", 3), ("getpid", 0), ("event", 2), ("subscribe", 3), ("version", 1)):
        assert peer.text(f"Has({tag}, {arity})") == "true", (tag, arity)
    for tag, arity in (("api", 4), ("bgapi", 4), ("sendevent", 3), ("sendevent", 4)):
        assert peer.text(f"Has({tag}, {arity})") == "true", (tag, arity)
    for tag, arity in (("'$gen_call'", 3), ("rex", 2), ("event", 1), ("io_request", 4), ("sendevent", 2)):
        assert peer.text(f"Has({tag}, {arity})") == "false", (tag, arity)
    ask = "fun({T, 0}) -> T; ({T, A}) -> list_to_tuple([T | lists:duplicate(A - 1, {})]) end"
    harmless = "[T || {N, _} = T <- M, N =/= exit, N =/= link]"
    wrong = f"[T || T <- {harmless}, request('{node.name}', ({ask})(T), 5000) =:= {{error, undef}}]"
    began = len(node.log())
    assert peer.text(wrong, 60) == "[]"
    assert "Traceback" not in node.log()[began:]


def test_capabilities(node: RunningNode, peer: Erl) -> None:
    found = peer.text(ASK % node.name + "#{capabilities := C, encoding := E} = V, {lists:sort(C), E}")
    assert found == "{[gen_server,json,pg,rpc,spawn,subscriptions,targets],string}"


def test_each_capability_is_described() -> None:
    table = re.search(r"\| capability \|.*?\n\n", MESSAGES.read_text(), re.DOTALL)
    assert table is not None
    first_cells = (line.split(" | ")[0] for line in table[0].splitlines()[2:])
    assert [name for cell in first_cells for name in re.findall("`(.*?)`", cell)] == list(CAPABILITIES)
