"""The compiled source keeps the contract with a stand-in for FreeSWITCH, too; so it can be watched by sanitizers."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Mapping
from ctypes import c_char_p, c_double, c_int, c_void_p
from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mod_erlang_py.switch.port import ALL, CUSTOM, Encoder, Event, EventSource, Form, Wanted
from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES
from tests.compiled import FOLDER, load_stand_in, missing
from tests.switch.source_contract import CALL, ENCODERS, EVERYTHING, OTHER, TRAPS, WAIT, SourceContract, Subject

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

from mod_erlang_py.switch.freeswitch.source import _compiled
from mod_erlang_py.switch.freeswitch.source.compiled import CompiledSource, bits
from mod_erlang_py.switch.freeswitch.source.compiled_event import CompiledEvent
from tests.batches import take

SUBCLASS = b"Event-Subclass"
timed = pytest.mark.skipif(FOLDER in os.environ, reason="where it is watched all is slow, in threads that take turns")


class StandIn:
    implementation = "compiled"
    lossy = (500, 1500)

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        library.stand_in_create.argtypes = (c_int, c_char_p, c_char_p)
        library.stand_in_create.restype = c_void_p
        library.stand_in_add.argtypes = (c_void_p, c_char_p, c_char_p)
        library.stand_in_add_array.argtypes = (c_void_p, c_char_p, c_char_p, c_char_p, c_char_p)
        library.stand_in_set_body.argtypes = (c_void_p, c_char_p)
        library.stand_in_fire.argtypes = (c_void_p,)
        library.stand_in_fire_for.argtypes = (c_void_p, c_double)
        library.stand_in_fire_for.restype = c_double

    def source(self, encoders: Mapping[Form, Encoder], small: bool = False) -> EventSource:
        return CompiledSource(EVENT_TYPES, 1000) if small else CompiledSource(EVENT_TYPES)

    def create(self, event: Event) -> int:
        made: int = self.library.stand_in_create(EVENT_TYPES.index(event.name), event.name.encode(), event.subclass)
        for name, value in event.headers:
            if name != SUBCLASS:
                self.library.stand_in_add(made, name, value)
        if event.body is not None:
            self.library.stand_in_set_body(made, event.body)
        return made

    def fire(self, event: Event) -> None:
        self.library.stand_in_fire(self.create(event))

    def settle(self) -> None:
        """Who fires delivers."""


@pytest.fixture(scope="module")
def stand_in() -> StandIn:
    return StandIn(load_stand_in())


class TestCompiledSource(SourceContract):
    @pytest.fixture
    def subject(self, stand_in: StandIn) -> Subject:
        return stand_in


TEXTS = st.binary(min_size=1, max_size=20).filter(lambda text: b"\0" not in text)
NAMES = TEXTS.filter(lambda name: name != SUBCLASS)  # which is no header of its own; hypothesis finds it in our code


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # where it is watched all is slow
@given(st.lists(st.tuples(NAMES, TEXTS | st.just(b"%41% 1%zz")), max_size=8), st.none() | TEXTS)
def test_encoding(stand_in: StandIn, pairs: list[tuple[bytes, bytes]], body: bytes | None) -> None:
    event = stand_in.create(Event("TRAP", pairs, body))
    for forms in ((), (Form.STRING,), (Form.BINARY,), tuple(Form)):
        (read,) = _compiled.read(event, "TRAP", CompiledEvent, bits(forms)).events()
        headers = read.headers()
        assert headers[2:] == pairs
        for form, encode in ENCODERS.items():
            expected = encode([name for name, _ in headers], [value for _, value in headers], body, read.uuid)
            assert read.encoded(form) == expected
    ctypes.CDLL(None).switch_event_destroy(ctypes.byref(c_void_p(event)))


def test_an_array_that_a_copy_has_otherwise(stand_in: StandIn) -> None:
    """The stand-in's copies have no arrays; that which is seen is the copy."""
    for first, shown in ((b"one", b"ARRAY::one|:two"), (b"", b"of the copy"), (b"ARRAY::", b"of the copy")):
        event = stand_in.create(Event("TRAP"))
        stand_in.library.stand_in_add_array(event, b"Array", b"of the copy", first, b"two")
        assert _compiled.read(event, "TRAP", CompiledEvent, 0).events()[0].header(b"Array") == shown
        ctypes.CDLL(None).switch_event_destroy(ctypes.byref(c_void_p(event)))


