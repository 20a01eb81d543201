"""Ticker: who gets a tick, and who is given up."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from typing import cast
from weakref import ref

import pytest

from mod_erlang_py.node.link import Link
from mod_erlang_py.node.ticker import INTENSITY, Ticker


@dataclass
class Counters:
    """What a ticker reads of a reader and an outbox."""

    reads: int = 0
    held: bool = False
    writes: int = 0
    backlog: int = 0


@dataclass(eq=False)
class FakeLink:
    reader: Counters = field(default_factory=Counters)
    outbox: Counters = field(default_factory=Counters)
    ticks: int = 0
    ended: list[str] = field(default_factory=list)

    def tick(self) -> None:
        self.ticks += 1
        self.outbox.writes += 1

    def end(self, reason: str) -> None:
        self.ended.append(reason)


def ticker(*links: FakeLink) -> Ticker:
    return Ticker(lambda: cast(list[Link], list(links)), 60)


def test_an_idle_link_gets_a_tick_at_each_look_but_the_first() -> None:
    link = FakeLink()
    looking = ticker(link)
    for _ in range(10):
        link.reader.reads += 1
        looking.look()
    assert (link.ticks, link.ended) == (9, [])


def test_a_link_that_wrote_needs_no_tick() -> None:
    link = FakeLink()
    looking = ticker(link)
    for _ in range(10):
        link.reader.reads += 1
        link.outbox.writes += 1
        looking.look()
    assert link.ticks == 0


def test_a_link_with_a_backlog_gets_none_either() -> None:
    link = FakeLink()
    link.outbox.backlog = 1
    looking = ticker(link)
    looking.look()
    looking.look()
    assert link.ticks == 0


def test_a_silent_peer_is_given_up_after_a_tick_time() -> None:
    """INTENSITY looks without a byte are T; the byte came up to a look earlier, so T to 1.25 T."""
    link, other = FakeLink(), FakeLink()
    looking = ticker(link, other)
    for _ in range(3):
        link.reader.reads += 1
        looking.look()
        other.reader.reads += 1
    for _ in range(INTENSITY - 1):
        looking.look()
        other.reader.reads += 1
    assert link.ended == []
    looking.look()
    assert link.ended == ["not responding for 60 s"]
    assert other.ended == []


def test_a_byte_now_and_then_is_enough() -> None:
    link = FakeLink()
    looking = ticker(link)
    for look in range(40):
        link.reader.reads += look % (INTENSITY - 1) == 0
        looking.look()
    assert link.ended == []


def test_a_peer_is_not_silent_while_nobody_reads_it() -> None:
    link = FakeLink()
    link.reader.held = True
    looking = ticker(link)
    for _ in range(10 * INTENSITY):
        looking.look()
    assert link.ended == []


def test_a_peer_that_takes_nothing_is_given_up() -> None:
    link = FakeLink()
    looking = ticker(link)
    looking.look()
    link.outbox.backlog = 1000
    for _ in range(INTENSITY):
        assert link.ended == []
        link.reader.reads += 1
        looking.look()
    assert link.ended == ["takes nothing for 60 s"]


def test_a_peer_that_takes_a_little_is_kept() -> None:
    link = FakeLink()
    link.outbox.backlog = 1000
    looking = ticker(link)
    for look in range(10 * INTENSITY):
        link.reader.reads += 1
        link.outbox.writes += look % (INTENSITY - 1) == 0
        looking.look()
    assert (link.ended, link.ticks) == ([], 0)


def test_a_link_that_fails_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeLink):
        name = "broken@localhost"

        def tick(self) -> None:
            raise ZeroDivisionError

    broken, link = Broken(), FakeLink()
    looking = ticker(broken, link)
    for _ in range(3):
        broken.reader.reads += 1
        link.reader.reads += 1
        looking.look()
    assert link.ticks == 2
    assert "the tick of broken@localhost failed" in caplog.text


def test_a_link_that_is_gone_is_not_kept_until_the_next_look() -> None:
    links = [FakeLink()]
    looking = Ticker(lambda: cast(list[Link], links), 60)
    looking.look()
    gone = ref(links.pop())
    gc.collect()
    assert gone() is None
