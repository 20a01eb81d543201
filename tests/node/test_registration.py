"""Registration with an epmd: kept, renewed, refused, started; and look-ups."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mod_erlang_py.config.settings import EpmdMode
from mod_erlang_py.distribution import epmd as epmd_protocol
from mod_erlang_py.distribution.epmd import EpmdEntry, alive2_response, decode_alive2_response, port2_response
from mod_erlang_py.errors import EpmdError, EpmdUnavailable
from mod_erlang_py.node import registration as module
from mod_erlang_py.node.epmd_server import EpmdServer
from mod_erlang_py.node.registration import EpmdState, Registration, epmd_port, look_up
from mod_erlang_py.node.threads import Threads
from scripts.epmd import Epmd, epmd_names
from tests.node.conftest import InThread
from tests.node.epmds import FakeEpmd
from tests.waiting import DEADLINE, wait_until

ENTRY = EpmdEntry("freeswitch", 8031)


@pytest.fixture
def fake() -> Iterator[FakeEpmd]:
    fake = FakeEpmd()
    yield fake
    fake.stop()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other, and there is no `epmd` to start, unless the test says so."""
    monkeypatch.setattr(module, "RETRY", 0.02)
    monkeypatch.setattr(module, "start_epmd", lambda port: False)


class Running:
    """A Registration in its thread."""

    def __init__(self, threads: Threads, port: int, mode: EpmdMode) -> None:
        self.creations: list[int] = []
        self.named = threading.Event()
        self.registration = Registration(ENTRY, port, mode, True, threads)
        threads.start("epmd", lambda: self.registration.run(self._named))

    def _named(self, creation: int) -> None:
        self.creations.append(creation)
        self.named.set()

    @property
    def registered(self) -> bool:
        return self.registration.registered.is_set()

    def state(self) -> EpmdState:
        return self.registration.state


@pytest.fixture
def run(threads: Threads) -> Iterator[list[Running]]:
    """Those appended are stopped."""
    running: list[Running] = []
    yield running
    for one in running:
        one.registration.stop()


def start(run: list[Running], threads: Threads, port: int, mode: EpmdMode = EpmdMode.EXTERNAL) -> Running:
    run.append(Running(threads, port, mode))
    return run[-1]


def test_registers_and_leaves(run: list[Running], threads: Threads, fake: FakeEpmd) -> None:
    running = start(run, threads, fake.port)
    assert fake.registered.get(timeout=DEADLINE) == ENTRY
    assert running.named.wait(DEADLINE)
    assert running.registration.registered.wait(DEADLINE)
    assert running.state() is EpmdState.EXTERNAL
    assert fake.left.empty()
    running.registration.stop()
    assert fake.left.get(timeout=DEADLINE) == ENTRY
    assert threads.join(DEADLINE) == []
    assert running.creations == [1000]
    assert not running.registered
    assert running.state() is EpmdState.NOT_REGISTERED


def test_renewal_keeps_the_creation(run: list[Running], threads: Threads, fake: FakeEpmd) -> None:
    running = start(run, threads, fake.port)
    for _ in range(3):
        fake.registered.get(timeout=DEADLINE)
        fake.stop()
        wait_until(lambda: not running.registered)
        fake.start()
    fake.registered.get(timeout=DEADLINE)
    assert running.registration.registered.wait(DEADLINE)
    assert running.creations == [1000]