def test_events_in_a_row_are_one_batch(stand_in: StandIn) -> None:
    """What Python does for each of them is done once."""
    source = CompiledSource(EVENT_TYPES)
    source.want(EVERYTHING)
    source.watch(CALL)
    for uuid in (OTHER, OTHER, CALL, CALL, OTHER):
        stand_in.fire(Event("TRAP", ((b"Unique-ID", uuid),)))
    stand_in.fire(Event("NOTIFY"))
    stand_in.fire(Event("NOTIFY"))
    batches = source.take(0, 64)
    assert [(one.name, one.count) for one in batches] == [
        ("TRAP", 2),
        ("TRAP", 1),
        ("TRAP", 1),
        ("TRAP", 1),
        ("NOTIFY", 2),
    ]
    assert [one.uuid for one in batches] == [None, CALL, CALL, OTHER, None]
    source.close()
    assert [event.name for event in batches[-1].events()] == ["NOTIFY", "NOTIFY"]  # they are its own
    assert batches[0].payloads(Form.STRING) is batches[0].payloads(Form.STRING)


@timed
def test_each_event_of_a_batch_costs_the_same(stand_in: StandIn) -> None:
    """However many they are."""

    def look(count: int) -> float:
        source = CompiledSource(EVENT_TYPES)
        source.want(TRAPS)
        for number in range(count):
            stand_in.fire(Event("TRAP", ((b"N", b"%d" % number),)))
        (batch,) = source.take(0, count)
        source.close()
        events = batch.events()
        began = time.thread_time()
        found = [event.header(b"N") for event in events]
        took = time.thread_time() - began
        assert found == [b"%d" % number for number in range(count)]
        return took

    few, many = (min(look(count) for _ in range(3)) for count in (300, 30_000))
    assert many / 30_000 < 10 * few / 300  # where each is looked for from the first one on, 50 times


def test_events_of_a_batch_are_looked_at_in_any_order(stand_in: StandIn) -> None:
    source = CompiledSource(EVENT_TYPES)
    source.want(TRAPS)
    for number in range(5):
        stand_in.fire(Event("TRAP", ((b"N", b"%d" % number),)))
    (batch,) = source.take(0, 5)
    source.close()
    for number in (3, 1, 1, 4, 0, 2):
        assert batch.header_of(number, b"N") == b"%d" % number
    for number in (-1, 5, 2**40):
        with pytest.raises(IndexError):
            batch.header_of(number, b"N")


def test_a_queue_that_is_full_of_bytes(stand_in: StandIn) -> None:
    source = CompiledSource(EVENT_TYPES, size=1_000_000)
    source.want(TRAPS)
    for number in range(30):
        stand_in.fire(Event("TRAP", ((b"N", b"%d" % number), (b"Big", b"x" * 100_000))))
    taken = [int(event.header(b"N") or b"") for event in take(source, 0, 64)]
    assert taken == list(range(30))[-len(taken) :]
    assert 0 < len(taken) < 10
    assert source.lost() == 30 - len(taken)
    source.close()


def test_a_few_big_ones_among_many(stand_in: StandIn) -> None:
    """A fifth of the events is not enough then."""
    source = CompiledSource(EVENT_TYPES, size=1_000_000)
    source.want(TRAPS)
    for number in range(200):
        stand_in.fire(Event("TRAP", ((b"N", b"%d" % number),)))
    for number in range(200, 203):
        stand_in.fire(Event("TRAP", ((b"N", b"%d" % number), (b"Big", b"x" * 400_000))))
    taken = [int(event.header(b"N") or b"") for event in take(source, 0, 1000)]
    assert taken == [201, 202]
    assert source.lost() == 201
    source.close()


@pytest.mark.parametrize("name", [b"Big", b"body"])
def test_one_that_is_too_big_for_the_queue(stand_in: StandIn, name: bytes) -> None:
    """Is lost, and no other."""
    source = CompiledSource(EVENT_TYPES, size=1_000_000)
    source.want(TRAPS)
    big = b"x" * 1_000_000
    stand_in.fire(Event("TRAP", ((b"N", b"0"),)))
    stand_in.fire(Event("TRAP", (), big) if name == b"body" else Event("TRAP", ((name, big),)))
    stand_in.fire(Event("TRAP", ((b"N", b"1"),)))
    assert [event.header(b"N") for event in take(source, 0, 64)] == [b"0", b"1"]
    assert source.lost() == 1
    source.close()


