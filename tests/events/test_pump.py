"""The pump: from the switch's events to the outboxes of those who want them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from mod_erlang_py import etf
from mod_erlang_py.distribution.connection import Frames
from mod_erlang_py.etf.event import EVENT, EventEncoder
from mod_erlang_py.events.encoding import encode
from mod_erlang_py.events.filters import Filters, after, command
from mod_erlang_py.events.interest import EVERYTHING, NOTHING, Names
from mod_erlang_py.events.subscription import Held, Notice, Subscription
from mod_erlang_py.switch.port import CUSTOM, Batch, Event, Form, Headers, Received, Wanted
from tests.events.pumping import Bench, numbers, settled, wants
from tests.fakes import FakeLink, header, headers
from tests.waiting import wait_until

# --- who gets what ------------------------------------------------------------------------------------------------


def test_an_event_reaches_its_handler(bench: Bench) -> None:
    link = bench.link("HEARTBEAT")
    bench.fire("HEARTBEAT", (b"A", b"1"), (b"Unique-ID", b"call"), body=b"the body")
    ((to, term),) = link.wait_for(1)
    assert to == link.pid
    assert term[1][0] == b"call"
    assert headers(term)[0] == (b"Event-Name", b"HEARTBEAT")
    assert headers(term)[-4:] == [(b"A", b"1"), (b"Unique-ID", b"call"), (b"N", b"1"), (b"body", b"the body")]


def test_each_gets_what_it_wants(bench: Bench) -> None:
    one = bench.link("HEARTBEAT", "TRAP", name="one@localhost")
    two = bench.link("TRAP", CUSTOM, subclasses=(b"a::b",), name="two@localhost")
    everything = bench.link("ALL", name="all@localhost")
    nothing = bench.link(name="none@localhost")
    for name in ("HEARTBEAT", "TRAP", "API"):
        bench.fire(name)
    bench.fire(CUSTOM, (b"Event-Subclass", b"a::b"))
    bench.fire(CUSTOM, (b"Event-Subclass", b"c::d"))
    bench.fire(CUSTOM)
    bench.fire("TRAP")
    settled(bench)
    assert numbers(one) == [1, 2, 7]
    assert numbers(two) == [2, 4, 6, 7]
    assert numbers(everything)[:7] == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(nothing) == []


def test_it_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    encoded = []
    plain = EventEncoder.headers

    def counting(*given: object) -> bytes:
        encoded.append(1)
        return plain(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(EventEncoder, "headers", counting)
    bench.start()
    links = [bench.link("TRAP", name=f"n{number}@localhost") for number in range(20)]
    bench.fire("TRAP")
    bench.fire("HEARTBEAT")
    for link in links:
        link.wait_for(1)
    assert len(encoded) == 1
    bench.stop()


def test_nodes_share_one_piece_of_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which bounds what nodes that do not read can cost."""
    links = [bench.link("TRAP", name=f"n{number}@localhost") for number in range(3)]
    shared: list[bytes | memoryview] = []
    for link in links:
        offer = link.outbox.offer

        def kept(frames: Sequence[Frames], offer: Callable[[Sequence[Frames]], int] = offer) -> int:
            shared.extend(some.buffers[1] for some in frames)
            return offer(frames)

        monkeypatch.setattr(link.outbox, "offer", kept)
    bench.fire("TRAP")
    for link in links:
        link.wait_for(1)
    assert len(shared) == 3
    assert all(one is shared[0] for one in shared)


def test_nothing_before_a_handler_is_registered(bench: Bench) -> None:
    link = FakeLink()
    bench.events.change(link.link, wants("TRAP"))
    bench.fire("TRAP")
    settled(bench)
    assert link.messages() == []
    bench.events.register(link.link, link.pid)
    number = bench.fire("TRAP")
    link.wait_for(1)
    assert numbers(link) == [number]


def test_the_switch_delivers_only_what_somebody_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    wanted: list[frozenset[str]] = []
    subclasses: list[frozenset[bytes]] = []

    def want(wish: Wanted) -> None:
        wanted.append(wish.types)
        subclasses.append(wish.subclasses)

    monkeypatch.setattr(bench.source, "want", want)
    one = bench.link("TRAP", name="one@localhost")
    assert wanted[-1] == {"TRAP"}
    two = bench.link("API", CUSTOM, subclasses=(b"x",), name="two@localhost")
    assert wanted[-1] == {"TRAP", "API", CUSTOM}
    assert subclasses[-1] == {b"x"}
    bench.down(one)
    assert wanted[-1] == {"API", CUSTOM}
    bench.events.nix(two.link, lambda now: now.nix(Names(frozenset({"API"}))))
    assert wanted[-1] == {CUSTOM}
    bench.events.noevents(two.link)
    assert wanted[-1] == frozenset()
    bench.events.change(two.link, wants("ALL"))
    assert wanted[-1] == {"ALL"}
    bench.subscriptions.exited(two.link, two.pid, True)
    assert wanted[-1] == frozenset()


