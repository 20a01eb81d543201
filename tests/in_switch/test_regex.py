"""FreeSWITCH's regular expressions, which peers give us: whatever they are, they take little time, and not the GIL."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch import FreeSwitch
from mod_erlang_py.switch.freeswitch.ffi import without_gil
from mod_erlang_py.switch.freeswitch.structs import SUCCESS
from mod_erlang_py.switch.port import LogLine
from tests.in_switch.conftest import end_of_log
from tests.waiting import wait_until


def unbounded(expression: bytes, text: bytes) -> bool:
    return bool(without_gil().switch_regex_match(text, expression) == SUCCESS)


@pytest.mark.parametrize(
    ("expression", "matching", "other"),
    [
        (b"/foo/", b"a foo b", b"a fo b"),
        (b"/FOO/i", b"a foo b", b"a fo b"),
        (b"/a.b/s", b"a\nb", b"ab"),
        (b"/^a|b$/", b"xb", b"bx"),
        (b"/^(\\+?1)?\\d{10}$/", b"+15551234567", b"15551234567890"),
        (b"/(a)(b)?\\1/", b"xaax", b"ab"),
        (b"/a/b/", b"xa/by", b"ab"),
        (b"/(?i)FOO|bar/", b"foo", b"fo"),
        (b"/(?x) a b # c/", b"ab", b"a b"),
        (b"/\\Qa.b/", b"a.b", b"axb"),
        (b"/(*UTF8)^.$/", "ä".encode(), b"ab"),
        (b"/(*UTF8)(*UCP)^\\w+$/", "äö".encode(), b"\xff"),
        (b"/(*LIMIT_MATCH=99)^a*$/", b"a" * 50, b"b"),
        (b"/(*ANYCRLF)a$/", b"a\r\n", b"b"),
        (b"/a+(*COMMIT)b/", b"aab", b"aac"),
        (b"/^\\((?:[^()]|(?R))*\\)$|^\\(\\)$/", b"()", b"(("),
        (b"//", b"anything", None),
        (b"/\xff/", b"a\xffb", b"ab"),
    ],
)
def test_matches(switch: FreeSwitch, expression: bytes, matching: bytes, other: bytes | None) -> None:
    matches = switch.matcher(expression)
    assert unbounded(expression, matching)
    assert matches(matching)
    assert other is None or not matches(other)


@pytest.mark.parametrize("expression", [b"/(/", b"/a", b"a", b"", b"/", b"/*/", b"/a\0b/", b"/(*NO_SUCH)a/", b"/a)(b/"])
def test_what_is_none_is_refused(switch: FreeSwitch, expression: bytes) -> None:
    with pytest.raises(SwitchError, match="switch_regex"):
        switch.matcher(expression)


PIECES = [b"a", b"b", b".", b"^", b"$", b"(", b")", b"|", b"*", b"+", b"?", b"[ab]", b"[^a]", b"(?:", b"(?=", b"(?!"]
PIECES += [b"\\b", b"\\A", b"\\z", b"(?i)", b"\n", b"{2}", b"\\1", b"(?<=", b"(?>", b"\\K", b"\\G", b"(?m)"]


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), max_size=8), st.sampled_from([b"", b"i", b"s", b"is"]), st.data())
def test_the_same_as_without_a_bound(
    switch: FreeSwitch, pieces: list[bytes], flags: bytes, data: st.DataObject
) -> None:
    """Where that takes few steps."""
    expression = b"/" + b"".join(pieces) + b"/" + flags
    try:
        matches = switch.matcher(expression)
    except SwitchError:
        return
    for _ in range(3):
        text = data.draw(st.binary(max_size=6).map(lambda raw: bytes(b"abAB\n "[byte % 6] for byte in raw)))
        assert matches(text) == unbounded(expression, text), (expression, text)


LONG = 65_536


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (b"/foo/", True),
        (b"/^foo/", False),
        (b"/foo$/", True),
        (b"/^.*foo$/", True),
        (b"/.*foo/", True),
        (b"/foo|bar/", True),
        (b"/FOO/i", True),
        (b"/[0-9]{4}/", False),
        (b"/\\bfoo\\b/", True),
        (b"/^sip:.*@.*foo/", True),
        (b"/tag=.*foo/", True),
        (b"/(foo|bar)+$/", True),
    ],
)
def test_a_long_text(switch: FreeSwitch, expression: bytes, found: bool) -> None:
    text = (b"sip:100@example.com;tag=abc, " * (LONG // 29 + 1))[: LONG - 4] + b" foo"
    assert unbounded(expression, text) == found
    assert switch.matcher(expression)(text) == found


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (b"/(a+)+c|b$/", b"a" * 20 + b"b"),  # two to the power of 20
        (b"/a.*[^ac]|c$/", b"a" * 3000 + b"c"),  # at each of 3,000 places 3,000
        (b"/(*UTF8)(a+)+c|b$/", b"a" * 20 + b"b"),
        (b"/(?x)(a+)+c|b$#/", b"a" * 20 + b"b"),
    ],
)
def test_the_work_is_bounded(switch: FreeSwitch, expression: bytes, text: bytes, log_lines: list[LogLine]) -> None:
    """One that matches only after more steps than there are: so it is seen that they were not done. Without a
    line in the log."""
    assert unbounded(expression, text)
    assert not switch.matcher(expression)(text)
    end_of_log(log_lines)
    assert [line.text for line in log_lines if b"egular" in line.text] == []


@pytest.fixture
def no_switching() -> Iterator[None]:
    """Python switches threads only where one lets go of the GIL."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(before)


def another_runs_during(work: Callable[[], object]) -> bool:
    """Whether a thread that is ready got the GIL meanwhile."""
    ran: list[int] = []
    go = threading.Lock()
    go.acquire()

    def run() -> None:
        with go:
            ran.append(1)

    other = threading.Thread(target=run)
    other.start()
    go.release()
    work()
    during = bool(ran)
    other.join()
    return during


@pytest.mark.usefixtures("no_switching")
def test_matching_lets_go_of_the_gil(switch: FreeSwitch) -> None:
    matches = switch.matcher(b"/(a+)+$/")
    wait_until(lambda: another_runs_during(lambda: matches(b"a" * 32 + b"b")))
    assert not another_runs_during(lambda: sum(range(100_000)))


@pytest.mark.usefixtures("no_switching")
def test_compiling_lets_go_of_the_gil(switch: FreeSwitch) -> None:
    """One that is wrong at its very end: nothing but compiling is done."""
    expression = b"/" + b"|".join(b"(?:a{1,20}b%d)" % number for number in range(1000)) + b"(/"

    def compile_it() -> None:
        with pytest.raises(SwitchError):
            switch.matcher(expression)

    wait_until(lambda: another_runs_during(compile_it))
