"""Holding back, opening, ending: what events and calls share."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mod_erlang_py import etf
from mod_erlang_py.etf import Atom, Pid, Term
from mod_erlang_py.events import subscription as module
from mod_erlang_py.events.interest import EVERYTHING, NOTHING, Names
from mod_erlang_py.events.subscription import Held, Notice, Subscription
from mod_erlang_py.events.subscriptions import NOCONNECTION
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Event, Form, Received, Wanted
from mod_erlang_py.switch.simulated.events import ReceivedEvent
from tests.events.pumping import Bench, numbers, settled
from tests.fakes import FakeLink, header

UUID = b"5f0d8f4e-3f5b-4a5e-9c77-1f3f5d3c9a10"
OF_THE_CALL = (b"Unique-ID", UUID)
FIRST, LAST = etf.encode(Atom("first")), etf.encode(Atom("last"))


def call(gone: Callable[[Term], None] = lambda _: None, since: int = 0, notice: Notice | None = None) -> Subscription:
    return Subscription(Form.STRING, gone, interest=EVERYTHING, call=UUID, since=since, held=Held(), notice=notice)


def received(name: str, sequence: int | None = None, uuid: bytes = UUID) -> ReceivedEvent:
    headers = [(b"Unique-ID", uuid)]
    if sequence is not None:
        headers.append((b"Event-Sequence", b"%d" % sequence))
    return ReceivedEvent(Event(name, headers), {})


def shown(link: FakeLink) -> list[str | int]:
    """What came: `first`, `last`, and the numbers of the events."""
    return [str(term.value) if isinstance(term, Atom) else int(header(term, b"N")) for _, term in link.messages()]


def test_the_source_hears_of_every_form(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of those that calls want, once each: it is to have events ready in them."""
    wishes: list[Wanted] = []
    monkeypatch.setattr(bench.source, "want", wishes.append)
    for _ in range(3):
        bench.subscriptions.add(call())
    link = FakeLink()
    target = Target(link.link, link.pid)
    bench.subscriptions.add(Subscription(Form.BINARY, lambda _: None, target=target, interest=EVERYTHING))
    assert [wish.forms for wish in wishes] == [{Form.STRING}, {Form.STRING, Form.BINARY}]


# --- holding back, and opening ------------------------------------------------------------------------------------


def test_events_wait_until_somebody_is_ready(bench: Bench) -> None:
    one, link = call(), FakeLink()
    bench.subscriptions.add(one)
    before = [bench.fire("CHANNEL_STATE", OF_THE_CALL) for _ in range(3)]
    bench.fire("CHANNEL_STATE", (b"Unique-ID", b"another"))
    bench.fire("HEARTBEAT")
    settled(bench)
    assert link.messages() == []
    assert bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
    after = bench.fire("CHANNEL_STATE", OF_THE_CALL)
    link.wait_for(5)
    assert shown(link) == ["first", *before, after]
    assert bench.subscriptions.counts(link.link).sent == 4


def test_none_is_lost_or_overtaken_while_it_is_opened(bench: Bench) -> None:
    for _ in range(30):
        one, link = call(), FakeLink()
        bench.subscriptions.add(one)
        began = bench.fired
        firing = threading.Thread(target=lambda: [bench.fire("CHANNEL_STATE", OF_THE_CALL) for _ in range(50)])
        firing.start()
        assert bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
        firing.join()
        link.wait_for(51)
        assert shown(link) == ["first", *range(began + 1, began + 51)]
        bench.subscriptions.end(one)


@pytest.mark.parametrize(("most", "most_bytes"), [(2, 1 << 20), (100, 1000)])
def test_what_is_held_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch, most: int, most_bytes: int) -> None:
    """By number and by bytes; the rest is lost, and counted."""
    monkeypatch.setattr(module, "MAX_HELD", most)
    monkeypatch.setattr(module, "MAX_HELD_BYTES", most_bytes)
    one, link = call(), FakeLink()
    bench.subscriptions.add(one)
    for _ in range(10):
        bench.fire("CHANNEL_STATE", OF_THE_CALL)
    settled(bench)
    bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
    counts = bench.subscriptions.counts(link.link)
    assert 0 < counts.sent < 3
    assert counts.sent + counts.lost == 10
    assert len(link.messages()) == 1 + counts.sent


def test_events_from_before_do_not_count() -> None:
    one = call(since=7)
    wanted = [("CHANNEL_STATE", 6, False), ("CHANNEL_STATE", None, True), ("CHANNEL_STATE", 5, False)]
    wanted += [("CHANNEL_STATE", 7, True), ("CHANNEL_STATE", 6, True)]  # the first of its own has come
    assert [one.passes(received(name, sequence)) for name, sequence, _ in wanted] == [yes for _, _, yes in wanted]


