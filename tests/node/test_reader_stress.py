"""Any mixture of quick and slow jobs of many senders: each runs once, in its sender's order."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mod_erlang_py.node.threads import Threads
from tests.node.readers import INTAKE, Bench, Step
from tests.waiting import DEADLINE, wait_until

JOBS = st.lists(st.tuples(st.integers(1, 12), st.sampled_from([False] * 4 + [True])), min_size=1, max_size=150)
"""(sender, slow) in the order in which they come."""


@pytest.mark.parametrize("threads_held", [1, 3, 64])
@given(jobs=JOBS, seed=st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_job_runs_once_in_its_senders_order(threads_held: int, jobs: list[tuple[int, bool]], seed: int) -> None:
    cuts = random.Random(seed)
    threads = Threads()
    bench = Bench(threads)
    bench.reader.configure(replace(INTAKE, running=threads_held))
    bench.read()
    sent, data = _frames(bench, jobs)
    while data:
        size = cuts.randrange(1, 300)
        bench.stream.incoming.put(data[:size])
        data = data[size:]
    while (ran := len(bench.ran)) < len(jobs):
        held = bench.held_up()
        if held:
            if cuts.random() < 0.5:
                wait_until(lambda: not bench.reader.held)  # another thread has taken over
            bench.release(cuts.choice(sorted(held)))
        else:
            bench.wait_moved(ran)
    bench.close()
    assert bench.ended.get(timeout=DEADLINE) == "closed by the peer"
    assert threads.join(DEADLINE) == []
    assert bench.overlapping == []
    assert _by_sender(bench.ran) == _by_sender(sent)


def test_a_flood_with_a_few_slow_jobs() -> None:
    """Thousands of jobs, the slow ones released only after every quick sender has had all of its answers."""
    threads = Threads()
    bench = Bench(threads)
    bench.read()
    slow_senders, count = 6, 20_000
    jobs = [(random.Random(number).randrange(1, 40), False) for number in range(count)]
    for sender in range(1, slow_senders + 1):
        jobs.insert(sender * 50, (sender, True))
    sent, data = _frames(bench, jobs)
    for start in range(0, len(data), 10_001):
        bench.stream.incoming.put(data[start : start + 10_001])
    bench.wait_ran(*(step for step in sent if step[0] > slow_senders))
    held = bench.held_up()
    assert sorted(sender for sender, _ in held) == list(range(1, slow_senders + 1))
    bench.release(*held)
    bench.wait_ran(*sent)
    bench.close()
    assert threads.join(DEADLINE) == []
    assert bench.overlapping == []
    assert _by_sender(bench.ran) == _by_sender(sent)


def _frames(bench: Bench, jobs: list[tuple[int, bool]]) -> tuple[list[Step], bytes]:
    sent = [(sender, number) for number, (sender, _) in enumerate(jobs)]
    return sent, b"".join(bench.frame(sender, number, slow) for number, (sender, slow) in enumerate(jobs))


def _by_sender(steps: list[Step]) -> dict[int, list[int]]:
    numbers: dict[int, list[int]] = defaultdict(list)
    for sender, number in steps:
        numbers[sender].append(number)
    return numbers
