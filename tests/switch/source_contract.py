"""What every EventSource keeps: a class of tests for each inherits it, and says by the fixture `subject` what to test.

Events carry the number of their test in the header Test, as a real switch fires some of its own.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mod_erlang_py.etf.event import EventEncoder
from mod_erlang_py.switch.port import ALL, CUSTOM, Encoder, Event, EventSource, Form, Header, Received, Wanted
from tests.batches import take

WAIT = 10.0
"""Seconds, for what comes at once."""
TEST = b"Test"
CALL, OTHER = b"3f1c0a2e-call", b"77aa01bc-other"
TRAPS = Wanted(frozenset({"TRAP"}))
EVERYTHING = Wanted(frozenset({ALL}))
_tests = count(1)


class Subject(Protocol):
    """implementation: the name that its sources give. lossy: how many events source(small=True) holds, about, and how
    many it surely does not."""

    implementation: str
    lossy: tuple[int, int]

    def source(self, encoders: Mapping[Form, Encoder], small: bool = False) -> EventSource: ...

    def fire(self, event: Event) -> None: ...

    def settle(self) -> None:
        """Returns when what was fired is with the sources."""


encode, encode_binary = EventEncoder(False).headers, EventEncoder(True).headers
ENCODERS: dict[Form, Encoder] = {Form.STRING: encode, Form.BINARY: encode_binary}


class Bench:
    """One source under test."""

    def __init__(self, subject: Subject, small: bool = False) -> None:
        self._subject = subject
        self._mark = b"%d" % next(_tests)
        subject.settle()  # the test before may have fired more than was waited for
        self.source = subject.source(ENCODERS, small)

    def fire(self, name: str, *headers: Header, body: bytes | None = None) -> None:
        self._subject.fire(Event(name, ((TEST, self._mark), *headers), body))

    def fire_numbers(self, name: str, *numbers: int) -> None:
        for number in numbers:
            self.fire(name, (b"N", b"%d" % number))

    def settle(self) -> None:
        self._subject.settle()

    def take(self, timeout: float = 0, most: int = 64) -> list[Event]:
        """What one take returns of this test's events: copies."""
        return self.copies(take(self.source, timeout, most))

    def copies(self, events: Sequence[Received]) -> list[Event]:
        return [Event(event.name, list(event.headers())) for event in self.own(events)]

    def own(self, events: Sequence[Received]) -> list[Received]:
        """Those that this test has fired."""
        return [event for event in events if event.header(TEST) == self._mark]

    def taken(self) -> list[Event]:
        """All that was fired and is to come."""
        self.settle()
        events: list[Event] = []
        nothing = 0
        while nothing < 5:  # one take may have found nothing but what is not wanted
            batch = take(self.source, 0, 64)
            events += self.copies(batch)
            nothing = 0 if batch else nothing + 1
        return events

    def names(self) -> list[str]:
        return [event.name for event in self.taken()]

    def numbers(self) -> list[int]:
        return numbers(self.taken())


def numbers(events: Sequence[Event]) -> list[int]:
    return [int(event.header(b"N") or b"") for event in events]


def of_call(uuid: bytes) -> Header:
    return b"Unique-ID", uuid


def in_threads(*functions: Callable[[], None]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT * 3)
        assert not thread.is_alive()


def seconds(function: Callable[[], object]) -> float:
    started = time.monotonic()
    function()
    return time.monotonic() - started


