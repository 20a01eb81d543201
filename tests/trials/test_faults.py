"""What `make faults` is made of, and that one of its rows fails when something is wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.bench.page import replaced
from scripts.install import ROOT
from scripts.trials.faults import page, trying
from scripts.trials.faults.all import FAULTS, UnknownFault, named
from scripts.trials.faults.fault import Fault, Trial
from scripts.trials.faults.proxy import Cut, Frozen, Proxy, delayed, dropped, passing, trickled
from scripts.trials.faults.row import Row, table
from scripts.trials.faults.trying import attempt
from scripts.trials.faults.victim import Tally
from scripts.trials.limits import without_descriptors, without_memory
from scripts.trials.usage import Usage, usage
from scripts.trials.watcher import TRAFFIC, Kind, Seen, Watched

WELL = Seen(100, 0, 0, 0, 0, 0.05)
BEFORE, AFTER = Usage(40, 20, 50_000), Usage(41, 20, 51_024)


def watched(api: Seen = WELL, machine: float = 0.1) -> Watched:
    return Watched(dict.fromkeys(Kind, WELL) | {Kind.API: api, Kind.MACHINE: Seen(9, 0, 0, 0, 0, machine)})


def row(
    others: Watched | None, again: float | None = 0.5, refuses: bool = False, failures: tuple[str, ...] = ()
) -> Row:
    return Row("kill", "kill -9", 10, others, 1.0, refuses, again, BEFORE, AFTER, failures)


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (row(watched()), []),
        (row(watched(Seen(1, 2, 0, 0, 0, 0.1))), ["2 lost"]),
        (row(watched(Seen(1, 0, 3, 0, 0, 0.1))), ["3 doubled"]),
        (row(watched(Seen(1, 0, 0, 4, 0, 0.1))), ["4 refused"]),
        (row(watched(Seen(1, 0, 0, 4, 0, 0.1)), refuses=True), []),
        (row(watched(Seen(1, 0, 0, 0, 5, 0.1))), []),
        (row(watched(Seen(1, 0, 0, 0, 0, 1.09))), []),
        (row(watched(Seen(1, 0, 0, 0, 0, 1.2))), ["others waited 1.20 s for api, of 1 allowed"]),
        (row(watched(), again=None), ["it does not work again"]),
        (row(watched(), failures=("1 call_hangup lost",)), ["1 call_hangup lost"]),
    ],
)
def test_when_a_row_fails(found: Row, wrong: list[str]) -> None:
    assert found.wrong == wrong
    assert ("**failed**" in table([found])) == bool(wrong)


def test_a_row() -> None:
    *_, line = table([row(watched(Seen(1200, 0, 0, 0, 0, 0.7)))]).splitlines()
    assert line == "| kill -9 | 10 | 1,500 | 0 | 0 | 0 | 700 ms (100 ms) | 0.5 s | +1, +0, +1.0 MB |"


def test_a_fault_that_cannot_be_tried_is_said_and_does_not_fail() -> None:
    skipped = Row("full-disk", "a full disk", 0, None, 1.0, False, None, None, None, skipped="mount: not permitted")
    assert skipped.wrong == []
    assert "| a full disk | not tried: mount: not permitted |" in table([skipped])


def test_the_page_has_a_place_for_the_table() -> None:
    assert "what was seen" in replaced(page.PAGE.read_text(), "faults", "what was seen")


def test_names() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert [fault.name for fault in named(["reload", "kill"])] == ["kill", "reload"]
    assert named([]) == list(FAULTS)
    with pytest.raises(UnknownFault, match="nothing is called flood; there are cut-handshake, "):
        named(["flood"])


def test_what_a_victim_was_not_answered() -> None:
    tally = Tally(10, 10, 0, 0, asked=7, answered=4, answered_again=0, told=1, events=0, logs=0, lookups=0)
    assert tally.unanswered == 2


# --- the wire


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of one that sends back what it gets."""
    program = (
        "import socketserver as s\n"
        "class H(s.BaseRequestHandler):\n"
        "    def handle(self):\n"
        "        while d := self.request.recv(9): self.request.sendall(d)\n"
        "t = s.ThreadingTCPServer(('127.0.0.1', 0), H)\n"
        "print(t.server_address[1], flush=True)\n"
        "t.serve_forever()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(echo) as made:
        yield made


@pytest.fixture
def near(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as made:
        yield made


def received(near: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := near.recv(size - len(data))):
        data += more
    return data


@pytest.mark.parametrize("fate", [passing, trickled(1), trickled(3), delayed(0.01)])
def test_a_wire_that_passes_all(proxy: Proxy, near: socket.socket, fate: Proxy) -> None:
    proxy.there = proxy.back = fate  # type: ignore[assignment]
    near.sendall(b"hello")
    assert received(near, 5) == b"hello"


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("direction", ["there", "back"])
def test_a_wire_that_is_cut(proxy: Proxy, near: socket.socket, direction: str, reset: bool) -> None:
    """Behind the third byte: those before it have arrived, or at least none behind it."""
    proxy.reset = reset
    setattr(proxy, direction, Cut(3))
    near.sendall(b"hello")
    try:
        assert len(received(near, 5)) <= 3
        closed = not reset
    except ConnectionResetError:
        closed = reset
    assert closed


def test_a_wire_that_is_frozen_and_thaws(proxy: Proxy, near: socket.socket) -> None:
    frozen = proxy.there = Frozen()
    near.sendall(b"hello")
    near.settimeout(0.1)
    with pytest.raises(TimeoutError):
        near.recv(1)
    frozen.thaw()
    near.settimeout(10)
    assert received(near, 5) == b"hello"


def test_a_wire_that_drops(proxy: Proxy, near: socket.socket) -> None:
    taken = threading.Event()

    def fate(data: bytes) -> Iterator[bytes]:
        yield from dropped(data)
        taken.set()

    proxy.there = fate
    near.sendall(b"lost")
    assert taken.wait(10)
    proxy.there = passing
    near.sendall(b"hello")
    assert received(near, 5) == b"hello"


# --- limits

OPENS = """
import sys, os
for line in sys.stdin:
    try:
        if line.strip() == "open":
            os.close(os.open("/dev/null", os.O_RDONLY))
        else:
            bytearray(64 << 20)
        print("had", flush=True)
    except (OSError, MemoryError):
        print("none", flush=True)
"""


@pytest.fixture
def asks() -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", OPENS], text=True, **pipes) as process:  # type: ignore[call-overload]
        yield process
        process.stdin.close()


def asked(process: subprocess.Popen[str], what: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_without_descriptors(asks: subprocess.Popen[str]) -> None:
    assert asked(asks, "open") == "had"
    with without_descriptors(asks.pid):
        assert asked(asks, "open") == "none"
    assert asked(asks, "open") == "had"


def test_without_memory(asks: subprocess.Popen[str]) -> None:
    assert asked(asks, "memory") == "had"
    with without_memory(asks.pid, 32 << 20):
        assert asked(asks, "memory") == "none"
    assert asked(asks, "memory") == "had"


def test_usage() -> None:
    found = usage(os.getpid())
    with Path("/dev/null").open():
        more = usage(os.getpid())
    assert more.descriptors == found.descriptors + 1
    assert found.threads >= 1
    assert found.memory > 1000


# --- all of it


@pytest.mark.freeswitch
@pytest.mark.erl
def test_a_fault_in_a_real_switch(tmp_path: Path, installed: Path) -> None:
    """With a switch, a watcher and a victim; then one that is none, as nothing works again after it."""
    (kill,) = named(["kill"])
    found = attempt(kill, tmp_path / "kill", installed, quick=True)
    assert found.wrong == []
    assert found.tries == 2
    assert found.others is not None
    assert all(found.others.seen[kind].done > 5 for kind in TRAFFIC)


@pytest.mark.freeswitch
@pytest.mark.erl
def test_a_fault_that_is_not_over(tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is gone, and stays so: its row fails, by all that looks whether it works."""

    def unload(trial: Trial) -> int:
        trial.switch.fs_cli("unload mod_erlang_py")
        return 1

    monkeypatch.setattr(trying, "AGAIN_SECONDS", 1.0)
    found = attempt(Fault("gone", "gone", unload), tmp_path / "gone", installed, quick=True)
    assert "it does not work again" in found.wrong


def test_a_name_that_there_is_not() -> None:
    command = [sys.executable, "-m", "scripts.trials.faults", "flood"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("faults: nothing is called flood; there are ")
