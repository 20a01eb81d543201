"""Who is measured when, and what is asked for by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.bench import contenders, turns, workloads
from scripts.bench.contenders import ALONE, COMPILED, SOCKET, THEIRS
from scripts.bench.errors import BenchError
from scripts.bench.results import Failure, Measured, Sample, Unit
from scripts.bench.shared import Shared
from scripts.bench.turns import Turn, Workload, places, take
from scripts.scratch import FreeSwitch


def nothing(_: Turn) -> Iterator[Measured]:
    return iter(())


def test_contenders_take_turns() -> None:
    first = Workload("first", "", nothing, (THEIRS, COMPILED, ALONE))
    second = Workload("second", "", nothing, (COMPILED,), rounds=1)
    found = places([first, second], contenders.named(["mod_erlang_event", "alone", "compiled", "event_socket"]), 2)
    assert [(place.workload.name, place.round, place.contender) for place in found] == [
        ("first", 1, ALONE),
        ("first", 1, COMPILED),
        ("first", 1, THEIRS),
        ("first", 2, ALONE),
        ("first", 2, COMPILED),
        ("first", 2, THEIRS),
        ("second", 1, COMPILED),
    ]


def test_all_when_nobody_is_named() -> None:
    assert contenders.named([]) == list(contenders.CONTENDERS)
    assert workloads.named([]) == list(workloads.WORKLOADS)
    assert contenders.named(["event_socket", "alone"]) == [ALONE, SOCKET]
    assert [one.name for one in workloads.named(["calls", "api"])] == ["api", "calls"]


def test_names_that_there_are_not() -> None:
    with pytest.raises(contenders.UnknownContender, match="no contender is called nobody; there are alone, otp, "):
        contenders.named(["compiled", "nobody"])
    with pytest.raises(workloads.UnknownWorkload, match="nothing is called flood; there are api, bgapi, "):
        workloads.named(["flood"])


def test_names_are_given_once() -> None:
    assert len({one.name for one in contenders.CONTENDERS}) == len(contenders.CONTENDERS)
    assert len({one.name for one in workloads.WORKLOADS}) == len(workloads.WORKLOADS)


def test_who_fails_keeps_nobody_else_from_his_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And what FreeSWITCH alone took is that of the same round."""
    measured = iter([10.0])
    seen: list[float | None] = []

    def measure(turn: Turn) -> Iterator[Measured]:
        if turn.contender is ALONE:
            yield Measured("cost", Unit.MICROSECONDS, _next(measured))
        elif turn.contender is COMPILED:
            yield Measured("half", Unit.MICROSECONDS, 1.0)
            raise BenchError("it broke")
        else:
            seen.append(turn.alone.get("cost"))
            yield Measured("cost", Unit.MICROSECONDS, 5.0)

    @contextmanager
    def started(*_: object) -> Iterator[None]:
        yield None

    forgotten: list[Shared] = []
    told: list[str] = []
    monkeypatch.setattr(turns, "started", started)
    monkeypatch.setattr(Shared, "forget_erlang", lambda self: forgotten.append(self))
    shared = Shared(FreeSwitch(tmp_path, tmp_path, tmp_path, "python3"), tmp_path, 1, tmp_path, "no cc")
    workload = Workload("w", "", measure, (ALONE, COMPILED, THEIRS))
    found = list(take(places([workload], [ALONE, COMPILED, THEIRS], 2), shared, False, told.append))
    failed = [(one.contender, one.round) for one in found if isinstance(one, Failure)]
    assert failed == [("compiled", 1), ("alone", 2), ("compiled", 2)]
    assert [one.measured.value for one in found if isinstance(one, Sample)] == [10.0, 1.0, 5.0, 1.0, 5.0]
    assert seen == [10.0, None]
    assert len(forgotten) == 3
    assert told[1] == "w compiled 1: it broke"
    assert told[-1] == "6/6 w mod_erlang_event 2; 0 s left"


def _next(values: Iterator[float]) -> float:
    for value in values:
        return value
    raise BenchError("no more")


def test_quick_is_little_of_everything(tmp_path: Path) -> None:
    shared = Shared(FreeSwitch(tmp_path, tmp_path, tmp_path, "python3"), tmp_path, 1, tmp_path, "no cc")
    usual, quick = (Turn(THEIRS, None, shared, short) for short in (False, True))  # type: ignore[arg-type]
    assert (usual.requests(4000, polled=150), quick.requests(4000, polled=150)) == (150, 20)
    assert (usual.events(4000, polled=800), quick.events(4000, polled=800)) == (800, 40)
    assert (usual.seconds(2), quick.seconds(2)) == (2, 0.5)
