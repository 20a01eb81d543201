"""`make bench ARGS=--quick` in real FreeSWITCHes: that it measures, not what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.results import Results, read
from scripts.install import ROOT

pytestmark = [pytest.mark.freeswitch, pytest.mark.erl, pytest.mark.timeout(180)]


@pytest.fixture
def json(tmp_path: Path) -> Path:
    return tmp_path / "results.json"


def run(json: Path, *arguments: str) -> Results:
    command = [sys.executable, "-m", "scripts.bench", "--quick", "--json", str(json), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read(json)


def test_ours_and_freeswitch_alone(json: Path) -> None:
    """Requests, calls, events of other calls: with figures for both, by their names."""
    found = run(json, "foreign", "calls", "api", "--contenders", "alone,compiled")
    measured = {(sample.workload, sample.contender) for sample in found.samples}
    assert measured == {
        ("api", "compiled"),
        *((what, who) for what in ("foreign", "calls") for who in ("alone", "compiled")),
    }
    assert all(sample.measured.lost == 0 for sample in found.samples)
    assert all(sample.measured.value > 0 for sample in found.samples if "net" not in sample.measured.what)
    assert found.machine.versions["OTP"].isdecimal()


def test_what_only_ours_has(json: Path) -> None:
    """Subscriptions, executes, process groups: nothing is lost, and nothing costs nothing."""
    found = run(json, "subscriptions", "executes", "groups", "--contenders", "alone,compiled,mod_erlang_event")
    measured = {(sample.workload, sample.contender) for sample in found.samples}
    assert measured == {(name, "compiled") for name in ("subscriptions", "executes", "groups")}
    assert found.failures == ()
    assert all(sample.measured.lost == 0 and sample.measured.value > 0 for sample in found.samples)


def test_theirs_where_it_is(json: Path) -> None:
    """mod_event_socket is part of every FreeSWITCH that can be measured."""
    found = run(json, "logs", "latency", "--contenders", "event_socket,max-event-bulk")
    assert {"event_socket"} <= {sample.contender for sample in found.samples}
    assert sum(sample.measured.lost for sample in found.samples) == 0


def test_nothing_is_left_of_one_that_is_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.bench", "api", "--contenders", "event_socket"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("1/5 "):  # in the second round a switch runs
            assert process.poll() is None
        process.terminate()
        process.stderr.read()
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in lines


def test_a_name_that_there_is_not() -> None:
    done = subprocess.run([sys.executable, "-m", "scripts.bench", "flood"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("bench: nothing is called flood; there are api, ")
