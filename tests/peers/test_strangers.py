"""Those who connect and are no Erlang node, or not one of ours."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest

from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.handshake import InitiatorHandshake
from mod_erlang_py.distribution.handshake_events import LocalNode
from mod_erlang_py.errors import HandshakeError
from scripts.trials.client import Client
from tests.conftest import RunningNode, StartErl
from tests.peers.erl import Erl
from tests.waiting import wait_until

REFUSALS = (b"", b"\0\x0csnot_allowed")
"""All that a stranger may hear; the second is for a peer that lacks flags."""


@contextlib.contextmanager
def connection(node: RunningNode) -> Iterator[tuple[socket.socket, str]]:
    """A connection, and its address as the log names it."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=15) as sock:
        host, port = sock.getsockname()
        yield sock, f"{host}:{port} "


def hear(sock: socket.socket) -> bytes:
    """All until the node closes."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(4096):
            heard += data
    return heard


def lines_with(node: RunningNode, address: str) -> list[str]:
    return [line for line in node.log().splitlines() if address in line]


def assert_refused(node: RunningNode, address: str) -> str:
    """The one line about it in the log."""
    wait_until(lambda: lines_with(node, address), told=lambda: node.log()[-2000:])
    (line,) = lines_with(node, address)
    assert "[WARNING]" in line
    assert "refused" in line
    return line


def name_packet(flags: int = OURS, name: bytes = b"stranger@localhost") -> bytes:
    packet = struct.pack(">cQIH", b"N", flags, 7, len(name)) + name
    return struct.pack(">H", len(packet)) + packet


def test_silent_connections_do_not_delay_a_node(node: RunningNode, erl: StartErl) -> None:
    """They, and one with half a handshake, are closed when their time is over."""
    late = erl(node)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connection(node)) for _ in range(20)]
        half, half_address = stack.enter_context(connection(node))
        half.sendall(name_packet())
        assert half.recv(100)[:5] == b"\0\3sok"
        assert late.text(f"net_adm:ping('{node.name}')") == "pong"
        assert "not done within 7 s" not in node.log()
        assert [hear(sock) for sock, _ in silent] == [b""] * 20
        assert hear(half)[2:3] in (b"", b"N")  # our challenge, if it came by itself
        for _, address in silent:
            assert "not done within 7 s" in assert_refused(node, address)
        assert "not done within 7 s" in assert_refused(node, half_address)
        assert late.text(f"net_adm:ping('{node.name}')") == "pong"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"\xff\xff" + b"x" * 65535,
        b"\0\0",
        b"\0\1x",
        b"\0\3N\0\0",
        name_packet(name=b"no node name"),
        name_packet(name=b"a@b@c"),
        name_packet(name=b"\xff\xfe@host"),
        name_packet(name=b"x" * 2000 + b"@host"),
        name_packet(flags=0),
        name_packet(flags=OURS | 1 << 33),
        struct.pack(">HcHI", 7 + 9, b"n", 4, OURS & 0xFFFFFFFF) + b"old@there",
        bytes(range(256)) * 40,
    ],
    ids=[
        "http",
        "tls",
        "oversized first packet",
        "empty packet",
        "unknown packet",
        "cut short",
        "name without a host",
        "name with two hosts",
        "name that is no text",
        "long name",
        "no flags",
        "asks for a name",
        "handshake version 4",
        "all bytes",
    ],
)
def test_garbage(node: RunningNode, peer: Erl, data: bytes) -> None:
    with connection(node) as (sock, address):
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        assert hear(sock) in REFUSALS
        line = assert_refused(node, address)
    assert len(line) < 400
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"


def test_a_node_with_another_cookie(node: RunningNode, erl: StartErl) -> None:
    before = node.log().count("another cookie")
    stranger = erl(node, cookie="guessed")
    assert stranger.text(f"net_adm:ping('{node.name}')") == "pang"
    wait_until(lambda: node.log().count("another cookie") > before)
    assert stranger.name not in node.api("erlang listeners")
    assert "guessed" not in node.log()


def test_a_wrong_digest_is_answered_with_the_end(node: RunningNode) -> None:
    with connection(node) as (sock, address):
        machine = InitiatorHandshake(LocalNode("stranger@localhost", OURS, 7), node.name, "guessed", 1)
        sock.sendall(machine.data_to_send())
        while not (reply := machine.data_to_send()):
            machine.receive_data(sock.recv(4096))
        sock.sendall(reply)
        assert hear(sock) == b""
        assert "cookie" in assert_refused(node, address)


def test_our_own_name(node: RunningNode) -> None:
    with pytest.raises(HandshakeError, match="nok"):
        Client(node.port, name=node.name, to=node.name)


def test_a_handshake_that_is_broken_off(node: RunningNode, peer: Erl) -> None:
    with connection(node) as (sock, address):
        sock.sendall(name_packet())
        assert sock.recv(3) == b"\0\3s"
    assert_refused(node, address)
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff",
        struct.pack(">I", 64 * 1024 * 1024 + 1),
        b"\0\0\0\5hello",
        b"\0\0\0\2\x70\x83",
        b"\0\0\0\7\x70\x83\x68\2\x61\5\x6a",
        b"\0\0\0\x12\x70\x83\x50\0\0\0\x64\x78\x9c\x63\x60\x60\x60\0\0\0\0\0\0\0",
    ],
    ids=["4 GiB", "over the cap", "text", "nothing", "unknown op", "compressed"],
)
def test_garbage_after_the_handshake_ends_that_link_only(node: RunningNode, peer: Erl, frame: bytes) -> None:
    peer.eval(f"net_adm:ping('{node.name}'), monitor_node('{node.name}', true)")
    with Client(node.port, name="garbage@localhost", to=node.name) as client:
        before = node.log().count("node down: garbage@localhost")
        client.send_frame(frame)
        assert client.wait_closed() == b""
        wait_until(lambda: node.log().count("node down: garbage@localhost") == before + 1)
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
    assert peer.text(f"monitor_node('{node.name}', false), flush()") == "[]"
    assert node.alive


def test_a_payload_that_is_no_term_ends_that_link_only(node: RunningNode, peer: Erl) -> None:
    with Client(node.port, name="garbage@localhost", to=node.name) as client:
        control = b"h\x04a\x06" + client.pid.binary() + b"w\x00w\x03foo"
        body = b"p\x83" + control + b"\x83\xff\xff"
        client.send_frame(struct.pack(">I", len(body)) + body)
        assert client.wait_closed() == b""
    assert peer.text(f"net_adm:ping('{node.name}')") == "pong"
