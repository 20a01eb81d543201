"""The switch's log, read and written to."""

from __future__ import annotations

import gc
import logging

import pytest

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.freeswitch import FreeSwitch, log
from mod_erlang_py.switch.freeswitch.ffi import without_gil
from mod_erlang_py.switch.port import LogLine
from tests.in_switch.conftest import end_of_log
from tests.waiting import wait_until


def write(switch: FreeSwitch, text: str, level: int = logging.WARNING) -> None:
    switch.log_handler().emit(logging.LogRecord("test", level, "here.py", 17, text, None, None, "function"))


def lines_with(lines: list[LogLine], text: bytes) -> list[LogLine]:
    return [line for line in lines if text in line.text]


def test_a_line(switch: FreeSwitch, log_lines: list[LogLine]) -> None:
    write(switch, "100% of this \0 line")
    end_of_log(log_lines)
    (line,) = lines_with(log_lines, b"of this")
    assert (line.level, line.channel, line.uuid) == (LogLevel.WARNING, 0, b"")
    assert (line.file, line.function, line.line) == (b"here.py", b"function", 17)
    assert line.text.endswith(b"100% of this \\0 line\n")


def test_lines_of_the_switch(switch: FreeSwitch, log_lines: list[LogLine]) -> None:
    switch.execute("log", b"err something of the switch")
    end_of_log(log_lines)
    (line,) = lines_with(log_lines, b"something of the switch")
    assert line.level is LogLevel.ERR


def test_all_who_listen_hear(switch: FreeSwitch, log_lines: list[LogLine]) -> None:
    others: list[LogLine] = []
    unbind = switch.bind_log(others.append)
    write(switch, "for both")
    end_of_log(log_lines)
    wait_until(lambda: lines_with(others, b"for both"))
    unbind()
    write(switch, "for one")
    end_of_log(log_lines)
    assert lines_with(log_lines, b"for one")
    assert not lines_with(others, b"for one")


def test_a_listener_that_fails(switch: FreeSwitch, log_lines: list[LogLine]) -> None:
    """Costs it its line, and the log nothing."""

    def fail(line: LogLine) -> None:
        raise RuntimeError("as it was told to")

    unbind = switch.bind_log(fail)
    write(switch, "a line")
    end_of_log(log_lines)
    assert lines_with(log_lines, b"a line")
    unbind()


def test_listening_again_and_again(switch: FreeSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 rounds of it once left 1,000 callbacks behind, and as many bindings in the switch's memory."""
    bound: list[str] = []
    library = without_gil()
    for name in ("switch_log_bind_logger", "switch_log_unbind_logger"):
        function = getattr(library, name)

        def call(*arguments: object, name: str = name, function: object = function) -> object:
            bound.append(name)
            return function(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(library, name, call)
    switch.bind_log(lambda _: None)()
    before = callbacks()
    for number in range(1000):
        lines: list[LogLine] = []
        unbind = switch.bind_log(lines.append)
        if number % 100 == 0:
            end_of_log(lines)
        unbind()
    assert callbacks() == before
    assert len(bound) <= 1


def callbacks() -> int:
    """The functions that C could call."""
    gc.collect()
    return sum(type(one).__name__ == "CFunctionType" for one in gc.get_objects())


def test_without_a_listener_the_log_is_left_alone(switch: FreeSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some lines that nobody heard."""
    unbound: list[object] = []
    library = without_gil()
    unbind_logger = library.switch_log_unbind_logger

    def note(function: object) -> None:
        unbind_logger(function)
        unbound.append(function)

    monkeypatch.setattr(library, "switch_log_unbind_logger", note)
    switch.bind_log(lambda _: None)()
    for _ in range(log.UNHEARD + 10):
        write(switch, "unheard")
    wait_until(lambda: unbound)
    lines: list[LogLine] = []
    unbind = switch.bind_log(lines.append)
    write(switch, "heard")
    end_of_log(lines)
    assert lines_with(lines, b"heard")
    unbind()
    log.unbind()
    assert len(unbound) == 2
