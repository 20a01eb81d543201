"""The built-in epmd over sockets; and beside OTP's, which is asked the same."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py.distribution.epmd import (
    EpmdEntry,
    alive2_request,
    names_request,
    port2_response,
    port_please2_request,
)
from mod_erlang_py.distribution.epmd_server import Conversation
from mod_erlang_py.node import epmd_server as module
from mod_erlang_py.node.epmd_server import EpmdServer
from mod_erlang_py.node.threads import Threads
from scripts.epmd import epmd_names
from tests.waiting import DEADLINE, wait_until

CN1 = EpmdEntry("cn1", 5001)
ALIVE, PORT, NAMES = alive2_request(CN1), port_please2_request("cn1"), names_request()


@pytest.fixture
def server(threads: Threads, free_port: Callable[[], int]) -> Iterator[EpmdServer]:
    server = EpmdServer(free_port(), loopback_only=True)
    threads.start("built-in epmd", server.run)
    yield server
    server.stop()


def connect(server: EpmdServer, ip: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((ip, port_of(server)), timeout=DEADLINE)


def port_of(server: EpmdServer) -> int:
    return server._mapper.port


def ask(server: EpmdServer, request: bytes, ip: str = "127.0.0.1") -> bytes:
    """All that comes until the server closes."""
    with connect(server, ip) as sock:
        sock.sendall(request)
        return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


def register(server: EpmdServer, entry: EpmdEntry = CN1) -> socket.socket:
    sock = connect(server)
    sock.sendall(alive2_request(entry))
    assert sock.recv(6)[:2] == b"v\0"
    return sock


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
def test_it_serves_both_families(server: EpmdServer, ip: str) -> None:
    if ip not in server.addresses:
        pytest.skip("no IPv6 here")
    with register(server):
        assert ask(server, PORT, ip) == port2_response(CN1)
        assert ask(server, b"\0\1k", ip) == b"NO"
    wait_until(lambda: epmd_names(port_of(server)) == {})


def test_a_registration_ends_with_its_connection(server: EpmdServer) -> None:
    with register(server), register(server, EpmdEntry("cn2", 5002)):
        assert epmd_names(port_of(server)) == {"cn1": 5001, "cn2": 5002}
    wait_until(lambda: epmd_names(port_of(server)) == {})


def test_a_byte_more_ends_a_registration(server: EpmdServer) -> None:
    with register(server) as sock:
        sock.sendall(b"x")
        assert read_all(sock) == b""
        assert ask(server, PORT) == port2_response(None)


def test_a_request_in_pieces(server: EpmdServer) -> None:
    with connect(server) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in NAMES:
            sock.sendall(bytes([byte]))
            assert ask(server, PORT) == port2_response(None)  # the others are served meanwhile
        assert len(read_all(sock)) == 4


def test_who_says_nothing_is_dropped(server: EpmdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_TIME", 0.1)
    with register(server) as registered, connect(server) as silent, connect(server) as slow:
        slow.sendall(b"\0")
        assert read_all(silent) == b""
        assert read_all(slow) == b""
        registered.setblocking(False)
        with pytest.raises(BlockingIOError):
            registered.recv(1)
        assert ask(server, PORT) == port2_response(CN1)


def test_who_waits_is_bounded(server: EpmdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; who has registered stays."""
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    with contextlib.ExitStack() as stack:
        stack.enter_context(register(server))
        waiting = [stack.enter_context(connect(server)) for _ in range(3)]
        wait_until(lambda: len(server._waiting) == 3)
        more = stack.enter_context(connect(server))
        assert read_all(waiting[0]) == b""
        more.sendall(PORT)
        assert read_all(more) == port2_response(CN1)


def test_an_answer_that_is_read_late(server: EpmdServer) -> None:
    """More than the sockets hold: it keeps nobody waiting."""
    name = "n" * 250
    for number in range(900):
        server._mapper.register(EpmdEntry(f"{name}{number}", 1), 7)
    with connect(server) as sock:
        wait_until(lambda: server._waiting)
        (client,) = server._waiting
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(NAMES)
        wait_until(lambda: client.unsent)
        assert ask(server, PORT) == port2_response(None)
        assert len(read_all(sock)) > 200_000


def test_a_peer_that_resets(server: EpmdServer) -> None:
    sock = register(server)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    wait_until(lambda: epmd_names(port_of(server)) == {})