class SourceContract:
    @pytest.fixture
    def subject(self) -> Subject:
        raise NotImplementedError

    @pytest.fixture
    def bench(self, subject: Subject) -> Iterator[Bench]:
        bench = Bench(subject)
        yield bench
        bench.source.close()

    @pytest.fixture
    def small(self, subject: Subject) -> Iterator[Bench]:
        """With a queue that is soon full."""
        bench = Bench(subject, small=True)
        yield bench
        bench.source.close()

    def test_it_says_what_it_is(self, subject: Subject, bench: Bench) -> None:
        assert bench.source.implementation == subject.implementation

    # what is delivered

    def test_nothing_comes_that_is_not_wanted(self, bench: Bench) -> None:
        bench.fire("TRAP")
        assert bench.names() == []
        bench.source.want(TRAPS)
        bench.fire("NOTIFY")
        bench.fire("TRAP")
        assert bench.names() == ["TRAP"]

    def test_all_is_every_type_and_every_subclass(self, bench: Bench) -> None:
        bench.source.want(EVERYTHING)
        bench.fire("TRAP")
        bench.fire("NOTIFY")
        bench.fire("CUSTOM")
        bench.fire("CUSTOM", (b"Event-Subclass", b"any::thing"))
        assert bench.names() == ["TRAP", "NOTIFY", "CUSTOM", "CUSTOM"]

    def test_subclasses(self, bench: Bench) -> None:
        """Of CUSTOM those that are named, and whatever has none."""
        bench.source.want(Wanted(frozenset({CUSTOM}), frozenset({b"my::own", b"\xff"})))
        for subclass in (b"my::own", b"my::other", b"\xff", b"My::Own"):
            bench.fire("CUSTOM", (b"Event-Subclass", subclass))
        bench.fire("CUSTOM")
        bench.settle()
        taken = [(event.name, event.subclass) for event in take(bench.source, 0, 64)]
        assert taken == [("CUSTOM", b"my::own"), ("CUSTOM", b"\xff"), ("CUSTOM", None)]

    def test_in_order_and_no_more_than_asked_for(self, bench: Bench) -> None:
        bench.source.want(Wanted(frozenset({"TRAP", "NOTIFY"})))
        for number in range(0, 600, 2):
            bench.fire_numbers("TRAP", number)
            bench.fire_numbers("NOTIFY", number + 1)
        bench.settle()
        taken: list[int] = []
        for _ in range(200):
            batch = bench.take(most=7)
            assert len(batch) <= 7
            taken += numbers(batch)
        assert taken == list(range(600))

    def test_batches(self, bench: Bench) -> None:
        """What is said of a batch holds for each of its events; one of a watched call is alone."""
        bench.source.want(EVERYTHING)
        bench.source.watch(CALL)
        bench.fire_numbers("TRAP", 0, 1)
        bench.fire("TRAP", of_call(CALL), (b"N", b"2"))
        bench.fire("TRAP", of_call(OTHER), (b"N", b"3"))
        bench.fire("TRAP", of_call(OTHER), (b"N", b"4"))
        for number, subclass in enumerate((b"a::b", b"b::c", b"b::c", b""), 5):
            bench.fire("CUSTOM", (b"Event-Subclass", subclass), (b"N", b"%d" % number))
        bench.settle()
        found: list[bytes | None] = []
        while batches := bench.source.take(0, 64):
            for batch in batches:
                events = batch.events()
                assert batch.count == len(events)
                assert {(event.name, event.subclass) for event in events} == {(batch.name, batch.subclass)}
                for form in Form:
                    assert list(batch.payloads(form)) == [event.encoded(form) for event in events]
                if batch.count == 1:
                    assert batch.uuid == events[0].uuid
                else:
                    assert batch.uuid is None
                    assert CALL not in [event.uuid for event in events]
                found += [event.header(b"N") for event in bench.own(events)]
        assert found == [b"%d" % number for number in range(9)]

    def test_sequence_numbers_ascend(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        bench.fire_numbers("TRAP", *range(100))
        bench.settle()
        sequences: list[int] = []
        while batch := take(bench.source, 0, 64):
            sequences += [event.sequence for event in batch]
        assert len(sequences) == 100
        assert sequences == sorted(set(sequences))

    def test_what_is_wanted_changes(self, bench: Bench) -> None:
        """In force on return, also for what waits."""
        for _ in range(50):
            bench.source.want(TRAPS)
            bench.fire("TRAP")
            bench.fire("NOTIFY")
            assert bench.names() == ["TRAP"]
            bench.source.want(Wanted(frozenset({"NOTIFY"})))
            bench.fire("TRAP")
            bench.fire("NOTIFY")
            assert bench.names() == ["NOTIFY"]
        bench.source.want(Wanted())
        bench.fire("NOTIFY")
        assert bench.names() == []

    def test_nothing_is_lost_while_the_wish_changes(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        done = threading.Event()
        taken: list[int] = []

        def wish() -> None:
            others = ("NOTIFY", "MESSAGE", CUSTOM, ALL)
            while not done.is_set():
                for other in others:
                    bench.source.want(Wanted(frozenset({"TRAP", other})))
                bench.source.want(TRAPS)

        def watch() -> None:
            while not done.is_set():
                bench.source.watch(CALL)
                bench.source.unwatch(CALL)

        def fire() -> None:
            for number in range(2000):
                bench.fire_numbers("TRAP", number)
            bench.settle()
            done.set()

        def take() -> None:
            while not done.is_set():
                taken.extend(numbers(bench.take(0.01)))

        in_threads(wish, watch, fire, take)
        assert [*taken, *bench.numbers()] == list(range(2000))

    # calls

    def test_a_watched_call(self, bench: Bench) -> None:
        """Its events of every type, and of no other call."""
        for _ in range(20):
            bench.source.watch(CALL)
            for name in ("TRAP", "NOTIFY", "MESSAGE"):
                bench.fire(name, of_call(CALL))
                bench.fire(name, of_call(OTHER))
                bench.fire(name)
            bench.fire("CUSTOM", (b"Event-Subclass", b"my::own"), of_call(CALL))
            assert bench.names() == ["TRAP", "NOTIFY", "MESSAGE", "CUSTOM"]
            bench.source.unwatch(CALL)
            bench.fire("TRAP", of_call(CALL))
            assert bench.names() == []

    def test_what_is_watched_is_a_set(self, bench: Bench) -> None:
        bench.source.watch(CALL)
        bench.source.watch(CALL)
        bench.source.watch(OTHER)
        bench.source.unwatch(CALL)
        bench.source.unwatch(b"never watched")
        bench.fire_numbers("NOTIFY", 0)
        bench.fire("TRAP", of_call(CALL), (b"N", b"1"))
        bench.fire("TRAP", of_call(OTHER), (b"N", b"2"))
        assert bench.numbers() == [2]

    def test_wanted_and_watched_comes_once(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        bench.source.watch(CALL)
        bench.fire("TRAP", of_call(CALL), (b"N", b"1"))
        bench.fire("NOTIFY", of_call(CALL), (b"N", b"2"))
        bench.fire("TRAP", (b"N", b"3"))
        bench.source.want(EVERYTHING)
        bench.fire("TRAP", of_call(CALL), (b"N", b"4"))
        bench.source.want(TRAPS)
        assert bench.numbers() == [1, 2, 3, 4]

    def test_what_is_wanted_goes_on_when_nothing_is_watched(self, bench: Bench) -> None:
        """Also when many unwanted events have been discarded since."""
        bench.source.want(TRAPS)
        bench.source.watch(CALL)
        bench.source.unwatch(CALL)
        for number in range(1500):
            bench.fire_numbers("NOTIFY", number)
            if number % 10 == 0:
                bench.fire_numbers("TRAP", number)
        assert bench.numbers() == list(range(0, 1500, 10))
        bench.source.watch(CALL)
        bench.fire("NOTIFY", of_call(CALL), (b"N", b"1"))
        assert bench.numbers() == [1]

    # waiting

    def test_an_event_wakes_the_one_that_waits(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        taken: queue.Queue[int] = queue.Queue()

        def wait() -> None:
            left = 20
            while left:
                for number in numbers(bench.take(WAIT)):
                    taken.put(number)
                    left -= 1

        waiter = threading.Thread(target=wait)
        waiter.start()
        for number in range(20):
            bench.fire_numbers("TRAP", number)
            assert taken.get(timeout=WAIT / 2) == number
        waiter.join(WAIT)
        assert not waiter.is_alive()

    def test_take_gives_up_after_its_time(self, bench: Bench) -> None:
        assert 0.015 <= seconds(lambda: bench.source.take(0.02, 64)) < WAIT
        assert seconds(lambda: bench.source.take(0, 64)) < WAIT / 2

    def test_wake_ends_one_wait_and_keeps_the_events(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        waiter = threading.Thread(target=bench.source.take, args=(WAIT, 64))
        waiter.start()
        bench.source.wake()
        waiter.join(WAIT / 2)
        assert not waiter.is_alive()
        bench.fire_numbers("TRAP", 1)
        bench.settle()
        bench.source.wake()
        assert bench.numbers() == [1]

    def test_a_wake_is_remembered(self, bench: Bench) -> None:
        """It comes when the one who takes is about to wait. Any number of them is one."""
        for wakes in (1, 2, 5):
            for _ in range(wakes):
                bench.source.wake()
            assert seconds(lambda: bench.source.take(WAIT, 64)) < WAIT / 2
        assert seconds(lambda: bench.source.take(0.05, 64)) >= 0.04  # each had its effect, once

    @pytest.fixture
    def restless(self) -> Iterator[None]:
        """Python switches threads whenever it can."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(before)

    @pytest.mark.usefixtures("restless")
    def test_no_wake_is_missed(self, bench: Bench) -> None:
        """Whenever it comes."""
        started, ended = queue.Queue[None](), queue.Queue[float]()

        def take() -> None:
            for _ in range(3000):
                started.put(None)
                ended.put(seconds(lambda: bench.source.take(WAIT, 64)))

        def wake() -> None:
            for number in range(3000):
                started.get(timeout=WAIT)
                for _ in range(number % 50 * 10):
                    pass
                bench.source.wake()
                assert ended.get(timeout=WAIT / 2) < WAIT / 2

        in_threads(take, wake)
        assert ended.empty()

    def test_a_wake_with_a_full_queue(self, small: Bench) -> None:
        """Also of events that nobody wants any more."""
        _, too_many = small._subject.lossy
        for after in (TRAPS, Wanted()):
            small.source.want(TRAPS)
            small.fire_numbers("TRAP", *range(too_many))
            small.settle()
            small.source.want(after)
            small.source.wake()
            assert seconds(lambda: small.source.take(WAIT, 64)) < WAIT / 2
            small.taken()
            small.source.wake()
            assert seconds(lambda: small.source.take(WAIT, 64)) < WAIT / 2

    def test_wakes_from_everywhere_cost_no_event(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        done = threading.Event()
        taken: list[int] = []

        def wake() -> None:
            while not done.is_set():
                bench.source.wake()

        def take() -> None:
            while not done.is_set():
                taken.extend(numbers(bench.take(1)))

        def fire() -> None:
            bench.fire_numbers("TRAP", *range(1000))
            bench.settle()
            done.set()

        in_threads(wake, wake, take, fire)
        assert [*taken, *bench.numbers()] == list(range(1000))

    # the end

    def test_close_ends_the_wait_of_another(self, bench: Bench) -> None:
        waiter = threading.Thread(target=bench.source.take, args=(WAIT, 64))
        waiter.start()
        bench.source.close()
        waiter.join(WAIT / 2)
        assert not waiter.is_alive()

    def test_close_while_another_takes(self, subject: Subject) -> None:
        """Whenever it comes; events come meanwhile."""
        for number in range(30):
            bench = Bench(subject)
            bench.source.want(EVERYTHING)
            done = threading.Event()

            def receive(bench: Bench = bench, done: threading.Event = done) -> None:
                while not done.is_set():
                    for event in take(bench.source, WAIT, 3):
                        event.encoded(Form.STRING)

            def close(bench: Bench = bench, done: threading.Event = done, number: int = number) -> None:
                bench.fire_numbers("TRAP", *range(number))
                bench.source.close()
                done.set()

            assert seconds(lambda receive=receive, close=close: in_threads(receive, close)) < WAIT  # type: ignore[misc]

    def test_nothing_after_close(self, subject: Subject, bench: Bench) -> None:
        other = Bench(subject)
        for one in (bench, other):
            one.source.want(TRAPS)
            one.fire("TRAP")
        bench.source.close()
        bench.source.close()
        bench.source.want(EVERYTHING)
        bench.source.watch(CALL)
        bench.source.wake()
        bench.source.unwatch(CALL)
        bench.fire("TRAP", of_call(CALL))
        assert bench.names() == []
        assert list(bench.source.take(WAIT, 64)) == []
        assert bench.source.lost() == 0
        other.fire("TRAP")
        assert other.names() == ["TRAP", "TRAP"]
        other.source.close()

    def test_calls_from_everywhere_while_it_is_closed(self, subject: Subject) -> None:
        for _ in range(20):
            bench = Bench(subject)
            done = threading.Event()

            def call(function: Callable[[], object], done: threading.Event = done) -> Callable[[], None]:
                def run() -> None:
                    while not done.is_set():
                        function()

                return run

            def close(bench: Bench = bench, done: threading.Event = done) -> None:
                for number in range(20):
                    bench.fire_numbers("TRAP", number)
                bench.source.close()
                done.set()

            source = bench.source
            in_threads(
                call(source.wake),
                call(source.lost),
                call(lambda source=source: source.want(TRAPS)),  # type: ignore[misc]
                call(lambda source=source: (source.watch(CALL), source.unwatch(CALL))),  # type: ignore[misc]
                call(lambda source=source: source.take(0.001, 8)),  # type: ignore[misc]
                close,
            )

    def test_what_is_lost_is_counted(self, small: Bench) -> None:
        """What is wanted, alone; and what comes is still in order."""
        some, too_many = small._subject.lossy
        small.source.want(TRAPS)
        small.fire_numbers("TRAP", *range(some))
        assert small.numbers() == list(range(some))
        assert small.source.lost() == 0
        small.fire_numbers("TRAP", *range(too_many))
        taken = small.numbers()
        assert taken == sorted(set(taken))
        assert 0 < len(taken) < too_many
        assert small.source.lost() == too_many - len(taken)
        assert small.source.lost() == 0
        small.fire_numbers("TRAP", 1, 2)
        assert small.numbers() == [1, 2]

    # events

    def test_an_event_as_it_is_read(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        mine = ((b"A", b"1"), (b"B", b"100%"), (b"A", b"2"), of_call(CALL), (b"\xff\xfe", b'"\\\n\x01\xff'))
        bench.fire("TRAP", *mine, body=b"body\xff\n")
        bench.settle()
        (event,) = take(bench.source, WAIT, 64)
        assert (event.name, event.subclass, event.uuid) == ("TRAP", None, CALL)
        assert [header for header in event.headers() if header in mine] == list(mine)
        assert event.header(b"Event-Name") == event.header(b"event-NAME") == b"TRAP"
        assert event.header(b"a") == b"1"
        assert event.header(b"NoSuch") is None
        assert event.header(b"A\0x") is None
        assert event.header(b"_body") is None
        assert event.sequence == int(event.header(b"Event-Sequence") or 0) > 0
        names, values = ([header[index] for header in event.headers()] for index in (0, 1))
        assert event.encoded(Form.STRING) == encode(names, values, b"body\xff\n", CALL)
        assert event.encoded(Form.BINARY) == encode_binary(names, values, b"body\xff\n", CALL)
        assert event.encoded(Form.BINARY) is event.encoded(Form.BINARY)
        assert event.body == b"body\xff\n"
        bench.fire("TRAP", *mine)
        bench.fire("TRAP", *mine, body=b"")
        bench.settle()
        assert [event.body for event in take(bench.source, WAIT, 64)] == [None, b""]

    def test_a_big_event(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        mine = [(b"H%d" % number, b"x" * 1000) for number in range(500)]
        bench.fire("TRAP", *mine, body=b"y" * 1_000_000)
        (event,) = bench.taken()
        assert list(event.headers)[-500:] == mine

    def test_no_call_is_no_uuid(self, bench: Bench) -> None:
        bench.source.want(TRAPS)
        bench.fire("TRAP")
        bench.settle()
        (event,) = take(bench.source, WAIT, 64)
        assert event.uuid is None
        assert event.uuid is None

    @settings(
        max_examples=300,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,  # under valgrind
        ],
    )
    @given(st.data())
    def test_nothing_in_an_event_raises(self, subject: Subject, data: st.DataObject) -> None:
        """Whoever may send an event writes what he likes into it."""
        name, headers, body = data.draw(FORGED)
        check_forged(subject, name, headers, body)

    @pytest.mark.parametrize("name", ["TRAP", "CUSTOM"])
    @pytest.mark.parametrize(
        "headers",
        [
            [(b"Event-Sequence", b""), (b"Event-Sequence", b"boom"), of_call(CALL)],
            [(b"Event-Sequence[1]", b"abc"), of_call(CALL)],
            [(b"Event-Sequence[0]", b"-1")],
            [(b"Event-Sequence", b""), (b"Event-Sequence", b"9" * 5000)],
            [(b"Event-Sequence", b""), (b"Event-Sequence", "٣".encode())],
            [(b"Event-Sequence", b"")],
            [(b"Unique-ID", b"ARRAY::\xff|:\xfe"), (b"Unique-ID[3]", b"")],
            [(b"Event-Name", b""), (b"Event-Name", b"\xff")],
            [(b"Content-Length", b"x"), (b"_body", b"y")],
            [(b"ARRAY", b"ARRAY::"), (b"Two", b"ARRAY::a|:b"), (b"One", b"ARRAY::a")],
        ],
    )
    def test_forged_headers(self, subject: Subject, name: str, headers: list[Header]) -> None:
        check_forged(subject, name, headers, None)
        check_forged(subject, name, headers, b"\xff")


def check_forged(subject: Subject, name: str, headers: Sequence[Header], body: bytes | None) -> None:
    bench = Bench(subject)
    try:
        bench.source.want(Wanted(frozenset({name}), frozenset({b"my::own"})))
        bench.source.watch(CALL)
        if name == CUSTOM:
            headers = ((b"Event-Subclass", b"my::own"), *headers)
        bench.fire(name, *headers, body=body)
        bench.settle()
        (event,) = [event for event in take(bench.source, WAIT, 64) if event.name == name]
        assert event.subclass == (b"my::own" if name == CUSTOM else None)
        assert isinstance(event.sequence, int)
        assert event.sequence >= 0
        read = list(event.headers())
        names, values = [header for header, _ in read], [value for _, value in read]
        for one in (*names, b"Event-Sequence", b"Unique-ID", b"", b"\xff", b"_body"):
            assert event.header(one) == first(read, one)
        assert event.uuid == first(read, b"Unique-ID")
        encoded = event.encoded(Form.STRING)
        if b"_body" not in dict(headers):  # which a real switch takes for the body
            assert event.body == body
            assert encoded == encode(names, values, body, event.uuid)
    finally:
        bench.source.close()


def first(headers: Sequence[Header], name: bytes) -> bytes | None:
    return next((value for other, value in headers if other.lower() == name.lower()), None)


_NAMES = st.one_of(
    st.sampled_from(
        [
            b"Event-Sequence",
            b"event-sequence",
            b"Event-Sequence[0]",
            b"Event-Sequence[1]",
            b"Event-Name",
            b"Unique-ID",
            b"Unique-ID[2]",
            b"_body",
            b"Content-Length",
            b"a",
            b"A",
        ]
    ),
    st.binary(min_size=1, max_size=8).filter(lambda name: b"\0" not in name),
)
_VALUES = st.one_of(
    st.sampled_from([b"", b"boom", b"12", b"ARRAY::a|:b", b"ARRAY::", b"|:", b"9" * 30, CALL, b'":["', b"\\u0041"]),
    st.binary(max_size=20).filter(lambda value: b"\0" not in value),
)


FORGED = st.tuples(
    st.sampled_from(["TRAP", "CUSTOM", "MESSAGE"]),
    st.lists(st.tuples(_NAMES, _VALUES), max_size=8),
    st.one_of(st.none(), st.binary(min_size=1, max_size=20).filter(lambda body: b"\0" not in body)),
)