def test_what_it_has_no_interest_in(bench: Bench) -> None:
    one, link = call(), FakeLink()
    bench.subscriptions.add(one)
    bench.subscriptions.change(one, interest=NOTHING.add(Names(frozenset({"DTMF"}))))
    bench.fire("CHANNEL_PARK", OF_THE_CALL)
    settled(bench)
    bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
    bench.fire("CHANNEL_PARK", OF_THE_CALL)
    wanted = bench.fire("DTMF", OF_THE_CALL)
    link.wait_for(2)
    assert shown(link) == ["first", wanted]


def test_several_of_one_call_and_the_node_beside_them(bench: Bench) -> None:
    node = bench.link("CHANNEL_STATE", name="node@localhost")
    ones = [call() for _ in range(3)]
    links = [FakeLink(f"n{number}@localhost") for number in range(3)]
    for one, link in zip(ones, links, strict=True):
        bench.subscriptions.add(one)
        bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
    bench.fire("CHANNEL_STATE", OF_THE_CALL)
    for link in links:
        link.wait_for(2)
    assert bench.subscriptions.end(ones[0])
    bench.fire("CHANNEL_STATE", OF_THE_CALL)
    settled(bench)
    assert [shown(link) for link in links] == [["first", 1], ["first", 1, 2], ["first", 1, 2]]
    assert numbers(node) == [1, 2]


def test_the_switch_is_asked_for_a_call_as_long_as_somebody_has_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bytes]] = []
    monkeypatch.setattr(bench.source, "watch", lambda uuid: asked.append(("watch", uuid)))
    monkeypatch.setattr(bench.source, "unwatch", lambda uuid: asked.append(("unwatch", uuid)))
    one, two = call(), call()
    bench.subscriptions.add(one)
    bench.subscriptions.add(two)
    bench.subscriptions.end(one)
    assert {what for what, _ in asked} == {"watch"}
    bench.subscriptions.end(two)
    assert asked[-1] == ("unwatch", UUID)


@pytest.mark.parametrize("of_a_call", [True, False])
def test_what_was_routed_before_a_cut_is_not_sent_after_it(of_a_call: bool) -> None:
    """The pump had looked who wants the event, and no more."""
    bench = Bench()
    if of_a_call:
        one, link = call(), FakeLink()
        bench.subscriptions.add(one)
        bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
    else:
        link = bench.link("CHANNEL_STATE")
        one = bench.handler(link)
    before = len(link.messages())
    event = received("CHANNEL_STATE")
    ((routed, cuts),) = bench.subscriptions.route(event, bench.subscriptions.of_call(event))
    assert routed is one
    bench.subscriptions.change(one, cut=True, interest=NOTHING)
    bench.subscriptions.gather(one, cuts, [b"j"], event.name)
    bench.subscriptions.flush_all()
    assert len(link.messages()) == before
    bench.subscriptions.change(one, interest=EVERYTHING)
    ((_, cuts),) = bench.subscriptions.route(event, bench.subscriptions.of_call(event))
    bench.subscriptions.gather(one, cuts, [b"j"], event.name)
    bench.subscriptions.flush_all()
    assert len(link.messages()) == before + 1


# --- ending -------------------------------------------------------------------------------------------------------


