"""What the trials call "the others": that their traffic flows, and that what becomes of it is seen."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.trials.switch import Switch, started, wait_until
from scripts.trials.watcher import TRAFFIC, Kind, Watched, Watcher, watched


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Iterator[Switch]:
    with started(tmp_path_factory.mktemp("trial"), shared=installed) as found:
        yield found


def until_each_did(watcher: Watcher, count: int) -> Watched:
    found = watcher.take()
    deadline = time.monotonic() + 20
    while any(found.seen[kind].done < count for kind in TRAFFIC):
        assert time.monotonic() < deadline, found
        found += watcher.take()
    return found


@pytest.mark.freeswitch
@pytest.mark.erl
def test_others_are_served_and_a_stop_of_the_switch_is_seen(switch: Switch, tmp_path: Path) -> None:
    with Watcher(switch, tmp_path) as watcher:
        found = until_each_did(watcher, 5)
        assert (found.others.lost, found.others.doubled, found.others.told) == (0, 0, 0)
        os.kill(switch.pid, signal.SIGSTOP)
        time.sleep(0.6)  # what is awaited is that nothing comes
        stopped = watcher.take()
        os.kill(switch.pid, signal.SIGCONT)
        assert all(stopped.seen[kind].slowest > 0.4 for kind in TRAFFIC), stopped
        assert stopped.seen[Kind.MACHINE].slowest < 0.4
        until_each_did(watcher, 2)
        last = watcher.finish().others
        assert (last.lost, last.doubled, last.told) == (0, 0, 0)
    assert switch.tracebacks() == 0


@pytest.mark.freeswitch
@pytest.mark.erl
def test_a_node_that_goes_and_comes_back(switch: Switch, tmp_path: Path) -> None:
    """What was under way is told, not lost; then everything goes on by itself."""
    before = switch.usage()
    with Watcher(switch, tmp_path) as watcher:
        until_each_did(watcher, 2)
        switch.fs_cli(f"erlang disconnect {watcher.name}")
        found = until_each_did(watcher, 5) + watcher.finish()
        assert found.others.told > 0
        assert (found.others.lost, found.others.doubled) == (0, 0)
    assert wait_until(lambda: switch.usage().threads <= before.threads, 20), (before, switch.usage())


def test_what_is_told_of_each_kind_is_read() -> None:
    found = watched(
        [1, 0, 0, 0, 0, 1000, 2, 1, 0, 0, 0, 2000, 3, 0, 1, 0, 0, 500000, 4, 0, 0, 2, 1, 4, 9, 0, 0, 0, 0, 9e6]
    )
    assert found.seen[Kind.EVENTS].lost == 1
    assert found.seen[Kind.CALL].doubled == 1
    assert (found.seen[Kind.LOOKUP].refused, found.seen[Kind.LOOKUP].told) == (2, 1)
    assert found.seen[Kind.MACHINE].slowest == 9.0
    assert (found.others.done, found.others.told, found.others.slowest) == (10, 1, 0.5)
    assert (found + found).others.done == 20
