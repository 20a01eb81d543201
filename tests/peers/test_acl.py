"""apply-inbound-acl: who may connect at all."""

from __future__ import annotations

import socket

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
