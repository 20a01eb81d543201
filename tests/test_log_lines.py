"""What becomes of a log record before it is a line."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from mod_erlang_py.log_lines import MAX_PEERS, MINUTE, PER_MINUTE, QUOTED, LineHandler, about, quoted


class Lines(logging.Handler):
    """What was written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.closed = False

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def close(self) -> None:
        self.closed = True
        super().close()


class Bench:
    def __init__(self) -> None:
        self.now = 1000.0
        self.written = Lines()
        self.handler = LineHandler(self.written, lambda: self.now)
        self.log = logging.Logger("test")  # noqa: LOG001 - nobody else shall have it
        self.log.addHandler(self.handler)

    def taken(self) -> list[str]:
        lines, self.written.lines = self.written.lines, []
        return lines


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_what_is_quoted() -> None:
    assert quoted("plain text ä😀") == "plain text ä😀"
    assert quoted("x" * QUOTED) == "x" * QUOTED
    assert quoted("x" * (QUOTED + 1)) == "x" * QUOTED + "…"
    assert quoted("a\nb\r\x1b[31m\x00\x85\u2028\ud800") == r"a\nb\r\x1b[31m\x00\x85\u2028\ud800"


def test_a_line_is_one_line_and_not_long(bench: Bench) -> None:
    forged = "x\n2026-11-26 00:00:00 [NOTICE] forged"
    bench.log.warning("%s: %r, %d, %g, %s", forged, b"x\n" * 5000, 7, 0.5, ValueError(forged + "y" * 10_000))
    (line,) = bench.taken()
    assert "\n" not in line
    assert line.startswith(r"x\n2026-11-26 00:00:00 [NOTICE] forged: b")
    assert ", 7, 0.5, x" in line
    assert len(line) < 4 * QUOTED


@pytest.mark.parametrize("log", [logging.Logger.warning, logging.Logger.debug])
def test_what_is_not_about_a_peer_is_all_written(bench: Bench, log: Callable[..., None]) -> None:
    for number in range(5 * PER_MINUTE):
        log(bench.log, "%d", number)
    assert bench.taken() == [str(number) for number in range(5 * PER_MINUTE)]


def test_lines_about_one_peer_are_limited_and_summed_up(bench: Bench) -> None:
    for number in range(1, 1001):
        bench.log.warning("refused %d", number, extra=about("10.0.0.1"))
    lines = bench.taken()
    assert lines[:-1] == [f"refused {number}" for number in range(1, PER_MINUTE + 1)]
    assert lines[-1] == "further lines about 10.0.0.1 are left out until a minute is over, and counted"
    bench.log.warning("refused", extra=about("10.0.0.2"))
    bench.log.info("something else")
    assert bench.taken() == ["refused", "something else"]
    bench.now += MINUTE
    bench.log.info("something else")
    assert bench.taken() == [f"{1000 - PER_MINUTE} more lines about 10.0.0.1 were left out", "something else"]
    bench.log.warning("refused", extra=about("10.0.0.1"))
    assert bench.taken() == ["refused"]


def test_very_many_peers(bench: Bench) -> None:
    """What is known of them is bounded, and so are the lines about all further ones."""
    for number in range(MAX_PEERS + 1000):
        bench.log.warning("refused", extra=about(f"peer{number}"))
    assert bench.taken().count("refused") == MAX_PEERS + PER_MINUTE
    bench.now += MINUTE
    bench.log.warning("refused", extra=about("one more"))
    assert bench.taken() == [f"{1000 - PER_MINUTE} more lines about others were left out", "refused"]


def test_other_handlers_get_the_record_as_it_is(bench: Bench) -> None:
    other = Lines()
    bench.log.addHandler(other)
    bench.log.warning("%s", "a\nb")
    assert (bench.taken(), other.lines) == ([r"a\nb"], ["a\nb"])


def test_with_the_exception(bench: Bench) -> None:
    try:
        raise RuntimeError("as it was told to")
    except RuntimeError:
        bench.log.exception("%s failed", "it\n")
    (line,) = bench.taken()
    assert line.splitlines()[0] == r"it\n failed"
    assert line.splitlines()[-1] == "RuntimeError: as it was told to"


def test_what_cannot_be_formatted(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Costs that line."""
    bench.log.warning("%d", "no number")
    bench.log.warning("%(name)s", {"name": "a mapping"})
    assert bench.taken() == ["a mapping"]
    assert "Logging error" in capsys.readouterr().err


def test_closed_together(bench: Bench) -> None:
    bench.handler.close()
    assert bench.written.closed


def test_another_number_of_lines(bench: Bench) -> None:
    """From now on; who is left out already waits for his minute to be over."""
    bench.handler.configure(2)
    for _ in range(4):
        bench.log.warning("refused", extra=about("10.0.0.1"))
    further = "further lines about 10.0.0.1 are left out until a minute is over, and counted"
    assert bench.taken() == ["refused", "refused", further]
    bench.handler.configure(10)
    for peer in ("10.0.0.1", "10.0.0.2"):
        for _ in range(3):
            bench.log.warning("refused", extra=about(peer))
    assert bench.taken() == ["refused"] * 3
    bench.handler.configure(1)
    bench.log.warning("refused", extra=about("10.0.0.2"))
    assert bench.taken() == [further.replace("0.1", "0.2")]
    bench.now += MINUTE
    bench.log.info("else")
    assert bench.taken() == [
        "5 more lines about 10.0.0.1 were left out",
        "1 more lines about 10.0.0.2 were left out",
        "else",
    ]


def test_no_line_is_told_of_that_is_not_left_out(bench: Bench) -> None:
    for _ in range(PER_MINUTE):
        bench.log.warning("refused", extra=about("10.0.0.1"))
    bench.now += MINUTE
    bench.log.info("else")
    assert bench.taken() == ["refused"] * PER_MINUTE + ["else"]