def test_no_descriptors(server: EpmdServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Said once; served when there are some again."""
    monkeypatch.setattr(module, "PAUSE", 0.01)
    refused = 0

    class Refusing:
        def accept(self) -> None:
            nonlocal refused
            refused += 1
            raise OSError(errno.EMFILE, "Too many open files")

    accept = server._accept
    with register(server) as registered:
        key = server._selector.get_key(server._listening[0])
        server._selector.modify(key.fileobj, key.events, lambda: accept(Refusing()))  # type: ignore[arg-type]
        with connect(server) as sock:
            sock.sendall(NAMES)
            wait_until(lambda: refused >= 3)
            registered.sendall(b"x")
            assert read_all(registered) == b""  # the others are served meanwhile
            server._selector.modify(key.fileobj, key.events, key.data)
            assert len(read_all(sock)) == 4
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "built-in epmd: accept: [Errno 24] Too many open files"
    ]


def test_stop_lets_everybody_go(server: EpmdServer, threads: Threads) -> None:
    with register(server) as sock, connect(server) as waiting:
        wait_until(lambda: server._waiting)
        server.stop()
        assert threads.join(DEADLINE) == []
        assert read_all(sock) == read_all(waiting) == b""
    assert not server.serving
    assert epmd_names(port_of(server)) is None
    server.stop()
    EpmdServer(port_of(server), loopback_only=True).close()  # the port is free again at once


def test_kill_ends_it_when_nobody_is_registered(server: EpmdServer, threads: Threads) -> None:
    with register(server):
        assert ask(server, b"\0\1k") == b"NO"
    wait_until(lambda: epmd_names(port_of(server)) == {})
    assert ask(server, b"\0\1k") == b"OK"
    assert threads.join(DEADLINE) == []
    assert not server.serving


@pytest.mark.parametrize("loopback_only", [True, False])
def test_a_port_that_is_taken(server: EpmdServer, loopback_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERL_EPMD_ADDRESS", "127.0.0.1")
    with pytest.raises(OSError, match="in use"):
        EpmdServer(port_of(server), loopback_only)


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ("", ["0.0.0.0", "::"]),
        (" , ", ["0.0.0.0", "::"]),
        ("10.1.2.3", ["127.0.0.1", "::1", "10.1.2.3"]),
        ("10.1.2.3,fd00::1", ["127.0.0.1", "::1", "10.1.2.3", "fd00::1"]),
        ("::1, 127.0.0.1", ["127.0.0.1", "::1"]),
        ("nonsense 10.1.2.3", ["127.0.0.1", "::1", "10.1.2.3"]),
    ],
)
def test_where_it_listens(given: str, addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERL_EPMD_ADDRESS", given)
    assert module._addresses(loopback_only=False) == addresses
    assert module._addresses(loopback_only=True) == ["127.0.0.1", "::1"]


def test_other_addresses_of_this_machine(
    threads: Threads, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that cannot be had costs only itself."""
    monkeypatch.setenv("ERL_EPMD_ADDRESS", "127.0.0.2,192.0.2.1")
    server = EpmdServer(free_port(), loopback_only=False)
    threads.start("built-in epmd", server.run)
    try:
        assert {"127.0.0.1", "127.0.0.2"} <= set(server.addresses)
        assert "192.0.2.1" not in server.addresses
        assert len(ask(server, NAMES, "127.0.0.2")) == 4
        assert "not on 192.0.2.1" in caplog.text
    finally:
        server.stop()


# --- beside OTP's ---


def alive(name: bytes, high: int = 6, extra: bytes = b"", port: int = 5001, node_type: int = 72) -> bytes:
    body = struct.pack(">BHBBHHH", 120, port, node_type, 0, high, 5, len(name)) + name
    body += struct.pack(">H", len(extra)) + extra
    return struct.pack(">H", len(body)) + body


def request(body: bytes) -> bytes:
    return struct.pack(">H", len(body)) + body


HELD = {
    "first": alive(b"cn1"),
    "taken": alive(b"cn1", port=5002),
    "old": alive(b"old", high=5),
    "old taken": alive(b"old", high=5),
    "extra": alive(b"extra", extra=b"x" * 900),
    "normal": alive(b"normal", node_type=77),
    "no port": alive(b"no_port", port=0),
    "utf-8": alive("ümläut".encode()),
    "255 characters": alive("ä".encode() * 255),
    "256 characters": alive(b"n" * 256),
    "1021 bytes": alive(b"n" * 1021),
    "more in the packet": request(alive(b"more")[2:] + b"zz"),
}
"""Asked one after the other; the connection stays open."""

CLOSED = {
    "nameless": alive(b""),
    "NUL in a name": alive(b"a\0b"),
    "more than the packet": alive(b"more2") + b"zz",
    "name cut short": request(alive(b"name")[2:13]),
    "extra cut short": request(alive(b"name")[2:-2]),
    **{f"port {name!r}": request(b"z" + name) for name in [b"cn1", b"cn1\0", b"cn1@host", b"old", b"extra", b"normal"]},
    **{
        f"port {name!r}": request(b"z" + name) for name in [b"no_port", "ümläut".encode(), b"more", b"none", b"n" * 200]
    },
    **{f"port {name!r}": request(b"z" + name) for name in [b"", b"\0", b"cn1\0b", b"\xff", b"a" * 256]},
    "names": request(b"n"),
    "names and more": request(b"nxxx"),
    "kill": request(b"k"),
    "stop": request(b"scn1"),
    "stop nobody": request(b"s"),
    "unknown": request(b"?"),
    "empty": b"\0\0",
    "too long": b"\xff\xff",
    "http": b"GET / HTTP/1.0\r\n\r\n",
}
"""Asked with those of HELD registered."""


@pytest.fixture
def strict_epmd(free_port: Callable[[], int]) -> Iterator[int]:
    """The port of a real epmd without relaxed_command_check."""
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ERL_")}
    process = subprocess.Popen(
        ["epmd", "-port", str(port), "-address", "127.0.0.1"], stderr=subprocess.DEVNULL, env=environment
    )
    wait_until(lambda: epmd_names(port) is not None)
    yield port
    process.kill()
    process.wait()


def answers(port: int) -> dict[str, tuple[bytes, bool]]:
    """What each request gets, and whether the connection is closed after it. Creations are zeroed."""
    found = {}
    with contextlib.ExitStack() as stack:
        for label, data in HELD.items():
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=DEADLINE))
            sock.sendall(data)
            answer = sock.recv(100)
            found[label] = (answer if answer[1] else answer[:2] + bytes(len(answer) - 2), False)
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)
        for label, data in CLOSED.items():
            with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as sock:
                sock.sendall(data)
                answer = read_all(sock)
                found[label] = (answer[4:] if label.startswith("names") else answer, True)
    return found


