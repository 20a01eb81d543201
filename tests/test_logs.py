"""Log lines on their way to log handlers."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py import etf
from mod_erlang_py.etf import Atom, Pid, Term
from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.logs import QUEUE_LENGTH, Logs, term
from mod_erlang_py.node import traffic
from mod_erlang_py.node.threads import Threads
from mod_erlang_py.switch.port import LogLine, Wanted
from mod_erlang_py.switch.simulated import SimulatedSwitch
from tests.batches import take
from tests.fakes import FakeLink
from tests.waiting import wait_until


class Bench:
    def __init__(self, bulk: int = 32) -> None:
        self.switch = SimulatedSwitch(log_to=io.StringIO())
        self.logs = Logs(self.switch, bulk)
        self.threads = Threads()
        self.log = logging.Logger("bench")  # noqa: LOG001
        self.log.addHandler(self.switch.log_handler())

    def start(self) -> Bench:
        self.threads.start("logs", self.logs.run)
        return self

    def stop(self) -> None:
        self.logs.stop()
        assert self.threads.join(10) == []

    def link(self, level: LogLevel = LogLevel.DEBUG, name: str = "peer@localhost") -> FakeLink:
        link = FakeLink(name)
        self.logs.register(link.link, link.pid)
        self.logs.set_level(link.link, level)
        return link


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench().start()
    yield bench
    bench.stop()


def line(level: LogLevel = LogLevel.INFO, text: bytes = b"text\n") -> LogLine:
    return LogLine(level, 3, b"file.c", b"func", 12, text, b"uuid")


def fields(message: Term) -> dict[str, Term]:
    tag, pairs = message
    assert tag.value == "log"
    return {key.value: value for key, value in pairs}


def texts(link: FakeLink) -> list[bytes]:
    """What was logged, without time and file."""
    return [fields(message)["data"].rstrip(b"\n").rpartition(b" ")[2] for _, message in link.messages()]


def test_the_term() -> None:
    """In the order of check_log_queue; the channel the line's own."""
    found = etf.decode(etf.encode(term(line())))
    assert (found[0].value, [(key.value, value) for key, value in found[1]]) == (
        "log",
        [
            ("level", 6),
            ("text_channel", 3),
            ("file", b"file.c"),
            ("func", b"func"),
            ("line", 12),
            ("data", b"text\n"),
            ("user_data", b"uuid"),
        ],
    )


@pytest.mark.parametrize("level", LogLevel)
def test_levels_are_small_integers(level: LogLevel) -> None:
    assert fields(etf.decode(etf.encode(term(line(level)))))["level"] == level.value


def test_long_lines_and_bytes_that_are_no_text() -> None:
    for text in (b"", b"x" * 70_000, b"\xff\x00\xe4"):
        found = fields(etf.decode(etf.encode(term(line(text=text)))))["data"]
        assert bytes(found) == text


def test_a_line_reaches_its_handler(bench: Bench) -> None:
    link = bench.link()
    bench.log.warning("careful")
    ((to, message),) = link.wait_for(1)
    found = fields(message)
    assert to == link.pid
    assert found["level"] == LogLevel.WARNING
    assert found["data"].endswith(b" careful\n")
    assert (found["file"], found["user_data"]) == (b"test_logs.py", [])  # the empty string is the empty list


def test_levels(bench: Bench) -> None:
    debug = bench.link()
    warning = bench.link(LogLevel.WARNING, name="warning@localhost")
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        bench.log.log(level, "%s", logging.getLevelName(level))
    debug.wait_for(5)
    warning.wait_for(3)
    assert texts(debug) == [b"DEBUG", b"INFO", b"WARNING", b"ERROR", b"CRITICAL"]
    assert texts(warning) == [b"WARNING", b"ERROR", b"CRITICAL"]
    bench.logs.register(warning.link, warning.pid)  # the level is DEBUG again
    bench.log.debug("again")
    warning.wait_for(4)


def test_the_switch_is_listened_to_only_while_somebody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bound: list[str] = []
    bind = bench.switch.bind_log

    def counting(listener: Callable[[LogLine], None]) -> Callable[[], None]:
        unbind = bind(listener)
        bound.append("bound")

        def end() -> None:
            unbind()
            bound.pop()

        return end

    monkeypatch.setattr(bench.switch, "bind_log", counting)
    assert bound == []
    one, two = FakeLink("one@localhost"), FakeLink("two@localhost")
    bench.logs.set_level(one.link, LogLevel.DEBUG)
    assert bound == []
    bench.logs.register(one.link, one.pid)
    bench.logs.register(two.link, two.pid)
    assert bound == ["bound"]
    bench.logs.nolog(one.link)
    assert bound == ["bound"]
    bench.logs.exited(two.link, two.other)
    assert bound == ["bound"]
    bench.logs.exited(two.link, two.pid)
    assert bound == []
    bench.logs.register(one.link, one.pid)
    assert bound == ["bound"]
    bench.logs.down(one.link)
    assert bound == []
    bench.logs.register(two.link, two.pid)
    bench.start()
    bench.stop()
    assert bound == []