def test_filters(bench: Bench) -> None:
    link = bench.link("TRAP")
    drop = command(b"A -1", bench.switch.matcher)
    bench.events.filter(link.link, lambda now: after(now, [drop]))
    for value in (b"1", b"2", b"1", b"3"):
        bench.fire("TRAP", (b"A", value))
    bench.fire("TRAP")
    settled(bench)
    assert numbers(link) == [2, 4, 5]
    bench.events.filter(link.link, lambda _: Filters())
    bench.fire("TRAP", (b"A", b"1"))
    link.wait_for(4)


def test_creates_and_hangups_are_counted(bench: Bench) -> None:
    link = bench.link("CHANNEL_CREATE", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_HANGUP")
    for name in ("CHANNEL_CREATE", "CHANNEL_CREATE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE"):
        bench.fire(name)
    link.wait_for(4)
    counts = bench.subscriptions.counts(link.link)
    assert (counts.creates, counts.hangups, counts.sent, counts.lost) == (2, 1, 4, 0)


def test_many_subclasses(bench: Bench) -> None:
    """Routes are remembered by subclass, but not without end."""
    link = bench.link(CUSTOM, subclasses=(b"s::5",))
    for number in range(3000):
        bench.fire(CUSTOM, (b"Event-Subclass", b"s::%d" % number))
    bench.fire(CUSTOM, (b"Event-Subclass", b"s::5"))
    link.wait_for(2)
    assert numbers(link) == [6, 3001]
    assert len(bench.subscriptions._routes) <= 2000


def test_encode_takes_headers_of_either_kind() -> None:
    pairs = [(b"A", b"1"), (b"unique-id", b"u"), (b"A", b"2")]
    encoder = EventEncoder(False).headers
    one = encode(encoder, Event("TRAP", pairs))
    assert one == encode(encoder, Event("TRAP", Headers([b"A", b"unique-id", b"A"], [b"1", b"u", b"2"], b"u")))
    assert etf.decode(b"\x83" + EVENT + one)[1] == [b"u", *pairs]


# --- batches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bulk", [1, 7, 1000])
def test_several_go_in_one_write(bulk: int) -> None:
    bench = Bench(bulk)
    link = bench.link("TRAP")
    for _ in range(100):
        bench.fire("TRAP")
    bench.start()
    link.wait_for(100)
    assert numbers(link) == list(range(1, 101))
    assert max(map(len, link.outbox.batches)) == min(bulk, 100)
    bench.stop()


def test_one_goes_at_once(bench: Bench) -> None:
    link = bench.link("TRAP")
    for _ in range(5):
        bench.fire("TRAP")
        link.wait_for(bench.fired)
    assert len(link.outbox.batches) == 5


class Sleeps:
    """Stands for the module `time`: keeps how long the pump sleeps, and does not."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.sleep = self.slept.append


def test_the_pump_lets_events_gather_only_when_it_had_to_wait_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps = Sleeps()
    monkeypatch.setattr("mod_erlang_py.events.pump.time", sleeps)
    monkeypatch.setattr("mod_erlang_py.events.pump.GATHER", 60.0)
    bench = Bench(4)
    link = bench.link("TRAP")
    for _ in range(20):
        bench.fire("TRAP")
    bench.start()
    link.wait_for(20)
    assert sleeps.slept == []
    bench.fire("TRAP")
    link.wait_for(21)
    assert sleeps.slept in ([], [60.0])  # [] when it came before the pump looked
    while not sleeps.slept:
        bench.fire("TRAP")
        link.wait_for(bench.fired)
    assert set(sleeps.slept) == {60.0}
    bench.stop()


# --- changes in mid-stream ----------------------------------------------------------------------------------------


class Stream:
    """Fires without end, until the with block ends."""

    def __init__(self, bench: Bench, name: str = "TRAP") -> None:
        self._bench = bench
        self._name = name
        self._stop = threading.Event()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._bench.fire(self._name)
            time.sleep(0.0002)

    def __enter__(self) -> Stream:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def stays(link: FakeLink) -> bool:
    """Whether nothing more comes."""
    count = len(link.messages())
    time.sleep(0.02)
    return len(link.messages()) == count


def test_nothing_after_the_ok_of_noevents(bench: Bench) -> None:
    link = bench.link("TRAP")
    with Stream(bench):
        for _ in range(20):
            link.wait_for(len(link.messages()) + 5)
            assert bench.events.noevents(link.link) is True
            assert stays(link)
            assert bench.events.noevents(link.link) is False
            bench.events.change(link.link, wants("TRAP"))


def test_nothing_of_before_noevents_comes_after_a_new_subscription(bench: Bench) -> None:
    """noevents and event in one breath: what the pump still had in hand for the old subscription is gone."""
    link = bench.link("TRAP", name="one@localhost")
    with Stream(bench):
        for _ in range(60):
            link.wait_for(len(link.messages()) + 1)
            bench.events.noevents(link.link)
            before = len(link.messages())
            bench.events.change(link.link, wants("API"))
            number = bench.fire("API")
            found = link.wait_for(before + 1)
            assert int(header(found[before][1], b"N")) == number
            bench.events.change(link.link, wants("TRAP"))


def test_setevent_loses_nothing_that_stays_wanted(bench: Bench) -> None:
    link = bench.link("TRAP")
    for _ in range(300):
        bench.fire("TRAP")
        bench.events.change(link.link, lambda _: NOTHING.add(Names(frozenset({"TRAP", "API"}))))
        bench.fire("TRAP")
        bench.events.change(link.link, lambda _: NOTHING.add(Names(frozenset({"TRAP"}))))
    link.wait_for(600)
    assert numbers(link) == list(range(1, 601))


def test_a_handler_that_is_replaced_gets_nothing_more(bench: Bench) -> None:
    link = bench.link("TRAP")
    with Stream(bench):
        for _ in range(25):
            for pid in (link.other, link.pid):
                count = len(link.messages())
                link.wait_for(count + 2)
                bench.events.register(link.link, pid)
                since = len(link.messages())
                assert all(to == pid for to, _ in link.wait_for(since + 3)[since:])


def test_a_handler_that_exits(bench: Bench) -> None:
    link = bench.link("TRAP")
    with Stream(bench):
        link.wait_for(3)
        bench.subscriptions.exited(link.link, link.other, True)  # not the handler
        link.wait_for(len(link.messages()) + 3)
        bench.subscriptions.exited(link.link, link.pid, True)
        assert stays(link)
        assert bench.events.noevents(link.link) is False
        bench.events.register(link.link, link.pid)  # its subscription went with it
        assert stays(link)
        bench.events.change(link.link, wants("TRAP"))
        link.wait_for(len(link.messages()) + 3)


def test_a_link_that_goes_down(bench: Bench) -> None:
    link = bench.link("TRAP", name="one@localhost")
    other = bench.link("TRAP", name="two@localhost")
    with Stream(bench):
        link.wait_for(3)
        link.ended = True
        bench.down(link)
        assert stays(link)
        bench.events.register(link.link, link.pid)  # a request that was on its way
        assert bench.events.of(link.link) is None
        other.wait_for(len(other.messages()) + 10)
    bench.down(other)
    bench.down(other)


# --- what is lost -------------------------------------------------------------------------------------------------


def test_what_is_lost_is_counted_and_reported_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    traps = bench.link("TRAP", name="traps@localhost")
    link = bench.link("API", name="slow@localhost")
    link.outbox.room = 2
    for _ in range(10):
        bench.fire("API")
    settled(bench)
    counts = bench.subscriptions.counts(link.link)
    assert (counts.sent, counts.lost) == (2, 8)
    assert traps.messages() == []
    assert "Lost" not in caplog.text
    link.outbox.room = None
    bench.fire("API")
    bench.fire("API")
    ((_, trap),) = traps.wait_for(1)
    assert header(trap, b"info") == b"lost 8 events"
    link.wait_for(4)
    assert numbers(link) == [1, 2, 12, 13]
    assert (counts.sent, counts.lost) == (4, 8)
    lines = [record for record in caplog.records if "Lost" in record.message]
    assert [(line.levelno, line.message) for line in lines] == [(logging.CRITICAL, "Lost 8 events!")]
    # a second stretch is one of its own
    link.outbox.room = 0
    bench.fire("API")
    settled(bench)
    link.outbox.room = None
    bench.fire("API")
    assert header(traps.wait_for(2)[1][1], b"info") == b"lost 1 events"
    assert counts.lost == 9


def test_what_the_switch_gave_up_counts_for_everybody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    link = bench.link("API")
    given_up = [7]
    monkeypatch.setattr(bench.source, "lost", lambda: given_up.pop() if given_up else 0)
    bench.fire("API")
    wait_until(lambda: bench.subscriptions.counts(link.link).lost == 7 and bench.losses == 1)


def test_one_who_fails_takes_nobody_along(bench: Bench) -> None:
    """An event that cannot be told leaves the pump running."""
    link = bench.link("TRAP")
    bench.switch.fire(Event("TRAP", ((b"A", b"\xff" * 100_000),)))
    number = bench.fire("TRAP")
    link.wait_for(2)
    assert int(header(link.messages()[-1][1], b"N")) == number


def test_stop(bench: Bench) -> None:
    link = bench.link("TRAP")
    bench.fire("TRAP")
    link.wait_for(1)
    bench.pump.stop()
    assert bench.threads.join(10) == []
    bench.fire("TRAP")
    bench.events.noevents(link.link)
    bench.down(link)
    assert len(link.messages()) == 1


def test_stop_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the pump begins to wait, it looks without waiting: the wake may come just before that."""
    bench = Bench()
    take = bench.source.take

    def stopped_before(timeout: float, most: int) -> Sequence[Batch]:
        if not timeout:
            bench.pump.stop()
        return take(timeout, most)

    monkeypatch.setattr(bench.source, "take", stopped_before)
    bench.start()
    assert bench.threads.join(10) == []
    assert bench.pump.failures == 0


# --- what must not stop it ----------------------------------------------------------------------------------------


def test_a_round_that_fails_costs_that_round(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of the source or of the switch raises: the next round begins, and it shows."""
    link = bench.link("TRAP")
    faults = [OSError("no memory"), ValueError("nonsense")]

    def lost() -> int:
        if faults:
            raise faults.pop()
        return 0

    monkeypatch.setattr("mod_erlang_py.events.pump.PAUSE", 0.001)
    monkeypatch.setattr(bench.source, "lost", lost)
    for _ in range(3):
        bench.fire("TRAP")
        link.wait_for(bench.fired)
    assert numbers(link) == [1, 2, 3]
    assert bench.pump.failures == 2
    assert faults == []


def test_the_source_is_closed_when_the_pump_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    def taken(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(bench.source, "take", taken)
    with pytest.raises(SystemExit):
        bench.pump.run()
    assert bench.source not in bench.switch._bus._sources


@pytest.mark.parametrize("number", [b"", b"boom", b"-1", b"9" * 400, b"\xb2", "\N{DIGIT FOUR}".encode(), b" 4", b"1e9"])
@pytest.mark.parametrize("name", [b"Event-Sequence", b"Event-Sequence[1]", b"event-sequence"])
def test_an_event_with_a_forged_number(bench: Bench, name: bytes, number: bytes) -> None:
    """Anybody may fire it, for a call that is waited for or attached."""
    link = bench.link("TRAP")
    call = subscription_of_a_call(bench, b"call", since=1)
    bench.fire(CUSTOM, (b"Event-Subclass", b"x::y"), (b"Event-Sequence", b""), (name, number), (b"Unique-ID", b"call"))
    last = bench.fire("TRAP")
    link.wait_for(1)
    assert numbers(link) == [last]
    assert bench.pump.failures == 0
    assert call.held is not None
    assert len(call.held.payloads) == 1


def test_what_a_process_of_a_call_raises_costs_that_event(bench: Bench) -> None:
    def fail(_: Received) -> None:
        raise ZeroDivisionError

    link = bench.link("TRAP")
    subscription_of_a_call(bench, b"call", notice=Notice(frozenset({"TRAP"}), fail))
    for _ in range(2):
        bench.fire("TRAP", (b"Unique-ID", b"call"))
    link.wait_for(2)
    wait_until(lambda: bench.pump.failures == 2)


def subscription_of_a_call(bench: Bench, uuid: bytes, since: int = 0, notice: Notice | None = None) -> Subscription:
    call = Subscription(
        Form.STRING, lambda _: None, interest=EVERYTHING, call=uuid, since=since, held=Held(), notice=notice
    )
    bench.subscriptions.add(call)
    return call
