"""Sockets and threads for the tests of node/: no peers, no epmd unless a test says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias, TypeVar

import pytest

from mod_erlang_py.node.threads import Threads
from tests.node.epmds import FakeEpmd
from tests.node.nodes import LocalNode

T = TypeVar("T")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with tcp_pair() as both:
        yield both


@contextmanager
def tcp_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a TCP connection with small buffers and a deadline on the second, the peer's."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        peer = socket.create_connection(server.getsockname(), timeout=10)
        ours, _ = server.accept()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    yield ours, peer
    ours.close()
    peer.close()


@pytest.fixture
def threads() -> Iterator[Threads]:
    """All of them have ended when the test has."""
    threads = Threads()
    yield threads
    assert threads.join(10) == []


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of threads that are not to be had, as long as they are in it."""
    missing: set[str] = set()
    start = threading.Thread.start

    def start_or_not(thread: threading.Thread) -> None:
        if thread.name.removeprefix("erlang:") in missing:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_not)
    return missing


@pytest.fixture
def fake_epmd(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEpmd]:
    fake = FakeEpmd()
    monkeypatch.setenv("ERL_EPMD_PORT", str(fake.port))
    yield fake
    fake.stop()


@pytest.fixture
def local(fake_epmd: FakeEpmd, free_port: Callable[[], int]) -> Iterator[LocalNode]:
    local = LocalNode(free_port())
    yield local
    local.stop()
    assert local.threads() == []


class Running(Protocol):
    """A function that runs in a thread."""

    def result(self, timeout: float = 10.0) -> object: ...


class _Running:
    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._value: object = None
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error

    def result(self, timeout: float = 10.0) -> object:
        """What it returned or raised; it has ended by then."""
        self.thread.join(timeout)
        assert not self.thread.is_alive(), "still running"
        if self._error is not None:
            raise self._error
        return self._value


InThread: TypeAlias = Callable[[Callable[[], object]], Running]


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    """in_thread(function).result() is what it returned or raised; all have ended when the test has."""
    started: list[_Running] = []

    def start(function: Callable[[], object]) -> Running:
        started.append(_Running(function))
        return started[-1]

    yield start
    for one in started:
        one.thread.join(10)
        assert not one.thread.is_alive(), "a thread of the test is still running"
