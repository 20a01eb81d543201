"""Subscriptions of one's own: their ends, and their bounds."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from mod_erlang_py.errors import Exhausted
from mod_erlang_py.etf.event import EventEncoder
from mod_erlang_py.etf.event_map import EventMapEncoder
from mod_erlang_py.events.interest import EVERYTHING, NOTHING, Interest, Names
from mod_erlang_py.events.own_subscriptions import (
    MAX_BYTES_OF_NODE,
    TEXT_SIZE,
    Options,
    OwnSubscription,
    OwnSubscriptions,
)
from mod_erlang_py.events.shape import Choice, Format
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Encoder, Form
from tests.events.pumping import Bench, settled
from tests.fakes import FakeLink

UUID = b"5f0d8f4e-3f5b-4a5e-9c77-1f3f5d3c9a10"
OF_THE_CALL = (b"Unique-ID", UUID)
ENCODERS: dict[tuple[Format, Form], Encoder] = {
    (Format.LIST, Form.STRING): EventEncoder(False).headers,
    (Format.MAP, Form.STRING): EventMapEncoder(False).map,
}


def wants(*types: str) -> Interest:
    return NOTHING.add(Names(frozenset(types)))


@dataclass
class Desk:
    """calls: those that the switch has."""

    bench: Bench
    calls: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        exists = self.calls.__contains__
        self.all = OwnSubscriptions(self.bench.subscriptions, ENCODERS, exists, lambda uuid: not exists(uuid), 100)

    def subscribe(self, link: FakeLink, opened: bool = True, **options: object) -> OwnSubscription:
        given = {"form": Form.STRING, "interest": EVERYTHING} | options
        own = self.all.subscribe(link.pid, Target(link.link, link.pid), Options(**given))  # type: ignore[arg-type]
        assert own is not None
        if opened:
            self.all.open(own)
        return own


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


def came(link: FakeLink) -> list[object]:
    """The tags of what came; of an event, its name."""
    names = []
    for _, term in link.messages():
        tag = term[0].value
        tag = tag.decode() if isinstance(tag, bytes) else tag
        names.append(dict(term[2][1:])[b"Event-Name"].decode() if tag == "event" else tag)
    return names


def test_what_comes_before_it_is_open_is_kept(desk: Desk) -> None:
    link = FakeLink()
    own = desk.subscribe(link, opened=False, interest=wants("TRAP"))
    desk.bench.fire("TRAP")
    desk.bench.fire("API")
    settled(desk.bench)
    assert came(link) == []
    desk.all.open(own)
    desk.bench.fire("TRAP")
    link.wait_for(2)
    assert came(link) == ["TRAP", "TRAP"]


def test_a_call_is_over(desk: Desk) -> None:
    link = FakeLink()
    desk.subscribe(link, interest=wants("CHANNEL_HANGUP"), call=UUID)
    for name in ("CHANNEL_CREATE", "CHANNEL_HANGUP", "CHANNEL_DESTROY"):
        desk.bench.fire(name, OF_THE_CALL)
    link.wait_for(2)
    assert came(link) == ["CHANNEL_HANGUP", "unsubscribed"]
    assert len(desk.all) == 0


def test_a_call_that_is_not_over_whatever_an_event_says(desk: Desk) -> None:
    link = FakeLink()
    desk.calls.add(UUID.decode())
    desk.subscribe(link, call=UUID)
    desk.bench.fire("CHANNEL_DESTROY", OF_THE_CALL)
    desk.bench.fire("DTMF", OF_THE_CALL)
    link.wait_for(2)
    assert (came(link), len(desk.all)) == (["CHANNEL_DESTROY", "DTMF"], 1)


def test_a_call_that_is_over_before_it_is_open(desk: Desk) -> None:
    link = FakeLink()
    own = desk.subscribe(link, opened=False, call=UUID)
    desk.bench.fire("CHANNEL_DESTROY", OF_THE_CALL)
    settled(desk.bench)
    assert (came(link), len(desk.all)) == ([], 1)
    desk.all.open(own)
    assert (came(link), len(desk.all)) == (["CHANNEL_DESTROY", "unsubscribed"], 0)


def test_a_call_whose_end_was_lost(desk: Desk) -> None:
    """One that was there is over; one that is still to be made is not."""
    links = [FakeLink(f"{name}@localhost") for name in ("there", "created", "to_be", "alive")]
    desk.calls |= {"there", "alive"}
    for link in links:
        desk.subscribe(link, interest=NOTHING, call=link.name.partition("@")[0].encode())
    desk.bench.fire("CHANNEL_CREATE", (b"Unique-ID", b"created"))
    settled(desk.bench)
    desk.calls.discard("there")
    desk.all.look_after()
    assert [came(link) for link in links] == [["unsubscribed"], ["unsubscribed"], [], []]
    assert len(desk.all) == 2


def test_there_is_one_end(desk: Desk) -> None:
    """Whatever happens at once; and nobody watches any more."""
    for _ in range(30):
        link = FakeLink()
        left: list[int] = []
        own = desk.subscribe(link, call=UUID)
        desk.all.watched(own, partial(left.append, 1))
        barrier = threading.Barrier(4)
        ends: list[Callable[[], object]] = [
            partial(desk.all.unsubscribe, own.reference, "peer@localhost"),
            partial(desk.all.gone, own),
            partial(desk.bench.subscriptions.exited, link.link, link.pid, None),
            partial(desk.all.unsubscribe_all, link.pid),
        ]

        def run(end: Callable[[], object], barrier: threading.Barrier = barrier) -> None:
            barrier.wait(10)
            end()

        threads = [threading.Thread(target=run, args=(end,)) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert left == [1]
        assert len(desk.all) == 0


def test_one_that_ended_before_it_was_watched_is_left(desk: Desk) -> None:
    link = FakeLink()
    left: list[int] = []
    own = desk.subscribe(link, opened=False)
    desk.bench.subscriptions.exited(link.link, link.pid, None)
    desk.all.watched(own, lambda: left.append(1))
    desk.all.open(own)
    desk.bench.fire("TRAP")
    settled(desk.bench)
    assert (left, came(link), len(desk.all)) == ([1], [], 0)


def test_a_node_that_is_gone(desk: Desk) -> None:
    link, other = FakeLink(), FakeLink("other@localhost")
    for _ in range(3):
        desk.subscribe(link, window=1)
    desk.subscribe(other)
    link.ended = True
    desk.bench.down(link)
    assert [own.target.link for own in desk.all.of(other.link)] == [other.link]
    assert desk.all.of(link.link) == []
    assert desk.all.subscribe(link.pid, Target(link.link, link.pid), Options(Form.STRING, EVERYTHING)) is None
    assert len(desk.all) == 1
    assert list(desk.all._of_nodes) == [other.link]


def test_they_are_bounded(desk: Desk) -> None:
    desk.all.configure(2)
    link, other = FakeLink(), FakeLink("other@localhost")
    first = desk.subscribe(link)
    desk.subscribe(link)
    with pytest.raises(Exhausted, match="max-subscriptions: 2 subscriptions go to peer@localhost"):
        desk.subscribe(link)
    desk.subscribe(other)
    assert desk.all.unsubscribe(first.reference, link.name)
    desk.subscribe(link)


def test_an_event_is_made_once_for_all_who_want_it_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    encode = ENCODERS[Format.MAP, Form.STRING]

    def encoder(*event: Any) -> bytes:
        made.append(encode(*event))
        return made[-1]

    monkeypatch.setitem(ENCODERS, (Format.MAP, Form.STRING), encoder)
    links = [FakeLink(f"n{number}@localhost") for number in range(5)]
    for link in links:
        desk.subscribe(link, interest=wants("TRAP"), format=Format.MAP, choice=Choice((b"N", b"event-na*")))
    number = desk.bench.fire("TRAP", body=b"not chosen")
    for link in links:
        ((_, term),) = link.wait_for(1)
        assert term[2] == {b"N": b"%d" % number, b"Event-Name": b"TRAP"}
    assert len(made) == 1


def test_a_shape_is_forgotten_with_the_last_who_wants_it(desk: Desk) -> None:
    link = FakeLink()
    one, two = (desk.subscribe(link, format=Format.MAP) for _ in range(2))
    assert one.subscription.shape is two.subscription.shape
    assert len(desk.all._shapes._known) == 1
    desk.all.unsubscribe_all(link.pid)
    settled(desk.bench)  # the routes too
    del one, two
    gc.collect()
    assert len(desk.all._shapes._known) == 0


def test_the_other_counts_are_the_event_handlers(desk: Desk) -> None:
    """CREATES/HANGUPS of `erlang listeners`."""
    link = FakeLink()
    desk.subscribe(link, interest=wants("CHANNEL_CREATE"))
    desk.bench.fire("CHANNEL_CREATE")
    link.wait_for(1)
    counts = desk.bench.subscriptions.counts(link.link)
    assert (counts.sent, counts.creates) == (1, 0)


def test_the_texts_of_one_nodes_subscriptions_are_bounded(desk: Desk) -> None:
    link = FakeLink()
    interest = NOTHING.add(Names(frozenset({"CUSTOM"}), frozenset(b"%0256d" % number for number in range(1000))))
    size = Options(Form.STRING, interest).size
    assert size == 1000 * (256 + TEXT_SIZE)
    some = [desk.subscribe(link, interest=interest) for _ in range(MAX_BYTES_OF_NODE // size)]
    with pytest.raises(Exhausted, match="bytes go to peer@localhost"):
        desk.subscribe(link, interest=interest)
    desk.subscribe(FakeLink("other@localhost"), interest=interest)
    desk.all.end(some[0])
    desk.subscribe(link, interest=interest)