@pytest.mark.erl
def test_the_same_as_otps(server: EpmdServer, strict_epmd: int) -> None:
    ours, theirs = answers(port_of(server)), answers(strict_epmd)
    assert {label: ours[label] for label in ours if ours[label] != theirs[label]} == {}
    assert ours == theirs
    assert len(ours) == len(HELD) + len(CLOSED)


@pytest.mark.erl
def test_the_epmd_program_asks(server: EpmdServer) -> None:
    """`epmd -names`, `-kill` and `-stop` of OTP against ours."""

    def epmd(*arguments: str) -> str:
        done = subprocess.run(
            ["epmd", "-port", str(port_of(server)), *arguments], capture_output=True, text=True, timeout=DEADLINE
        )
        return done.stdout + done.stderr

    with register(server):
        assert epmd("-names") == f"epmd: up and running on port {port_of(server)} with data:\nname cn1 at port 5001\n"
        assert "Killing not allowed" in epmd("-kill")
        epmd("-stop", "cn1")
        assert epmd_names(port_of(server)) == {"cn1": 5001}
    wait_until(lambda: epmd_names(port_of(server)) == {})
    assert epmd("-kill").strip() == "Killed"
    wait_until(lambda: epmd_names(port_of(server)) is None)


@pytest.mark.erl
def test_otps_does_not_start_beside_ours(server: EpmdServer) -> None:
    """It sees that there is one, and ends. (Not as a daemon, which might look only after the test.)"""
    subprocess.run(["epmd", "-port", str(port_of(server))], capture_output=True, timeout=DEADLINE)
    with register(server):
        assert epmd_names(port_of(server)) == {"cn1": 5001}


def test_an_error_of_ours_costs_that_connection(
    server: EpmdServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Conversation, data: bytes) -> bytes:
        monkeypatch.undo()
        raise ZeroDivisionError

    with register(server):
        monkeypatch.setattr(Conversation, "receive_data", fail)
        assert ask(server, NAMES) == b""
        assert "ZeroDivisionError" in caplog.text
        assert ask(server, PORT) == port2_response(CN1)