def test_there_is_one_end(bench: Bench) -> None:
    """Whatever happens at once; and its last word is said once."""
    for _ in range(50):
        one, link = call(), FakeLink()
        bench.subscriptions.add(one)
        bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
        ended: list[bool] = []
        barrier = threading.Barrier(4)

        def end(one: Subscription = one, barrier: threading.Barrier = barrier, ended: list[bool] = ended) -> None:
            barrier.wait(10)
            ended.append(bench.subscriptions.end(one, LAST))

        threads = [threading.Thread(target=end) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert sorted(ended) == [False, False, False, True]
        assert shown(link) == ["first", "last"]


def test_one_that_had_nothing_gets_no_last_word(bench: Bench) -> None:
    one, link = call(), FakeLink()
    bench.subscriptions.add(one)
    assert bench.subscriptions.end(one, LAST)
    assert not bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
    assert not bench.subscriptions.change(one, interest=NOTHING)
    assert link.messages() == []


def test_nothing_follows_the_last_word(bench: Bench) -> None:
    for _ in range(30):
        one, link = call(), FakeLink()
        bench.subscriptions.add(one)
        bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
        firing = threading.Thread(target=lambda: [bench.fire("CHANNEL_STATE", OF_THE_CALL) for _ in range(40)])
        firing.start()
        link.wait_for(5)
        assert bench.subscriptions.end(one, LAST)
        firing.join()
        settled(bench)
        assert shown(link)[-1] == "last"


def test_a_notice_comes_after_what_was_before_it(bench: Bench) -> None:
    """Its taker may end the subscription: the last word comes last."""
    link = FakeLink()

    def end(_: Received) -> None:
        bench.subscriptions.end(one, LAST)

    one = call(notice=Notice(frozenset({"CHANNEL_DESTROY"}), end))
    bench.subscriptions.add(one)
    bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
    bench.subscriptions.change(one, interest=NOTHING.add(Names(frozenset({"CHANNEL_STATE"}))))
    fired = [bench.fire("CHANNEL_STATE", OF_THE_CALL) for _ in range(5)]
    bench.fire("CHANNEL_DESTROY", OF_THE_CALL)
    bench.fire("CHANNEL_STATE", OF_THE_CALL)
    link.wait_for(7)
    settled(bench)
    assert shown(link) == ["first", *fired, "last"]


def test_who_is_told_that_a_process_is_gone(bench: Bench) -> None:
    told: list[tuple[str, Term]] = []
    link = FakeLink()
    ones = {
        name: call(lambda reason, name=name: told.append((name, reason)))  # type: ignore[misc]
        for name in ("pid", "other", "name", "held", "ended")
    }
    targets: dict[str, Pid | str] = {"pid": link.pid, "other": link.other, "name": "desk", "ended": link.pid}
    for name, one in ones.items():
        bench.subscriptions.add(one)
        if name in targets:
            bench.subscriptions.open(one, Target(link.link, targets[name]), FIRST)
    bench.subscriptions.end(ones["ended"])
    bench.subscriptions.exited(link.link, link.pid, Atom("killed"))
    assert told == [("pid", Atom("killed"))]
    link.ended = True
    bench.subscriptions.down(link.link)
    assert told[1:] == [(name, NOCONNECTION) for name in ("pid", "other", "name")]


def test_a_node_that_is_gone_gets_no_call(bench: Bench) -> None:
    one, link = call(), FakeLink()
    bench.subscriptions.add(one)
    link.ended = True
    assert not bench.subscriptions.open(one, Target(link.link, link.pid), FIRST)
    assert bench.subscriptions.end(one)  # it is there still


class Ends(RuleBasedStateMachine):
    """Subscriptions of a few calls: every step, in every order. What was opened has one first and at most one last."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.ones: list[Subscription] = []
        self.links: list[FakeLink] = []
        self.opened: list[bool] = []

    @rule()
    def add(self) -> None:
        one = call()
        assert self.bench.subscriptions.add(one)
        self.ones.append(one)
        self.links.append(FakeLink())
        self.opened.append(False)

    @precondition(lambda self: self.ones)
    @rule(data=st.data())
    def open(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.ones) - 1))
        one, link = self.ones[at], self.links[at]
        possible = not one.ended and one.held is not None and not link.ended
        assert self.bench.subscriptions.open(one, Target(link.link, link.pid), FIRST) is possible
        self.opened[at] |= possible

    @precondition(lambda self: self.ones)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.ones) - 1))
        before = self.ones[at].ended
        assert self.bench.subscriptions.end(self.ones[at], LAST) is not before

    @precondition(lambda self: self.ones)
    @rule(data=st.data())
    def down(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.ones) - 1))
        self.links[at].ended = True
        self.bench.subscriptions.down(self.links[at].link)

    @rule()
    def fire(self) -> None:
        self.bench.fire("CHANNEL_STATE", OF_THE_CALL)
        for event in self.bench.source.take(0, 100):
            self.bench.pump._hand_out(event)
        self.bench.subscriptions.flush_all()

    @invariant()
    def as_it_should_be(self) -> None:
        for one, link, opened in zip(self.ones, self.links, self.opened, strict=True):
            seen = shown(link)
            assert seen[:1] == (["first"] if opened else [])
            assert seen.count("first") == opened
            assert seen.count("last") <= (one.ended and opened)
            assert "last" not in seen[:-1]
            numbered = [number for number in seen if isinstance(number, int)]
            assert numbered == sorted(set(numbered))

    def teardown(self) -> None:
        subscriptions = self.bench.subscriptions
        for one in self.ones:
            subscriptions.end(one)
        assert not subscriptions._of_calls
        assert not subscriptions._by_target


TestEnds = Ends.TestCase
TestEnds.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
