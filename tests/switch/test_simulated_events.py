"""Events of the simulated switch: their headers, and how they reach a source."""

from __future__ import annotations

import gc
import io
import queue
import re
import threading
import time
import weakref
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event, Module
from mod_erlang_py.switch.simulated import SimulatedSwitch
from mod_erlang_py.switch.simulated.core import Core
from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES
from mod_erlang_py.switch.simulated.events import EventBus, EventSource
from mod_erlang_py.switch.simulated.origin import Origin

OWN = [
    b"Event-Name",
    b"Core-UUID",
    b"FreeSWITCH-Hostname",
    b"FreeSWITCH-Switchname",
    b"FreeSWITCH-IPv4",
    b"FreeSWITCH-IPv6",
    b"Event-Date-Local",
    b"Event-Date-GMT",
    b"Event-Date-Timestamp",
    b"Event-Calling-File",
    b"Event-Calling-Function",
    b"Event-Calling-Line-Number",
    b"Event-Sequence",
]
WAIT = 10.0  # seconds, for what comes at once


@pytest.fixture
def switch() -> SimulatedSwitch:
    return SimulatedSwitch(log_to=io.StringIO())


def received(switch: SimulatedSwitch, event: Event) -> Event:
    source = switch.events()
    source.want(frozenset({event.name}))
    switch.fire(event)
    popped = source.pop(0)
    assert popped is not None
    source.close()
    return popped


def added(event: Event) -> list[tuple[bytes, bytes]]:
    """The headers behind FreeSWITCH's own."""
    return list(event.headers[[name for name, _ in event.headers].index(b"Event-Sequence") + 1 :])


def test_the_types_are_those_of_the_enum() -> None:
    assert len(EVENT_TYPES) == 94
    assert EVENT_TYPES[:3] == ("CUSTOM", "CLONE", "CHANNEL_CREATE")
    assert EVENT_TYPES[-1] == "ALL"
    assert len(set(EVENT_TYPES)) == 94


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("heartbeat", "HEARTBEAT"),
        ("All", "ALL"),
        ("CUSTOM", "CUSTOM"),
        ("SWITCH_EVENT_HEARTBEAT", "HEARTBEAT"),
        ("switch_event_custom", "CUSTOM"),
        ("NO_SUCH", None),
        ("", None),
        ("SWITCH_EVENT_", None),
        ("HEARTBEAT ", None),
    ],
)
def test_names_of_types(switch: SimulatedSwitch, name: str, found: str | None) -> None:
    assert switch.event_type(name) == found


