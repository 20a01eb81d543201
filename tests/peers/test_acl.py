"""apply-inbound-acl: who may connect at all."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.conftest import StartErl, StartNode
from tests.waiting import wait_until

KINDS = ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_address_learns_nothing(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, apply_inbound_acl="10.0.0.0/8")
    with socket.create_connection(("127.0.0.1", node.port), timeout=5) as connection:
        assert connection.recv(100) == b""  # not even the time that a handshake has
    assert erl(node).text(f"net_adm:ping('{node.name}')") == "pang"
    wait_until(lambda: "refused by apply-inbound-acl 10.0.0.0/8" in node.log(), 5, node.log)


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_that_is_let_in(kind: str, start_node: StartNode, erl: StartErl) -> None:
    node = start_node(kind, apply_inbound_acl="127.0.0.0/8")
    assert erl(node).text(f"net_adm:ping('{node.name}')") == "pong"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_speaks_ipv6(kind: str, start_node: StartNode, erl: StartErl, tmp_path: Path) -> None:
    """To an Erlang node for which localhost is ::1, whatever this machine says."""
    hosts = tmp_path / "inetrc"
    hosts.write_text('{host, {0,0,0,0,0,0,0,1}, ["localhost"]}.\n{lookup, [file]}.\n')
    node = start_node(kind, listen_ip="::1", nodename="freeswitch@localhost", apply_inbound_acl="::1/128")
    peer = erl(node, ipv6=True, arguments=("-kernel", "inetrc", f'"{hosts}"'))
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    assert peer.request(node.name, '{api, echo, "over IPv6"}') == '{ok,"over IPv6"}'
    assert "node up" in node.log()
