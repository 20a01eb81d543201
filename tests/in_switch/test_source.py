"""The source that is written in Python keeps the contract; and what is its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch import events
from mod_erlang_py.switch.freeswitch.ffi import keeping_gil
from mod_erlang_py.switch.freeswitch.source.python import NARROW_AFTER, PythonSource
from mod_erlang_py.switch.port import CUSTOM, Encoder, Event, EventSource, Form, LogLine, Wanted
from tests.in_switch.conftest import end_of_log
from tests.switch.source_contract import CALL, ENCODERS, TRAPS, WAIT, SourceContract, Subject, in_threads
from tests.waiting import wait_until

BARRIER = b"test::barrier"


class InSwitch:
    """What sources in the switch have in common."""

    def __init__(self) -> None:
        self._barrier = PythonSource({})
        self._barrier.want(Wanted(frozenset({CUSTOM}), frozenset({BARRIER})))
        self._number = 0

    def fire(self, event: Event) -> None:
        events.fire(event)

    def settle(self) -> None:
        """The switch delivers in order, and to one source after the other: one more event, and it has come."""
        self._number += 1
        number = b"%d" % self._number
        events.fire(Event(CUSTOM, ((b"Event-Subclass", BARRIER), (b"Number", number))))
        while True:
            for event in self._barrier.take(WAIT, 1):
                if event.subclass == BARRIER and event.header(b"Number") == number:
                    return

    def close(self) -> None:
        self._barrier.close()


class WithPython(InSwitch):
    implementation = "python"
    lossy = (500, 990)

    def source(self, encoders: Mapping[Form, Encoder], small: bool = False) -> EventSource:
        return PythonSource(encoders, 1000) if small else PythonSource(encoders)


class TestPythonSource(SourceContract):
    @pytest.fixture
    def subject(self) -> Iterator[Subject]:
        subject = WithPython()
        yield subject
        subject.close()

    # what it keeps beside the contract

    @pytest.fixture
    def own(self, subject: Subject) -> Iterator[PythonSource]:
        """A small one."""
        source = subject.source(ENCODERS, small=True)
        assert isinstance(source, PythonSource)
        yield source
        source.close()

    def test_calls_change_no_bindings_but_the_first(self, subject: Subject, own: PythonSource) -> None:
        own.want(TRAPS)
        assert own.bound == {"TRAP"}
        for number in range(1000):
            own.watch(b"%d" % number)
            assert own.bound == frozenset(events.event_names())
            own.unwatch(b"%d" % number)
            if number % 100 == 0:
                self.discard(subject, own, 100)
        assert own.bound == frozenset(events.event_names())

    def test_without_calls_the_unwanted_are_unbound(self, subject: Subject, own: PythonSource) -> None:
        own.want(TRAPS)
        own.watch(CALL)
        self.discard(subject, own, NARROW_AFTER + 100)
        own.unwatch(CALL)
        assert own.bound == frozenset(events.event_names())
        self.discard(subject, own, NARROW_AFTER + 100)
        assert own.bound == {"TRAP"}

    @staticmethod
    def discard(subject: Subject, source: PythonSource, count: int) -> None:
        for _ in range(count):
            subject.fire(Event("NOTIFY"))
        subject.settle()
        for _ in range(count // 64 + 1):
            assert source.take(0, 64) == []

    def test_an_event_that_is_gone_says_so(self, own: PythonSource, subject: Subject) -> None:
        own.want(TRAPS)
        subject.fire(Event("TRAP", ((b"A", b"b"),)))
        subject.settle()
        (event,) = own.take(WAIT, 64)
        assert event.header(b"A") == b"b"
        own.take(0, 64)
        with pytest.raises(SwitchError, match="TRAP is gone"):
            event.header(b"A")
        with pytest.raises(SwitchError, match="TRAP is gone"):
            event.encoded(Form.STRING)

    def test_what_was_taken_stays_when_another_closes(self, own: PythonSource, subject: Subject) -> None:
        own.want(TRAPS)
        subject.fire(Event("TRAP", ((b"A", b"b"),)))
        subject.settle()
        (event,) = own.take(WAIT, 64)
        in_threads(own.close)
        assert event.header(b"A") == b"b"
        assert own.take(0, 64) == ()

    def test_it_is_unbound_though_something_went_wrong(self, subject: Subject, log_lines: list[LogLine]) -> None:
        """A consumer that stays bound fills up, and then there is an ERR line for each event."""
        source = PythonSource({}, 10)
        source.want(TRAPS)
        with pytest.raises(SwitchError, match="EventConsumer::bind"):
            source.want(Wanted(frozenset({"TRAP", "NO_SUCH"})))
        for _ in range(20):
            subject.fire(Event("TRAP"))
        subject.settle()
        wait_until(lambda: any(b"Cannot queue" in line.text for line in log_lines))
        source.close()
        end_of_log(log_lines)
        log_lines.clear()
        for _ in range(20):
            subject.fire(Event("TRAP"))
        subject.settle()
        events.fire(Event("TRAP"))
        end_of_log(log_lines)
        assert [line.text for line in log_lines if b"Cannot queue" in line.text] == []

    def test_wakes_do_not_pile_up(self, own: PythonSource) -> None:
        for _ in range(2000):
            own.wake()
        assert keeping_gil().switch_queue_size(own._queue) == 1
