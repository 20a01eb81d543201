"""What `make fuzz` sends, and that it sees what is wrong."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from mod_erlang_py.distribution.connection import FrameReader, decode_body
from mod_erlang_py.errors import LimitExceeded
from mod_erlang_py.etf import Pid, Reference, atom_text, decode, encode
from mod_erlang_py.requests import registry
from scripts.trials.fuzz.frames import CONTROLS, MAX_SIZE, Speaker
from scripts.trials.fuzz.report import GROWTH, Report
from scripts.trials.fuzz.rounds import End, Fault, Outcome, Rounds
from scripts.trials.fuzz.terms import mutated, requests
from scripts.trials.fuzz.waits import Waits
from scripts.trials.usage import Usage
from scripts.trials.watcher import NOTHING, Kind, Seen, Watched
from tests.conftest import RunningNode, StartNode

US, NODE = Pid("fuzz1@localhost", 1, 0, 7), Pid("freeswitch@localhost", 1, 0, 42)
REFERENCE = Reference("fuzz1@localhost", 7, (1, 2, 3))


def test_there_is_one_of_each_request() -> None:
    """A new one belongs into scripts/trials/fuzz/terms.py."""
    sent = {
        (atom_text(term[0]) if isinstance(term, tuple) else atom_text(term), isinstance(term, tuple))
        for term in requests(US, REFERENCE)
    }
    known = {(tag, arity > 0) for tag, arity in registry.messages()}
    assert known - sent == {("exit", False)}  # which the link would not survive


def test_the_same_seed_sends_the_same() -> None:
    first, again, other = (Speaker(Random(f"{seed}:1"), US, NODE, 1) for seed in (7, 7, 8))
    said = [[one.request(), one.signal(), one.last()] for one in (first, again, other)]
    assert said[0] == said[1] != said[2]


def test_what_is_changed_is_a_term_still() -> None:
    random = Random(5)
    changed = 0
    for _ in range(1000):
        term = random.choice(requests(US, REFERENCE))
        before = encode(term)
        data = encode(mutated(random, term, US))
        assert encode(term) == before
        changed += data != before
        with suppress(LimitExceeded):
            decode(data)
    assert changed > 900


def test_requests_and_signals_are_right() -> None:
    for number in range(200):
        speaker = Speaker(Random(number), US, NODE, number)
        for frame in (speaker.request(), speaker.signal()):
            (body,) = FrameReader(2 * MAX_SIZE).receive_data(frame)
            decode_body(body)


def test_each_number_comes_with_each_arity() -> None:
    assert {(op, arity) for op in range(41) for arity in range(9)} <= set(CONTROLS)
    found = set()
    for number in range(len(CONTROLS)):
        body = Speaker(Random(number), US, NODE, number)._every_number().data[4:]
        found.add(CONTROLS[number])
        op, arity = CONTROLS[number]
        assert body[2:4] == bytes((104, arity + 1))
        assert decode(b"\x83" + body[2:])[0] == op
    assert found == set(CONTROLS)


@pytest.fixture
def started(start_node: StartNode) -> RunningNode:
    return start_node("simulated", epmd="builtin", cookie="ClueCon")


@pytest.mark.erl
def test_rounds_of_each_kind(started: RunningNode) -> None:
    report = Report()
    rounds = Rounds(started, 11)
    for number in range(150):
        report.add(rounds.run(number))
    kinds = {what for what, _ in report.ends}
    assert {"handshakes to it", "handshakes from it", "requests to epmd", "control numbers", "fragments"} <= kinds
    assert {end for _, end in report.ends} == set(End)
    assert "Traceback" not in started.log()


@pytest.mark.erl
def test_a_node_with_another_cookie_is_a_fault(start_node: StartNode) -> None:
    rounds = Rounds(start_node("simulated", epmd="builtin", cookie="other"), 11)
    with pytest.raises(Fault, match="a link with the cookie was refused"):
        list(map(rounds.run, range(20)))


def test_what_is_judged() -> None:
    usage = Usage(30, 20, 50_000)
    report = Report()
    report.add(Outcome("noise", 3, End.CLOSED))
    report.see(_watched(0.35), 0.2, 8)
    report.judge(usage, usage)
    assert (report.faults, report.slow) == ([], 1)
    assert report.see(_watched(0.4, lost=1), 0.1, 9) == 0.4
    assert report.faults.pop() == "around round 9: others waited 400 ms, for the machine 200 at most"
    report.judge(usage, Usage(31, 20, 50_001 + GROWTH))
    assert [fault.split()[0] for fault in report.faults] == ["1", "1", str(GROWTH + 1)]
    assert "| noise | 0 | 1 | 0 |" in report.tables(usage, usage)


def test_who_waited_for_a_processor(tmp_path: Path) -> None:
    def waited(**threads: int) -> None:
        for name, milliseconds in threads.items():
            folder = tmp_path / "7" / "task" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "schedstat").write_text(f"5 {milliseconds * 10**6} 9\n")

    waited(a=1000, b=10, c=0, d=0)
    waits = Waits(7, tmp_path)
    assert waits.take() == 0.0
    waited(a=1001, b=20, c=300, d=4, e=50)
    assert waits.take() == pytest.approx(0.36)
    assert Waits(os.getpid()).take() < 10


def _watched(slowest: float, lost: int = 0) -> Watched:
    """The machine itself delays 0.1 s."""
    seen = dict.fromkeys(Kind, NOTHING)
    return Watched(seen | {Kind.API: Seen(1, lost, 0, 0, 0, slowest), Kind.MACHINE: Seen(1, 0, 0, 0, 0, 0.1)})