def test_what_nobody_can_be(stand_in: StandIn) -> None:
    source = CompiledSource(EVENT_TYPES)
    event = Event("TRAP")
    source.want(EVERYTHING)
    stand_in.fire(event)
    (received,) = take(source, WAIT, 64)
    with pytest.raises(TypeError):
        received.header("text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no Form"):
        received.encoded("string")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        source.watch("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _compiled.Batch()
    source.close()
    assert received.name == "TRAP"  # it is its own


def test_a_source_that_was_only_forgotten(stand_in: StandIn) -> None:
    """Is unbound all the same."""
    for _ in range(10):
        CompiledSource(EVENT_TYPES).want(EVERYTHING)
        stand_in.fire(Event("TRAP"))


@timed
def test_the_switch_does_not_wait_for_python(stand_in: StandIn) -> None:
    """Not even when its threads have to wait for one of Python's, which then has to wait for Python."""
    source = CompiledSource(EVENT_TYPES)
    source.watch(OTHER)
    done = threading.Event()
    longest: list[float] = []

    def fire() -> None:
        event = stand_in.create(Event("TRAP", ((b"Unique-ID", CALL),)))
        longest.append(stand_in.library.stand_in_fire_for(event, 2.0))
        done.set()

    def keep_python_busy() -> None:
        while not done.is_set():
            pass

    def watch() -> None:
        while not done.is_set():
            source.watch(OTHER)

    threads = [threading.Thread(target=one) for one in (keep_python_busy, watch, fire)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1.0)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    source.close()
    assert longest[0] < 0.6


def test_everything_at_once(stand_in: StandIn) -> None:
    """For the sanitizers: several threads of the switch deliver, while what is wanted and watched changes."""
    source = CompiledSource(EVENT_TYPES, 500)
    done = threading.Event()
    fired = 2000

    def fire(name: str) -> None:
        for number in range(fired):
            headers = ((b"Unique-ID", (CALL, OTHER)[number % 2]), (b"N", b"%d" % number))
            stand_in.fire(Event(name, ((SUBCLASS, b"a::%d" % (number % 3)), *headers) if name == CUSTOM else headers))

    def change() -> None:
        while not done.is_set():
            source.want(Wanted(frozenset({CUSTOM}), frozenset({b"a::1"}), frozenset({Form.STRING})))
            source.watch(CALL)
            source.want(Wanted(frozenset({ALL}), frozenset(), frozenset(Form)))
            source.unwatch(CALL)
            source.wake()

    def receive() -> None:
        while not done.is_set():
            for event in take(source, 0.01, 32):
                assert event.header(b"N") is not None
                event.encoded(Form.BINARY)
            source.lost()

    firing = [threading.Thread(target=partial(fire, name)) for name in ("TRAP", CUSTOM, "NOTIFY")]
    others = [threading.Thread(target=one) for one in (change, receive)]
    for thread in (*others, *firing):
        thread.start()
    for thread in firing:
        thread.join(WAIT * 6)
    done.set()
    for thread in others:
        thread.join(WAIT)
        assert not thread.is_alive()
    source.close()


def test_everything_at_once_while_sources_come_and_go(stand_in: StandIn) -> None:
    """For the sanitizers: as at a reload and an unload, with calls up. Some are closed while another thread takes, some
    only forgotten."""
    done = threading.Event()

    def fire(uuid: bytes) -> None:
        while not done.is_set():
            stand_in.fire(Event("TRAP", ((b"Unique-ID", uuid), (b"N", b"1"))))

    def live(number: int) -> None:
        source = CompiledSource(EVENT_TYPES, 50)
        taking = threading.Thread(target=receive, args=(source,))
        taking.start()
        source.watch(CALL)
        source.want(Wanted(frozenset({"TRAP"}), frozenset(), frozenset({Form.STRING})))
        source.unwatch(CALL)
        source.wake()
        if number % 2:
            source.close()
            source.wake()
        taking.join(WAIT)
        assert not taking.is_alive()

    def receive(source: CompiledSource) -> None:
        for _ in range(3):
            for batch in source.take(0.01, 8):
                assert all(event.header(b"N") == b"1" for event in batch.events())
                batch.payloads(Form.BINARY)
            source.lost()

    def come_and_go() -> None:
        for number in range(20):
            live(number)

    firing = [threading.Thread(target=fire, args=(uuid,)) for uuid in (CALL, OTHER, CALL)]
    coming = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in (*firing, *coming):
        thread.start()
    for thread in coming:
        thread.join(WAIT * 6)
        assert not thread.is_alive()
    done.set()
    for thread in firing:
        thread.join(WAIT)
        assert not thread.is_alive()


@timed
def test_texts_that_are_chosen_to_take_long(stand_in: StandIn) -> None:
    """Unique-IDs are a peer's to choose. In order they make a list of a tree that is not kept level."""
    in_order = [b"%05d" % number for number in range(9000)]
    shuffled = Random(1).sample(in_order, len(in_order))

    def seconds(texts: list[bytes]) -> float:
        source = stand_in.source(ENCODERS)
        try:
            began = time.thread_time()
            for text in texts:
                source.watch(text)
            return time.thread_time() - began
        finally:
            source.close()

    usual, worst = (min(seconds(some) for _ in range(3)) for some in (shuffled, in_order))
    assert worst < 5 * usual + 0.002
