"""Acceptor: the port, and the connections that have not shown yet who they are."""

from __future__ import annotations

import contextlib
import queue
import socket
from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py.node import acceptor as module
from mod_erlang_py.node.acceptor import Acceptor, address_of
from mod_erlang_py.node.half_open import HalfOpen
from mod_erlang_py.node.threads import Threads
from tests.waiting import DEADLINE, wait_until

NEEDS_IPV6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")


class Bench:
    """An Acceptor whose handshakes wait for the peer's first byte."""

    def __init__(self, threads: Threads, port: int, ip: str = "127.0.0.1") -> None:
        self.port = port
        self.greeted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self.listening: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.clients: list[socket.socket] = []
        self.half_open = HalfOpen(64)
        self.acceptor = Acceptor(ip, port, self._shake_hands, self.half_open, threads)
        threads.start("acceptor", lambda: self.acceptor.run(self.listening.put))

    def _shake_hands(self, connection: socket.socket, address: str) -> None:
        self.greeted.put(address)
        with connection, contextlib.suppress(OSError):
            self.ended.put((address, connection.recv(100)))

    def connect(self) -> tuple[socket.socket, str]:
        """A client in its handshake, and its address."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)
        self.clients.append(client)
        return client, self.greeted.get(timeout=DEADLINE)

    def close(self) -> None:
        self.acceptor.stop()
        for client in self.clients:
            client.close()


@pytest.fixture
def bench(threads: Threads, free_port: Callable[[], int]) -> Iterator[Bench]:
    bench = Bench(threads, free_port())
    assert bench.listening.get(timeout=DEADLINE) == f"127.0.0.1:{bench.port}"
    yield bench
    bench.close()


def test_each_connection_has_a_thread_of_its_own(bench: Bench) -> None:
    clients = [bench.connect() for _ in range(20)]
    client, address = clients[-1]
    client.sendall(b"hello")
    assert bench.ended.get(timeout=DEADLINE) == (address, b"hello")
    host, port = client.getsockname()
    assert address == f"{host}:{port}"


def test_with_too_many_in_their_handshake_the_oldest_is_closed(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.half_open.most = 3
    clients = [bench.connect() for _ in range(5)]
    assert [client.recv(1) for client, _ in clients[:2]] == [b"", b""]
    closed = {bench.ended.get(timeout=DEADLINE) for _ in range(2)}  # each in its own thread
    assert closed == {(address, b"") for _, address in clients[:2]}
    for client, address in clients[2:]:
        client.sendall(b"x")
        assert bench.ended.get(timeout=DEADLINE) == (address, b"x")
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [clients[0][1] in warned[0], clients[1][1] in warned[1], len(warned)] == [True, True, 2]


def test_those_that_are_done_do_not_count(bench: Bench) -> None:
    bench.half_open.most = 3
    for _ in range(10):
        client, _address = bench.connect()
        client.sendall(b"x")
        bench.ended.get(timeout=DEADLINE)
        wait_until(lambda: not bench.half_open.all())


def test_a_port_that_is_taken_is_tried_again_and_told_once(
    threads: Threads,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "RETRY", 0.01)
    tries: queue.SimpleQueue[int] = queue.SimpleQueue()
    bind = module.listening_socket

    def counted(ip: str, port: int) -> socket.socket:
        tries.put(port)
        return bind(ip, port)

    monkeypatch.setattr(module, "listening_socket", counted)
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        bench = Bench(threads, port)
        for _ in range(5):
            assert tries.get(timeout=DEADLINE) == port
        assert bench.listening.empty()
    assert bench.listening.get(timeout=DEADLINE) == f"127.0.0.1:{port}"
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert f"listen-port {port}" in errors[0]
    client, address = bench.connect()
    client.sendall(b"x")
    assert bench.ended.get(timeout=DEADLINE) == (address, b"x")
    bench.close()


def test_stop_while_the_port_is_taken(threads: Threads, free_port: Callable[[], int]) -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        bench = Bench(threads, port)
        bench.acceptor.stop()
        assert threads.join(DEADLINE) == []
        assert bench.listening.empty()


def test_an_address_that_is_not_ours_is_told(
    threads: Threads, free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(threads, free_port(), ip="192.0.2.1")
    wait_until(lambda: caplog.records)
    assert "listen-ip 192.0.2.1" in caplog.text
    bench.acceptor.stop()


def test_stop_lets_go_of_all(bench: Bench, threads: Threads) -> None:
    clients = [bench.connect() for _ in range(5)]
    bench.acceptor.stop()
    for client, _ in clients:
        assert client.recv(1) == b""
    assert threads.join(DEADLINE) == []
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", bench.port), timeout=DEADLINE)


def test_stop_before_the_start(threads: Threads, free_port: Callable[[], int]) -> None:
    acceptor = Acceptor("127.0.0.1", free_port(), lambda sock, address: None, HalfOpen(64), threads)
    acceptor.stop()
    told: list[str] = []
    acceptor.run(told.append)
    assert told == []


@pytest.mark.parametrize(
    ("ip", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("*", "127.0.0.1"),
        pytest.param("*", "::1", marks=NEEDS_IPV6),
        pytest.param("::1", "::1", marks=NEEDS_IPV6),
    ],
)
def test_listening_addresses(threads: Threads, free_port: Callable[[], int], ip: str, host: str) -> None:
    port = free_port()
    bench = Bench(threads, port, ip)
    assert bench.listening.get(timeout=DEADLINE).endswith(f":{port}")
    with socket.create_connection((host, port), timeout=DEADLINE):
        assert bench.greeted.get(timeout=DEADLINE)
    bench.close()


@pytest.mark.parametrize(
    ("sockaddr", "expected"),
    [
        (("127.0.0.1", 5), "127.0.0.1:5"),
        (("::1", 5, 0, 0), "[::1]:5"),
        (("::ffff:127.0.0.1", 5, 0, 0), "127.0.0.1:5"),
    ],
)
def test_address_of(sockaddr: tuple[object, ...], expected: str) -> None:
    assert address_of(sockaddr) == expected


def test_an_error_of_ours_costs_that_connection(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    admit = bench.acceptor._admit

    def fail(connection: socket.socket, address: str, ip: str) -> None:
        monkeypatch.setattr(bench.acceptor, "_admit", admit)
        raise ZeroDivisionError

    monkeypatch.setattr(bench.acceptor, "_admit", fail)
    with socket.create_connection(("127.0.0.1", bench.port), timeout=DEADLINE) as first:
        assert first.recv(1) == b""
    assert "ZeroDivisionError" in caplog.text
    bench.connect()


def test_without_a_thread_the_connection_is_closed(
    bench: Bench, missing: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    missing.add("handshake")
    with socket.create_connection(("127.0.0.1", bench.port), timeout=DEADLINE) as first:
        assert first.recv(1) == b""
    assert "can't start new thread" in caplog.text
    assert not bench.half_open.all()
    missing.clear()
    bench.connect()
