"""`erlang` in fs_cli."""

from __future__ import annotations

import pytest

from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.waiting import wait_until


def test_listeners(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    """A line for each node that is connected, in mod_erlang_event's form."""
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    other = erl(node)
    assert other.text(f"net_adm:ping('{node.name}')") == "pong"
    lines = node.api("erlang listeners").strip().splitlines()
    for name in (peer.name, other.name):
        (line,) = [line for line in lines if f" {name} " in line]
        assert line.startswith(f"Listener to {name} with outbound sessions: 0 events: 0 (lost:0) logs: 0 (lost:0) ")
    other.close()
    wait_until(lambda: other.name not in node.api("erlang listeners"))


@pytest.mark.parametrize("line", ["", "nosuch", "nosuch listeners", "-h"])
def test_anything_else_prints_the_usage(node: RunningNode, line: str) -> None:
    printed = node.api(f"erlang {line}".strip())
    assert printed.startswith("USAGE:")
    assert "erlang listeners" in printed


def test_case_and_blanks_do_not_count(node: RunningNode, peer: Erl) -> None:
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    assert f"Listener to {peer.name} " in node.api("erlang  LISTENERS")
