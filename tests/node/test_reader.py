"""Reader and Watch: order for each sender, and nobody held up by another one's request."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mod_erlang_py.distribution.connection import TICK
from mod_erlang_py.etf import memory
from mod_erlang_py.etf.memory import ELEMENT
from mod_erlang_py.node import reader
from mod_erlang_py.node.pool import STEP
from mod_erlang_py.node.threads import Threads
from tests.node.readers import INTAKE, Bench, pid
from tests.waiting import DEADLINE, wait_until


@pytest.fixture
def bench(threads: Threads) -> Iterator[Bench]:
    bench = Bench(threads)
    bench.read()
    yield bench
    bench.close()


def test_jobs_run_in_order_in_the_thread_that_reads(bench: Bench) -> None:
    for number in range(100):
        bench.ask(1 + number % 3, number)
    bench.wait_ran((1, 99))
    assert bench.ran == [(1 + number % 3, number) for number in range(100)]


def test_a_job_that_blocks_holds_up_its_own_sender_only(bench: Bench) -> None:
    bench.ask(1, 1, slow=True)
    bench.ask(1, 2)
    bench.ask(2, 1)
    bench.ask(1, 3)
    bench.ask(2, 2)
    bench.wait_ran((2, 1), (2, 2))
    assert bench.ran == [(2, 1), (2, 2)]
    assert not bench.started((1, 2))
    bench.release((1, 1))
    bench.wait_ran((1, 3))
    assert bench.ran[2:] == [(1, 1), (1, 2), (1, 3)]
    assert bench.ran_in[1, 1] == bench.ran_in[1, 3] != bench.ran_in[2, 1]


def test_jobs_that_came_in_one_read_are_not_held_up_either(bench: Bench) -> None:
    frames = [bench.frame(1, 1, slow=True), bench.frame(2, 1), bench.frame(1, 2), bench.frame(3, 1)]
    bench.stream.incoming.put(b"".join(frames))
    bench.wait_ran((2, 1), (3, 1))
    assert not bench.started((1, 2))
    bench.release((1, 1))
    bench.wait_ran((1, 2))


def test_several_senders_held_up_at_once(bench: Bench) -> None:
    senders = range(1, 20)
    for sender in senders:
        bench.ask(sender, 1, slow=True)
        bench.ask(sender, 2)
    bench.ask(99, 1)
    bench.wait_ran((99, 1))
    assert bench.ran == [(99, 1)]
    for sender in reversed(senders):
        bench.release((sender, 1))
        bench.wait_ran((sender, 2))
    assert bench.ran[1:] == [(sender, number) for sender in reversed(senders) for number in (1, 2)]


def test_a_job_behind_another_may_be_slow_too(bench: Bench) -> None:
    bench.ask(1, 1, slow=True)
    bench.wait_started((1, 1))
    bench.ask(1, 2, slow=True)
    bench.ask(1, 3)
    bench.ask(2, 1)
    bench.wait_ran((2, 1))
    bench.release((1, 1))
    bench.wait_started((1, 2))
    bench.ask(2, 2)
    bench.wait_ran((2, 2))
    assert not bench.started((1, 3))
    bench.release((1, 2))
    bench.wait_ran((1, 3))
    assert bench.ran == [(2, 1), (1, 1), (2, 2), (1, 2), (1, 3)]


def test_a_sender_is_served_by_the_reading_thread_again_afterwards(bench: Bench) -> None:
    bench.ask(1, 1, slow=True)
    bench.ask(2, 1)
    bench.wait_ran((2, 1))
    bench.release((1, 1))
    bench.wait_ran((1, 1))
    wait_until(lambda: not bench.reader._behind)
    bench.ask(1, 2)
    bench.ask(2, 2)
    bench.wait_ran((1, 2), (2, 2))
    assert bench.ran_in[1, 2] == bench.ran_in[2, 2] == bench.ran_in[2, 1]


def test_with_too_many_held_up_further_senders_wait_for_one_of_them(bench: Bench) -> None:
    """The link is read on meanwhile, for the answers that somebody waits for."""
    bench.reader.configure(replace(INTAKE, running=2))
    for sender in (1, 2):
        bench.ask(sender, 1, slow=True)
        bench.wait_started((sender, 1))
        wait_until(lambda: not bench.reader.held)
    bench.ask(3, 1, slow=True)
    bench.ask(4, 1)
    bench.ask(3, 2)
    bench.stream.incoming.put(TICK)
    wait_until(lambda: bench.reader.reads == 6)
    assert not bench.started((3, 1))
    assert not bench.started((4, 1))
    bench.release((1, 1))
    bench.wait_started((3, 1))
    assert bench.ran == [(1, 1)]
    bench.release((2, 1))
    bench.wait_ran((4, 1))
    bench.release((3, 1))
    bench.wait_ran((3, 2))
    assert bench.ran == [(1, 1), (2, 1), (4, 1), (3, 1), (3, 2)]
    bench.ask(5, 1)
    bench.wait_ran((5, 1))


def test_what_a_node_left_behind_takes_the_place_of_what_may_run(bench: Bench) -> None:
    """But for one, whose thread does what waits."""
    bench.reader.configure(replace(INTAKE, running=2))
    bench.left_behind = 5
    bench.ask(1, 1, slow=True)
    bench.wait_started((1, 1))
    wait_until(lambda: bench.reader.held_up == 1)
    bench.ask(2, 1, slow=True)
    bench.ask(3, 1)
    wait_until(lambda: bench.reader.reads == 3)
    assert not bench.started((2, 1))
    bench.release((1, 1))
    bench.wait_started((2, 1))
    assert not bench.started((3, 1))
    bench.left_behind = 0
    bench.ask(4, 1)
    bench.wait_ran((4, 1))
    bench.release((2, 1))
    bench.wait_ran((3, 1))
    wait_until(lambda: bench.reader.held_up == 0)


def test_a_sender_with_too_many_waiting_ends_the_link(bench: Bench) -> None:
    bench.reader.configure(replace(INTAKE, waiting=3))
    bench.ask(1, 0, slow=True)
    bench.wait_started((1, 0))
    bench.ask(2, 0)
    bench.wait_ran((2, 0))
    for number in range(1, 5):
        bench.ask(1, number)
    assert "max-waiting-requests: 3 requests" in bench.ended.get(timeout=DEADLINE)


def test_a_link_that_ends_while_a_job_runs(bench: Bench) -> None:
    """What was asked before the end is still done; the end is told once."""
    bench.ask(1, 1, slow=True)
    bench.ask(1, 2)
    bench.wait_started((1, 1))
    bench.stream.incoming.put(b"")
    assert bench.ended.get(timeout=DEADLINE) == "closed by the peer"
    bench.release((1, 1))
    bench.wait_ran((1, 2))
    assert bench.ended.empty()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "closed by the peer"),
        (b"\0\0\0\1x", "no job"),
        (b"\xff\0\0\0", "over the limit"),
        (ConnectionResetError(104, "reset"), "read: "),
        (MemoryError(), "no memory for what it sends"),
    ],
    ids=["closed", "violation", "frame too long", "error", "no memory"],
)
def test_how_a_link_ends(bench: Bench, data: bytes | Exception, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    bench.ask(1, 1)
    bench.stream.incoming.put(data)
    assert reason in bench.ended.get(timeout=DEADLINE)
    assert bench.ran == [(1, 1)]
    assert caplog.records == []


def test_a_job_that_raises_is_logged_and_holds_nobody_up(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Whether the reading thread runs it or one that lost the reading."""
    bench.failing = {(1, 1), (1, 3)}
    bench.ask(1, 1)
    bench.ask(1, 2, slow=True)
    bench.ask(1, 3)
    bench.ask(1, 4)
    bench.ask(2, 1)
    bench.wait_ran((2, 1))
    bench.release((1, 2))
    bench.wait_ran((1, 4))
    bench.ask(1, 5)
    bench.wait_ran((1, 5))
    assert [record.getMessage() for record in caplog.records] == [f"a request of {pid(1)} failed"] * 2