def test_a_refused_name_is_told_once_and_tried_on(
    run: list[Running], threads: Threads, fake: FakeEpmd, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    def refuse(_: object) -> bytes:
        nonlocal tries
        tries += 1
        return alive2_response(ENTRY, 99, 1)

    fake.answer = refuse
    running = start(run, threads, fake.port)
    wait_until(lambda: tries >= 4)
    assert not running.registered
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "freeswitch" in errors[0]
    fake.answer = fake.usual
    assert running.registration.registered.wait(DEADLINE)
    assert len(running.creations) == 1  # the one we made up, since we were to be had without epmd meanwhile
    assert running.creations[0] >= 4


def test_without_epmd_we_name_ourselves(run: list[Running], threads: Threads, fake: FakeEpmd) -> None:
    fake.stop()
    running = start(run, threads, fake.port)
    assert running.named.wait(DEADLINE)
    assert not running.registered
    assert running.state() is EpmdState.NOT_REGISTERED
    assert 4 <= running.creations[0] < 2**32
    fake.start()
    assert fake.registered.get(timeout=DEADLINE) == ENTRY
    assert len(running.creations) == 1


@pytest.mark.parametrize("answer", [b"", b"v", b"garbage", b"v\0\0"], ids=["nothing", "part", "garbage", "half"])
def test_answers_that_are_none(run: list[Running], threads: Threads, fake: FakeEpmd, answer: bytes) -> None:
    fake.answer = lambda _: answer
    running = start(run, threads, fake.port)
    assert running.named.wait(DEADLINE)
    assert not running.registered
    fake.answer = fake.usual
    assert running.registration.registered.wait(DEADLINE)


def test_an_old_epmd(run: list[Running], threads: Threads, fake: FakeEpmd) -> None:
    """Before OTP 23 the creation has 16 bits."""
    fake.answer = lambda _: b"y\0\0\3"
    running = start(run, threads, fake.port)
    assert running.named.wait(DEADLINE)
    assert running.creations == [3]


def test_an_epmd_that_says_nothing(
    run: list[Running], threads: Threads, fake: FakeEpmd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_TIME", 0.05)
    fake.answer = lambda _: None
    running = start(run, threads, fake.port)
    assert running.named.wait(DEADLINE)
    assert not running.registered
    with pytest.raises(EpmdUnavailable):
        look_up("peer", "127.0.0.1", fake.port)


def test_look_up(fake: FakeEpmd) -> None:
    fake.entries["peer"] = EpmdEntry("peer", 4711, extra=b"x" * 100)
    assert look_up("peer", "127.0.0.1", fake.port) == fake.entries["peer"]
    with pytest.raises(EpmdError, match="unknown"):
        look_up("other", "127.0.0.1", fake.port)


def test_look_up_without_epmd(fake: FakeEpmd) -> None:
    fake.stop()
    with pytest.raises(EpmdUnavailable, match=str(fake.port)):
        look_up("peer", "127.0.0.1", fake.port)


def test_look_up_that_is_broken_off(fake: FakeEpmd) -> None:
    fake.answer = lambda _: b"w\0\0"
    with pytest.raises(EpmdError, match="broke off"):
        look_up("peer", "127.0.0.1", fake.port)


@pytest.mark.parametrize(("value", "port"), [("4711", 4711), ("", 4369), ("x", 4369), (None, 4369)])
def test_epmd_port(monkeypatch: pytest.MonkeyPatch, value: str | None, port: int) -> None:
    monkeypatch.delenv("ERL_EPMD_PORT", raising=False)
    if value is not None:
        monkeypatch.setenv("ERL_EPMD_PORT", value)
    assert epmd_port() == port


def test_a_real_epmd(run: list[Running], threads: Threads, epmd: Epmd) -> None:
    running = start(run, threads, epmd.port)
    assert running.registration.registered.wait(DEADLINE)
    assert epmd.names() == {"freeswitch": 8031}
    epmd.stop()
    wait_until(lambda: not running.registered)
    epmd.start()
    wait_until(lambda: epmd.names() == {"freeswitch": 8031})
    assert len(running.creations) == 1
    running.registration.stop()
    wait_until(lambda: epmd.names() == {})


@pytest.mark.erl
def test_epmd_is_started(
    run: list[Running],
    threads: Threads,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where none answers and the program is there, as erl does."""
    monkeypatch.undo()
    monkeypatch.setenv("ERL_EPMD_ADDRESS", "127.0.0.1")
    monkeypatch.setenv("ERL_EPMD_RELAXED_COMMAND_CHECK", "1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    try:
        running = start(run, threads, port, EpmdMode.AUTO)
        assert running.registration.registered.wait(DEADLINE)
        assert epmd_names(port) == {"freeswitch": 8031}
        assert running.state() is EpmdState.STARTED
        running.registration.stop()
        assert threads.join(DEADLINE) == []
    finally:
        subprocess.run(["epmd", "-port", str(port), "-kill"], stdout=subprocess.DEVNULL, timeout=DEADLINE)
    wait_until(lambda: epmd_names(port) is None)


@pytest.mark.parametrize("mode", [EpmdMode.AUTO, EpmdMode.BUILTIN])
def test_the_built_in_one(run: list[Running], threads: Threads, free_port: Callable[[], int], mode: EpmdMode) -> None:
    """Where there is no other; it ends with us."""
    port = free_port()
    running = start(run, threads, port, mode)
    assert running.registration.registered.wait(DEADLINE)
    assert running.state() is EpmdState.BUILTIN
    assert epmd_names(port) == {"freeswitch": 8031}
    assert look_up("freeswitch", "127.0.0.1", port) == ENTRY
    running.registration.stop()
    assert threads.join(DEADLINE) == []
    assert epmd_names(port) is None
    assert running.state() is EpmdState.NOT_REGISTERED


def test_auto_prefers_one_that_runs(run: list[Running], threads: Threads, fake: FakeEpmd) -> None:
    running = start(run, threads, fake.port, EpmdMode.AUTO)
    assert running.registration.registered.wait(DEADLINE)
    assert running.state() is EpmdState.EXTERNAL
    fake.stop()
    wait_until(lambda: not running.registered)
    fake.start()  # within GRACE, in which we start none
    assert running.registration.registered.wait(DEADLINE)
    assert running.state() is EpmdState.EXTERNAL


def test_auto_takes_over_after_a_while(
    run: list[Running], threads: Threads, fake: FakeEpmd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.1)
    running = start(run, threads, fake.port, EpmdMode.AUTO)
    assert running.registration.registered.wait(DEADLINE)
    fake.stop()
    wait_until(lambda: running.state() is EpmdState.BUILTIN)
    assert running.creations == [1000]


def test_builtin_registers_with_another_and_takes_over(
    run: list[Running], threads: Threads, epmd: Epmd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    running = start(run, threads, epmd.port, EpmdMode.BUILTIN)
    assert running.registration.registered.wait(DEADLINE)
    assert running.state() is EpmdState.EXTERNAL
    assert f"another epmd has port {epmd.port}" in caplog.text
    epmd.stop()
    wait_until(lambda: running.state() is EpmdState.BUILTIN)
    assert epmd.names() == {"freeswitch": 8031}
    assert len(running.creations) == 1


def test_external_starts_none(
    run: list[Running],
    threads: Threads,
    fake: FakeEpmd,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    started: list[int] = []
    monkeypatch.setattr(module, "start_epmd", started.append)
    monkeypatch.setattr(module, "GRACE", 0.0)
    fake.stop()
    running = start(run, threads, fake.port, EpmdMode.EXTERNAL)
    wait_until(lambda: "cannot register freeswitch" in caplog.text)
    assert not started
    fake.start()
    assert running.registration.registered.wait(DEADLINE)


def test_none_is_not_registered(run: list[Running], threads: Threads, fake: FakeEpmd) -> None:
    running = start(run, threads, fake.port, EpmdMode.NONE)
    assert running.named.wait(DEADLINE)
    assert threads.join(DEADLINE) == []
    assert running.state() is EpmdState.NONE
    assert not running.registered
    assert fake.registered.empty()
    assert 4 <= running.creations[0] < 2**32


@pytest.mark.parametrize("mode", [EpmdMode.AUTO, EpmdMode.BUILTIN])
def test_a_port_that_is_not_to_be_had(
    run: list[Running], threads: Threads, free_port: Callable[[], int], mode: EpmdMode, caplog: pytest.LogCaptureFixture
) -> None:
    """Said once, with the reason; tried until it is."""
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))  # taken, but nobody answers
        running = start(run, threads, port, mode)
        wait_until(lambda: "cannot register" in caplog.text)
        assert running.named.wait(DEADLINE)
    assert running.registration.registered.wait(DEADLINE)
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"built-in epmd, port {port}: " in error
    assert "in use" in error


def test_no_thread_for_the_built_in_one(
    run: list[Running], threads: Threads, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_thread = threading.Thread.start
    failed = threading.Event()

    def fail(thread: threading.Thread) -> None:
        if thread.name == "erlang:built-in epmd" and not failed.is_set():
            failed.set()
            raise RuntimeError("can't start new thread")
        start_thread(thread)

    monkeypatch.setattr(threading.Thread, "start", fail)
    running = start(run, threads, free_port(), EpmdMode.BUILTIN)
    assert running.registration.registered.wait(DEADLINE)
    assert failed.is_set()


def test_two_switches_and_one_port(run: list[Running], threads: Threads, free_port: Callable[[], int]) -> None:
    """The second has its entry in the first one's, and takes over when that ends."""
    port = free_port()
    first = start(run, threads, port, EpmdMode.BUILTIN)
    assert first.registration.registered.wait(DEADLINE)
    others = Threads()
    second = Registration(EpmdEntry("second", 8032), port, EpmdMode.BUILTIN, True, others)
    others.start("epmd", lambda: second.run(lambda _: None))
    try:
        assert second.registered.wait(DEADLINE)
        assert (first.state(), second.state) == (EpmdState.BUILTIN, EpmdState.EXTERNAL)
        assert epmd_names(port) == {"freeswitch": 8031, "second": 8032}
        first.registration.stop()
        wait_until(lambda: second.state is EpmdState.BUILTIN)
        assert epmd_names(port) == {"second": 8032}
    finally:
        second.stop()
        assert others.join(DEADLINE) == []


def test_an_epmd_program_that_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not module.start_epmd(1)
    assert not caplog.records
    (tmp_path / "epmd").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "epmd").chmod(0o755)
    assert not module.start_epmd(1)
    assert "exit status 3" in caplog.text


def trickle(fake: FakeEpmd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an epmd send a byte of its answer every 20 ms, and never the last one."""

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(0.02)
            for byte in port2_response(EpmdEntry("peer", 4711, extra=b"x" * 60000)):
                connection.sendall(bytes([byte]))
                with contextlib.suppress(TimeoutError):
                    while connection.recv(4096):
                        pass
                    return

    monkeypatch.setattr(fake, "_serve", serve)


def test_an_answer_that_trickles_in_has_a_deadline(
    fake: FakeEpmd, monkeypatch: pytest.MonkeyPatch, in_thread: InThread
) -> None:
    monkeypatch.setattr(module, "ANSWER_TIME", 0.3)
    trickle(fake, monkeypatch)
    with pytest.raises(EpmdUnavailable, match=r"epmd of 127\.0\.0\.1"):
        in_thread(lambda: look_up("peer", "127.0.0.1", fake.port)).result()


def test_a_registration_whose_answer_trickles_in_has_one_too(
    run: list[Running], threads: Threads, fake: FakeEpmd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_TIME", 0.3)
    monkeypatch.setattr(epmd_protocol, "decode_alive2_response", lambda data: None)
    usual = fake._serve
    trickle(fake, monkeypatch)
    running = start(run, threads, fake.port)
    assert running.named.wait(DEADLINE)  # by a creation of our own
    assert not running.registered
    monkeypatch.setattr(epmd_protocol, "decode_alive2_response", decode_alive2_response)
    monkeypatch.setattr(fake, "_serve", usual)
    assert running.registration.registered.wait(DEADLINE)


def test_an_error_of_ours_costs_that_try(
    run: list[Running],
    threads: Threads,
    fake: FakeEpmd,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(data: bytes) -> int | None:
        monkeypatch.setattr(epmd_protocol, "decode_alive2_response", decode_alive2_response)
        raise ZeroDivisionError("once")

    monkeypatch.setattr(epmd_protocol, "decode_alive2_response", fail)
    running = start(run, threads, fake.port)
    assert running.registration.registered.wait(DEADLINE)
    assert "cannot register freeswitch: once" in caplog.text
    assert "Traceback" in caplog.text


def test_stop_when_epmd_was_first(run: list[Running], threads: Threads, fake: FakeEpmd) -> None:
    """A socket that is not connected any more cannot be shut down."""
    running = start(run, threads, fake.port)
    assert running.registration.registered.wait(DEADLINE)
    gone = socket.socket()
    held, running.registration._sock = running.registration._sock, gone
    assert held is not None
    with gone:
        running.registration.stop()
    held.shutdown(socket.SHUT_RDWR)
    assert threads.join(DEADLINE) == []


def test_an_epmd_thread_that_fails_is_known_until_it_is_replaced(
    run: list[Running],
    threads: Threads,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    running = start(run, threads, free_port(), EpmdMode.BUILTIN)
    assert running.registration.registered.wait(DEADLINE)
    broken = threading.Event()
    close_late = EpmdServer._close_late

    def fail_once(self: EpmdServer) -> None:
        if not broken.is_set():
            broken.set()
            raise ZeroDivisionError
        close_late(self)

    monkeypatch.setattr(EpmdServer, "_close_late", fail_once)
    with contextlib.suppress(OSError):  # it may have failed before
        socket.create_connection(("127.0.0.1", running.registration._port), timeout=DEADLINE).close()
    assert broken.wait(DEADLINE)
    wait_until(lambda: "built-in epmd failed, which served everybody" in caplog.text)
    wait_until(lambda: running.state() is EpmdState.BUILTIN and threads.failed == () and running.registered)
