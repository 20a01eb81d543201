"""What the node is called: mod_erlang_event's rules."""

from __future__ import annotations

import pytest

from mod_erlang_py.config.settings import Config
from mod_erlang_py.node.names import is_any, name_of, node_name

REVERSE = {
    "127.0.0.1": "localhost",
    "192.0.2.7": "gate.example.com",
    "192.0.2.8": "192.0.2.8",
    "2001:db8::7": "six.example.com",
    "fs.example.org": "fs.example.org",
}


@pytest.mark.parametrize(
    ("ip", "nodename", "shortname", "expected"),
    [
        ("0.0.0.0", "freeswitch", True, "freeswitch@host"),
        ("0.0.0.0", "freeswitch", False, "freeswitch@host.example.net"),
        ("*", "freeswitch", True, "freeswitch@host"),
        ("::", "freeswitch", True, "freeswitch@host"),
        ("*", "freeswitch", False, "freeswitch@host.example.net"),
        ("127.0.0.1", "fs", True, "fs@localhost"),
        ("192.0.2.7", "fs", True, "fs@gate"),
        ("192.0.2.7", "fs", False, "fs@gate.example.com"),
        ("2001:db8::7", "fs", True, "fs@six"),
        ("fs.example.org", "fs", True, "fs@fs"),
        ("192.0.2.8", "fs", True, "fs@192.0.2.8"),  # an address without a name is not cut
        ("192.0.2.8", "fs", False, "fs@192.0.2.8"),
        ("0.0.0.0", "fs@elsewhere.example.com", True, "fs@elsewhere.example.com"),
        ("127.0.0.1", "fs@elsewhere", False, "fs@elsewhere"),
    ],
)
def test_node_name(ip: str, nodename: str, shortname: bool, expected: str) -> None:
    config = Config(listen_ip=ip, nodename=nodename, shortname=shortname)
    assert node_name(config, "host.example.net", REVERSE.__getitem__) == expected


@pytest.mark.parametrize(
    ("address", "any_"),
    [("*", True), ("0.0.0.0", True), ("::", True), ("0:0:0:0:0:0:0:0", True), ("127.0.0.1", False), ("any", False)],
)
def test_is_any(address: str, any_: bool) -> None:
    assert is_any(address) is any_


def test_loopback_has_a_name() -> None:
    assert name_of("127.0.0.1").split(".")[0] == "localhost"


@pytest.mark.parametrize("address", ["192.0.2.300", "no such name.invalid", ""])
def test_an_address_that_cannot_be_looked_up_is_its_own_name(address: str) -> None:
    assert name_of(address) == address or not address