def test_an_event_is_completed(switch: SimulatedSwitch) -> None:
    before = time.time_ns() // 1000
    event = received(switch, Event("NOTIFY", ((b"B", b"1"), (b"a", b"100%"), (b"B", b"2")), b"body"))
    assert [name for name, _ in event.headers] == [*OWN, b"B", b"a", b"B"]
    assert added(event) == [(b"B", b"1"), (b"a", b"100%"), (b"B", b"2")]
    assert event.name == "NOTIFY"
    assert event.body == b"body"
    assert event.header(b"event-name") == b"NOTIFY"
    assert event.header(b"Core-UUID") == switch.execute("eval", b"${core_uuid}").output
    assert event.header(b"FreeSWITCH-Hostname") == switch.hostname().encode()
    assert event.header(b"FreeSWITCH-IPv4") == switch.execute("global_getvar", b"local_ip_v4").output
    assert event.header(b"Event-Calling-File") == b"test_simulated_events.py"
    assert event.header(b"Event-Calling-Function") == b"received"
    stamp = int(event.header(b"Event-Date-Timestamp") or b"")
    assert before <= stamp <= time.time_ns() // 1000
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(stamp // 10**6))
    assert event.header(b"Event-Date-Local") == local.encode()
    gmt = (event.header(b"Event-Date-GMT") or b"").decode()
    assert gmt.endswith(" GMT")
    assert parsedate_to_datetime(gmt).timestamp() == stamp // 10**6


def test_the_subclass_comes_first(switch: SimulatedSwitch) -> None:
    event = received(switch, Event("CUSTOM", ((b"Foo", b"a"), (b"Event-Subclass", b"my::sub"), (b"Bar", b"b"))))
    assert [name for name, _ in event.headers] == [b"Event-Subclass", *OWN, b"Foo", b"Bar"]
    assert event.headers[0][1] == b"my::sub"


def test_a_custom_event_without_subclass(switch: SimulatedSwitch) -> None:
    assert [name for name, _ in received(switch, Event("CUSTOM", ((b"A", b"b"),))).headers] == [*OWN, b"A"]


def test_a_subclass_elsewhere_is_a_header_like_others(switch: SimulatedSwitch) -> None:
    assert added(received(switch, Event("NOTIFY", ((b"Event-Subclass", b"x"),)))) == [(b"Event-Subclass", b"x")]


def test_an_empty_value_takes_the_header_away(switch: SimulatedSwitch) -> None:
    headers = ((b"a", b"1"), (b"b", b"2"), (b"A", b""), (b"c", b"\0x"), (b"d", b"3\0x"))
    assert added(received(switch, Event("NOTIFY", headers, b"x\0y"))) == [(b"b", b"2"), (b"d", b"3")]


@pytest.mark.parametrize("name", ["MESSAGE", "CHANNEL_DATA", "REQUEST_PARAMS"])
def test_types_whose_headers_replace_each_other(switch: SimulatedSwitch, name: str) -> None:
    headers = ((b"a", b"1"), (b"b", b"2"), (b"A", b"3"))
    assert added(received(switch, Event(name, headers))) == [(b"b", b"2"), (b"A", b"3")]


@pytest.mark.parametrize("name", ["NO_SUCH", "heartbeat", ""])
def test_an_unknown_type_is_refused(switch: SimulatedSwitch, name: str) -> None:
    with pytest.raises(SwitchError, match="no such event type"):
        switch.fire(Event(name))


def test_the_sequence_counts_every_event_once(switch: SimulatedSwitch) -> None:
    source = switch.events()
    source.want(frozenset({"ALL"}))

    def fire() -> None:
        for _ in range(200):
            switch.fire(Event("TRAP"))

    in_threads(fire, fire, fire)
    popped = [source.pop(0) for _ in range(600)]
    assert sorted(int(event.header(b"Event-Sequence") or b"") for event in popped if event) == list(range(1, 601))


def test_a_source_gets_what_it_wants_and_another_something_else(switch: SimulatedSwitch) -> None:
    traps, everything, nothing = switch.events(), switch.events(), switch.events()
    traps.want(frozenset({"TRAP"}))
    everything.want(frozenset({"ALL"}))
    for name in ("NOTIFY", "TRAP", "ALL"):
        switch.fire(Event(name))
    assert names(traps) == ["TRAP"]
    assert names(everything) == ["NOTIFY", "TRAP", "ALL"]
    assert names(nothing) == []


def names(source: object) -> list[str]:
    """The types of all that is queued."""
    assert isinstance(source, EventSource)
    return [event.name for event in iter(lambda: source.pop(0), None)]


def test_nothing_is_lost_while_the_wish_changes(switch: SimulatedSwitch) -> None:
    source = switch.events()
    source.want(frozenset({"TRAP", "NOTIFY"}))
    done = threading.Event()

    def wish() -> None:
        while not done.is_set():
            source.want(frozenset({"TRAP"}))
            source.want(frozenset({"TRAP", "NOTIFY"}))

    def fire() -> None:
        for _ in range(2000):
            switch.fire(Event("TRAP"))
        done.set()

    in_threads(wish, fire)
    assert names(source) == ["TRAP"] * 2000


def in_threads(*functions: Callable[[], None]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def test_an_event_wakes_the_one_that_waits(switch: SimulatedSwitch) -> None:
    source = switch.events()
    source.want(frozenset({"TRAP"}))
    popped: queue.Queue[Event | None] = queue.Queue()

    def wait() -> None:
        for _ in range(20):
            popped.put(source.pop(WAIT))

    waiter = threading.Thread(target=wait)
    waiter.start()
    for _ in range(20):
        switch.fire(Event("TRAP"))
        event = popped.get(timeout=WAIT / 2)
        assert event is not None
        assert event.name == "TRAP"
    waiter.join(WAIT)


def test_pop_gives_up_after_its_time(switch: SimulatedSwitch) -> None:
    source = switch.events()
    started = time.monotonic()
    assert source.pop(0.02) is None
    assert 0.015 <= time.monotonic() - started < WAIT


def test_wake_ends_one_wait_and_keeps_the_events(switch: SimulatedSwitch) -> None:
    source = switch.events()
    source.want(frozenset({"TRAP"}))
    popped: list[Event | None] = []
    waiter = threading.Thread(target=lambda: popped.append(source.pop(WAIT)))
    waiter.start()
    source.wake()
    waiter.join(WAIT / 2)
    assert popped == [None]
    switch.fire(Event("TRAP"))
    source.wake()
    assert source.pop(WAIT) is None
    assert names(source) == ["TRAP"]


def test_close_wakes_the_one_that_waits_and_ends_the_stream(switch: SimulatedSwitch) -> None:
    source, other = switch.events(), switch.events()
    popped: list[Event | None] = []
    waiter = threading.Thread(target=lambda: popped.append(source.pop(WAIT)))
    waiter.start()
    source.close()
    waiter.join(WAIT / 2)
    assert popped == [None]
    for each in (source, other):
        each.want(frozenset({"TRAP"}))
    switch.fire(Event("TRAP"))
    assert names(source) == []
    assert names(other) == ["TRAP"]


def test_close_forgets_what_waits_and_the_switch_forgets_the_source(switch: SimulatedSwitch) -> None:
    source = switch.events()
    source.want(frozenset({"TRAP"}))
    switch.fire(Event("TRAP"))
    source.close()
    source.close()
    assert source.pop(0) is None
    gone = weakref.ref(source)
    del source
    gc.collect()
    assert gone() is None


def test_a_full_queue_drops_and_tells_once_a_stretch() -> None:
    told: list[int] = []
    bus = EventBus(Core("u", "h", "s", "1.2.3.4", "::1"), told.append, limit=2)
    source = bus.source()
    source.want(frozenset({"TRAP"}))

    def fire(*numbers: int) -> None:
        for number in numbers:
            bus.fire(Event("TRAP", ((b"N", b"%d" % number),)), Origin("f", "g", 1))

    def pop() -> bytes | None:
        event = source.pop(0)
        return event.header(b"N") if event else None

    fire(1, 2)
    assert told == []
    fire(3, 4)
    assert told == [2]
    assert pop() == b"1"
    fire(5, 6)
    assert told == [2, 2]
    assert [pop(), pop(), pop()] == [b"2", b"5", None]
    assert source.dropped() == 3
    assert source.dropped() == 0


def test_a_full_queue_is_an_error_in_the_log() -> None:
    log = io.StringIO()
    switch = SimulatedSwitch(log_to=log)
    source = switch.events()
    source.want(frozenset({"TRAP"}))
    for _ in range(10_002):
        switch.fire(Event("TRAP"))
    assert len(names(source)) == 10_000
    assert log.getvalue().count("\n") == 1
    assert re.search(r" \[ERR\] switch\.py:\d+ An event queue is full \(10000 events\)", log.getvalue())


def test_every_command_is_an_event(switch: SimulatedSwitch) -> None:
    source = switch.events()
    source.want(frozenset({"API"}))
    switch.execute("eCho", b"  hi  there ")
    switch.execute("create_uuid", b"")
    switch.execute("nosuch", b"x")
    events = [source.pop(0) for _ in range(3)]
    assert [added(event) for event in events if event] == [
        [(b"API-Command", b"eCho"), (b"API-Command-Argument", b"hi  there")],
        [(b"API-Command", b"create_uuid")],
        [(b"API-Command", b"nosuch"), (b"API-Command-Argument", b"x")],
    ]
    assert source.pop(0) is None


def test_the_event_of_a_command_follows_those_of_its_work_but_was_made_before(switch: SimulatedSwitch) -> None:
    source = switch.events()
    source.want(frozenset({"API"}))
    switch.execute("eval", b"${echo hi}")
    inner, outer = source.pop(0), source.pop(0)
    assert inner is not None
    assert outer is not None
    assert (inner.header(b"API-Command"), outer.header(b"API-Command")) == (b"echo", b"eval")
    assert int(inner.header(b"Event-Sequence") or 0) == int(outer.header(b"Event-Sequence") or 0) + 1


def test_loading_and_unloading_are_events(switch: SimulatedSwitch) -> None:
    source = switch.events()
    source.want(frozenset({"MODULE_LOAD", "MODULE_UNLOAD", "RELOADXML"}))
    switch.load(Module(lambda argument: argument, lambda: None))
    switch.unload()
    switch.execute("reloadxml", b"")
    loaded, unloaded, reloaded = (source.pop(0) for _ in range(3))
    assert loaded is not None
    assert unloaded is not None
    assert reloaded is not None
    assert (loaded.name, unloaded.name, reloaded.name) == ("MODULE_LOAD", "MODULE_UNLOAD", "RELOADXML")
    assert added(loaded) == added(unloaded)
    assert added(loaded)[:2] == [(b"type", b"api"), (b"name", b"erlang")]
    assert loaded.header(b"key") == b"mod_erlang_py"


def test_heartbeats() -> None:
    switch = SimulatedSwitch(heartbeat=0.01, log_to=io.StringIO())
    source = switch.events()
    source.want(frozenset({"STARTUP", "HEARTBEAT", "SHUTDOWN"}))
    switch.start()
    first, second, third = (source.pop(WAIT) for _ in range(3))
    switch.stop()
    rest = names(source)
    assert set(rest) - {"HEARTBEAT"} == {"SHUTDOWN"}
    assert first is not None
    assert second is not None
    assert third is not None
    assert [first.name, second.name, third.name] == ["STARTUP", "HEARTBEAT", "HEARTBEAT"]
    assert added(first) == [(b"Event-Info", b"System Ready")]
    assert [name for name, _ in added(second)] == [
        b"Event-Info",
        b"Up-Time",
        b"FreeSWITCH-Version",
        b"Uptime-msec",
        b"Session-Count",
        b"Max-Sessions",
        b"Session-Per-Sec",
        b"Session-Per-Sec-Last",
        b"Session-Per-Sec-Max",
        b"Session-Per-Sec-FiveMin",
        b"Session-Since-Startup",
        b"Session-Peak-Max",
        b"Session-Peak-FiveMin",
        b"Idle-CPU",
    ]
    assert (second.header(b"Up-Time") or b"").startswith(b"0 years, 0 days, 0 hours, 0 minutes, ")
    assert second.header(b"FreeSWITCH-Version") == b"1.11.1-simulated~64bit"
    assert 10 <= int(second.header(b"Uptime-msec") or b"") <= int(third.header(b"Uptime-msec") or b"") < 60_000