def test_an_error_of_ours_ends_the_link(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.ask(0, 0)
    assert bench.ended.get(timeout=DEADLINE) == "ZeroDivisionError in reading"
    assert "reading failed" in caplog.text


def test_without_a_thread_to_read_on_the_job_is_waited_for(
    bench: Bench, missing: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The link is read on by the thread that ran it, and by another one as soon as there are threads again."""
    missing.add("reader")
    for number in (1, 3):
        bench.ask(1, number, slow=True)
        bench.ask(2, number)
        bench.wait_started((1, number))
        wait_until(lambda: "can't start new thread" in caplog.text)
        assert bench.reader.held
        assert not bench.started((2, number))
        bench.release((1, number))
        bench.wait_ran((2, number))
        assert bench.ran_in[1, number] == bench.ran_in[2, number]
    assert bench.ended.empty()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    bench.ask(1, 4, slow=True)
    bench.wait_started((1, 4))
    missing.clear()
    bench.ask(2, 4)
    bench.wait_ran((2, 4))
    assert not bench.ran.count((1, 4))


UNIT = reader.JOB_SIZE + memory(None)
"""Bytes that a job of the bench counts for."""


def test_a_sender_whose_waiting_jobs_are_too_big_ends_the_link(bench: Bench) -> None:
    """All senders of a link count together, and those that have run long."""
    bench.reader.configure(replace(INTAKE, waiting_bytes=5 * UNIT))
    for sender in (1, 2):
        bench.ask(sender, 0, slow=True)
        bench.wait_started((sender, 0))
        wait_until(lambda: not bench.reader.held)
    for sender, number in ((1, 1), (2, 1), (1, 2)):
        bench.ask(sender, number)
    wait_until(lambda: bench.reader.reads == 5 and bench.reader._bytes_behind == 5 * UNIT)
    bench.release((1, 0))
    bench.wait_ran((1, 1), (1, 2))  # which makes room for as many
    wait_until(lambda: pid(1) not in bench.reader._behind)
    assert bench.reader._bytes_behind == 2 * UNIT
    bench.ask(1, 3, slow=True)
    bench.wait_started((1, 3))
    wait_until(lambda: not bench.reader.held)
    for number in (4, 5):
        bench.ask(1, number)
    bench.ask(3, 0)
    bench.wait_ran((3, 0))
    assert bench.ended.empty()
    bench.ask(2, 2)
    told = f"max-waiting-request-bytes: {5 * UNIT} bytes are kept for requests that wait or run long"
    assert bench.ended.get(timeout=DEADLINE) == told


def test_what_waits_counts_as_the_memory_that_it_takes(bench: Bench) -> None:
    """A list of a hundred thousand empty ones is 100 KB on the wire, and 8 MB in Python."""
    term: list[list[int]] = [[] for _ in range(100_000)]
    assert 5_000_000 < memory(term) < 20_000_000
    bench.reader.configure(replace(INTAKE, waiting_bytes=memory(term)))
    bench.terms[1, 1] = term
    bench.ask(1, 0, slow=True)
    bench.wait_started((1, 0))
    bench.ask(1, 1)
    assert bench.ended.get(timeout=DEADLINE).startswith("max-waiting-request-bytes: ")


def test_of_all_links_the_one_that_keeps_most_ends(bench: Bench, threads: Threads) -> None:
    other = Bench(threads, bench.pool)
    bench.pool.resize(5 * STEP)
    whole: list[list[int]] = [[] for _ in range(2 * STEP // ELEMENT)]
    other.read()
    for one, count in ((bench, 2), (other, 1)):
        one.ask(1, 0, slow=True)
        one.wait_started((1, 0))
        for number in range(1, count + 1):
            one.terms[1, number] = whole
            one.ask(1, number)
        wait_until(lambda one=one, count=count: one.reader._reported > 2 * count * STEP)  # type: ignore[misc]
    assert bench.ended.get(timeout=DEADLINE).startswith("max-waiting-request-bytes-total: it has most of ")
    assert other.ended.empty()
    wait_until(lambda: not bench.pool.full)
    other.release((1, 0))
    other.wait_ran((1, 1))
    wait_until(lambda: bench.pool.total == 0)
    other.close()


def test_what_waited_counts_while_it_runs(bench: Bench) -> None:
    bench.ask(1, 0, slow=True)
    bench.wait_started((1, 0))
    bench.ask(1, 1, slow=True)
    wait_until(lambda: bench.reader._bytes_behind == 2 * UNIT)
    bench.release((1, 0))
    bench.wait_started((1, 1))
    assert bench.reader._bytes_behind == UNIT
    bench.release((1, 1))
    wait_until(lambda: not bench.reader._behind)
    assert bench.reader._bytes_behind == 0


BIG: list[list[int]] = [[] for _ in range(2 * STEP // ELEMENT)]
"""A term of a little over 2 STEP."""


def test_a_request_that_is_done_counts_no_more_at_once(bench: Bench) -> None:
    """Also when its node says nothing afterwards."""
    bench.terms[1, 0] = BIG
    bench.ask(1, 0, slow=True)
    bench.wait_started((1, 0))
    wait_until(lambda: bench.pool.total > 2 * STEP)
    bench.release((1, 0))
    wait_until(lambda: bench.pool.total == 0)


def test_what_a_node_left_behind_counts_until_it_is_done(bench: Bench) -> None:
    """Else whoever connects anew each time could leave as much as often as he likes."""
    bench.terms[1, 1] = bench.terms[1, 2] = BIG
    bench.ask(1, 0, slow=True)
    bench.wait_started((1, 0))
    bench.ask(1, 1, slow=True)
    bench.ask(1, 2)
    bench.stream.incoming.put(b"")
    assert bench.ended.get(timeout=DEADLINE) == "closed by the peer"
    assert bench.pool.total > 4 * STEP
    bench.release((1, 0))
    bench.wait_started((1, 1))
    assert bench.pool.total > 4 * STEP
    bench.release((1, 1))
    bench.wait_ran((1, 2))
    wait_until(lambda: bench.pool.total == 0)
    assert bench.pool.most() is None


def test_what_a_node_left_behind_is_not_done_when_it_is_most(bench: Bench, threads: Threads) -> None:
    other = Bench(threads, bench.pool)
    other.read()
    bench.pool.resize(5 * STEP)
    for one in (bench, other):
        one.ask(1, 0, slow=True)
        one.wait_started((1, 0))
    for number in (1, 2):
        bench.terms[1, number] = BIG
        bench.ask(1, number)
    bench.stream.incoming.put(b"")
    assert bench.ended.get(timeout=DEADLINE) == "closed by the peer"
    other.terms[1, 1] = BIG
    other.ask(1, 1)
    wait_until(lambda: 2 * STEP < bench.pool.total < 4 * STEP)
    bench.release((1, 0))
    wait_until(lambda: not bench.reader._behind)
    assert bench.ran == [(1, 0)]
    other.release((1, 0))
    other.wait_ran((1, 1))
    assert other.ended.empty()
    other.close()


def test_what_is_not_whole_counts_for_all_links(bench: Bench) -> None:
    bench.pool.resize(STEP)
    bench.stream.incoming.put(struct.pack(">I", 4 * STEP) + bytes(2 * STEP))
    assert bench.ended.get(timeout=DEADLINE).startswith("max-waiting-request-bytes-total: it has most of 131")
    assert bench.pool.total == 0


def test_what_was_received_before_the_end_is_done_and_no_more_is_read(bench: Bench, missing: set[str]) -> None:
    missing.add("reader")
    bench.stream.incoming.put(bench.frame(1, 1, slow=True) + bench.frame(2, 1) + bench.frame(1, 2))
    bench.wait_started((1, 1))
    bench.ask(3, 1)
    bench.stream.shut_down("first")
    bench.stream.shut_down("second")
    assert bench.ended.empty()
    bench.release((1, 1))
    assert bench.ended.get(timeout=DEADLINE) == "first"
    assert bench.ended.empty()
    assert bench.ran == [(1, 1), (2, 1), (1, 2)]


def test_ticks_are_reads_and_nothing_else(bench: Bench) -> None:
    bench.stream.incoming.put(TICK)
    bench.stream.incoming.put(TICK + TICK)
    wait_until(lambda: bench.reader.reads == 2)
    assert bench.ran == []


def test_what_came_with_the_handshake_is_first(threads: Threads) -> None:
    bench = Bench(threads)
    whole = bench.frame(1, 1) + bench.frame(1, 2)
    bench.reader = bench.make(whole[:-5])
    bench.read()
    bench.stream.incoming.put(whole[-5:])
    bench.ask(1, 3)
    bench.wait_ran((1, 3))
    assert bench.ran == [(1, 1), (1, 2), (1, 3)]
    bench.close()
