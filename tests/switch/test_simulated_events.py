"""Events of the simulated switch: their headers, and how they reach a source. What every source keeps is in
source_contract.py."""

from __future__ import annotations

import gc
import io
import re
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event, EventSource, Form, Module, Wanted
from mod_erlang_py.switch.simulated import SimulatedSwitch
from mod_erlang_py.switch.simulated.core import Core
from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES
from mod_erlang_py.switch.simulated.events import EventBus
from mod_erlang_py.switch.simulated.origin import Origin
from tests.batches import take

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
    bodies: list[bytes | None] = []

    def body_of(_names: Sequence[bytes], _values: Sequence[bytes], body: bytes | None, _uuid: bytes | None) -> bytes:
        bodies.append(body)
        return b""

    source = switch.events({Form.STRING: body_of})
    subclass = event.subclass
    source.want(Wanted(frozenset({event.name}), frozenset({subclass} if subclass else ())))
    switch.fire(event)
    (taken,) = take(source, 0, 64)
    taken.encoded(Form.STRING)
    source.close()
    return Event(taken.name, taken.headers(), *bodies)


def source_of(switch: SimulatedSwitch, *types: str) -> EventSource:
    """A source of all events of those types that have no subclass."""
    source = switch.events({})
    source.want(Wanted(frozenset(types)))
    return source


def take_one(source: EventSource, timeout: float = 0) -> Event | None:
    """The next event, a copy."""
    for event in take(source, timeout, 1):
        return Event(event.name, event.headers())
    return None


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
    assert event.header(b"Core-UUID") == switch.execute("global_getvar", b"core_uuid").output
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
    source = source_of(switch, "ALL")

    def fire() -> None:
        for _ in range(200):
            switch.fire(Event("TRAP"))

    in_threads(fire, fire, fire)
    taken = take(source, 0, 600)
    assert sorted(int(event.header(b"Event-Sequence") or b"") for event in taken) == list(range(1, 601))


def test_a_source_gets_what_it_wants_and_another_something_else(switch: SimulatedSwitch) -> None:
    traps, everything, nothing = source_of(switch, "TRAP"), source_of(switch, "ALL"), source_of(switch)
    for name in ("NOTIFY", "TRAP", "ALL"):
        switch.fire(Event(name))
    assert names(traps) == ["TRAP"]
    assert names(everything) == ["NOTIFY", "TRAP", "ALL"]
    assert names(nothing) == []


def names(source: EventSource) -> list[str]:
    """The types of all that is queued."""
    return [event.name for batch in iter(lambda: source.take(0, 64), []) for event in batch]


def in_threads(*functions: Callable[[], None]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def test_close_forgets_what_waits_and_the_switch_forgets_the_source(switch: SimulatedSwitch) -> None:
    source = source_of(switch, "TRAP")
    switch.fire(Event("TRAP"))
    source.close()
    source.close()
    assert take_one(source) is None
    gone = weakref.ref(source)
    del source
    gc.collect()
    assert gone() is None


def test_a_full_queue_drops_and_tells_once_a_stretch() -> None:
    told: list[int] = []
    bus = EventBus(Core("u", "h", "s", "1.2.3.4", "::1"), told.append, limit=2)
    source = bus.source({})
    source.want(Wanted(frozenset({"TRAP"})))

    def fire(*numbers: int) -> None:
        for number in numbers:
            bus.fire(Event("TRAP", ((b"N", b"%d" % number),)), Origin("f", "g", 1))

    def pop() -> bytes | None:
        event = take_one(source)
        return event.header(b"N") if event else None

    fire(1, 2)
    assert told == []
    fire(3, 4)
    assert told == [2]
    assert pop() == b"1"
    fire(5, 6)
    assert told == [2, 2]
    assert [pop(), pop(), pop()] == [b"2", b"5", None]
    assert source.lost() == 3
    assert source.lost() == 0


def test_a_full_queue_is_an_error_in_the_log() -> None:
    log = io.StringIO()
    switch = SimulatedSwitch(log_to=log)
    source = source_of(switch, "TRAP")
    for _ in range(10_002):
        switch.fire(Event("TRAP"))
    assert len(names(source)) == 10_000
    assert log.getvalue().count("\n") == 1
    assert re.search(r" \[ERR\] switch\.py:\d+ An event queue is full \(10000 events\)", log.getvalue())


def test_every_command_is_an_event(switch: SimulatedSwitch) -> None:
    source = source_of(switch, "API")
    switch.execute("eCho", b"  hi  there ")
    switch.execute("reloadxml", b"")
    switch.execute("nosuch", b"x")
    events = [take_one(source) for _ in range(3)]
    assert [added(event) for event in events if event] == [
        [(b"API-Command", b"eCho"), (b"API-Command-Argument", b"hi  there")],
        [(b"API-Command", b"reloadxml")],
        [(b"API-Command", b"nosuch"), (b"API-Command-Argument", b"x")],
    ]
    assert take_one(source) is None


def test_loading_and_unloading_are_events(switch: SimulatedSwitch) -> None:
    source = source_of(switch, "MODULE_LOAD", "MODULE_UNLOAD", "RELOADXML")
    switch.load(Module(lambda argument: argument, lambda: None))
    switch.unload()
    switch.execute("reloadxml", b"")
    loaded, unloaded, reloaded = (take_one(source) for _ in range(3))
    assert loaded is not None
    assert unloaded is not None
    assert reloaded is not None
    assert (loaded.name, unloaded.name, reloaded.name) == ("MODULE_LOAD", "MODULE_UNLOAD", "RELOADXML")
    assert added(loaded) == added(unloaded)
    assert added(loaded)[:2] == [(b"type", b"api"), (b"name", b"erlang")]
    assert loaded.header(b"key") == b"mod_erlang_py"


def test_heartbeats() -> None:
    switch = SimulatedSwitch(heartbeat=0.01, log_to=io.StringIO())
    source = source_of(switch, "STARTUP", "HEARTBEAT", "SHUTDOWN")
    switch.start()
    first, second, third = (take_one(source, WAIT) for _ in range(3))
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