class Chatter:
    """Logs without end, until the with block ends."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._stop = threading.Event()

    def _run(self) -> None:
        while not self._stop.wait(0.0002):
            self._bench.log.info("chatter")

    def __enter__(self) -> Chatter:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def stays(link: FakeLink) -> bool:
    count = len(link.messages())
    threading.Event().wait(0.02)
    return len(link.messages()) == count


@pytest.mark.parametrize("how", ["nolog", "exited", "down"])
def test_nothing_comes_afterwards(bench: Bench, how: str) -> None:
    link = bench.link()
    other = bench.link(name="other@localhost")
    with Chatter(bench):
        link.wait_for(5)
        if how == "nolog":
            bench.logs.nolog(link.link)
        elif how == "exited":
            bench.logs.exited(link.link, link.pid)
        else:
            link.ended = True
            bench.logs.down(link.link)
        assert stays(link)
        other.wait_for(len(other.messages()) + 10)


def test_another_process_takes_over(bench: Bench) -> None:
    link = bench.link()
    with Chatter(bench):
        for pid in (link.other, link.pid) * 10:
            link.wait_for(len(link.messages()) + 2)
            bench.logs.register(link.link, pid)
            since = len(link.messages())
            found: list[Pid] = [to for to, _ in link.wait_for(since + 3)[since:]]
            assert set(found) == {pid}


def test_what_is_lost_is_counted_and_reported_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    source = bench.switch.events({})
    source.want(Wanted(frozenset({"TRAP"})))
    link = bench.link()
    link.outbox.room = 2
    for _ in range(6):
        bench.log.info("line")
    handler = bench.logs.handler(link.link)
    assert handler is not None
    wait_until(lambda: handler.counts.lost == 4)
    link.outbox.room = None
    bench.log.info("after")
    (trap,) = take(source, 10, 1)
    assert trap.header(b"info") == b"lost 4 log lines"
    link.wait_for(3)
    assert texts(link) == [b"line", b"line", b"after"]
    assert (handler.counts.sent, handler.counts.lost) == (3, 4)
    assert [record.message for record in caplog.records if "Lost" in record.message] == ["Lost 4 log lines!"]


def test_a_burst_that_the_pump_cannot_follow_costs_bounded_memory() -> None:
    bench = Bench()
    link = bench.link()
    for _ in range(QUEUE_LENGTH + 50):
        bench.logs._listen(line())
    assert bench.logs._lines.qsize() == QUEUE_LENGTH
    bench.start()
    link.wait_for(QUEUE_LENGTH)
    handler = bench.logs.handler(link.link)
    assert handler is not None
    wait_until(lambda: handler.counts.lost == 50)
    bench.stop()


@pytest.mark.parametrize("bulk", [1, 5, 1000])
def test_several_go_in_one_write(bulk: int) -> None:
    bench = Bench(bulk)
    link = bench.link()
    for number in range(100):
        bench.logs._listen(line(text=b"%d" % number))
    bench.start()
    link.wait_for(100)
    assert texts(link) == [b"%d" % number for number in range(100)]
    assert max(map(len, link.outbox.batches)) == min(bulk, 100)
    bench.stop()


def test_a_line_about_what_is_sent_is_not_told_of(bench: Bench) -> None:
    """`erlang debug on` with a log handler at DEBUG, when our own log goes to the switch's."""
    ours = logging.getLogger("mod_erlang_py")
    handler = bench.switch.log_handler()
    ours.addHandler(handler)
    level = ours.level
    ours.setLevel(logging.DEBUG)
    traffic.turn(True)
    try:
        link = bench.link()
        bench.log.info("one")
        link.wait_for(1)
        assert stays(link)
        traffic.sent("peer@localhost", link.pid, Atom("ok"))
        link.wait_for(2)
        assert stays(link)
    finally:
        traffic.turn(False)
        ours.setLevel(level)
        ours.removeHandler(handler)


def test_stop_twice(bench: Bench) -> None:
    link = bench.link()
    bench.logs.stop()
    assert bench.threads.join(10) == []
    bench.logs.stop()
    bench.logs.register(link.link, link.other)
    bench.log.info("late")
    assert link.messages() == []
