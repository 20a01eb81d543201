"""What is too much in one request is refused before any work is done for it: an answer, one line, and nothing else."""

from __future__ import annotations

import logging
import time

import pytest

from mod_erlang_py.errors import TooMuch
from mod_erlang_py.etf import Atom, Term
from mod_erlang_py.etf.event import url_decode, url_escape
from mod_erlang_py.events import filters
from mod_erlang_py.events.filters import MAX_REGEXES, MAX_TESTS, NO_FILTERS, Filters
from mod_erlang_py.events.interest import MAX_SUBCLASSES, NOTHING, Names
from mod_erlang_py.requests import arguments, bounds
from tests.requests.asking import Bench

CUSTOM = Atom("CUSTOM")


def headers(*pairs: tuple[bytes, bytes]) -> Term:
    return (Atom("sendevent"), CUSTOM, b"a::b", list(pairs))


TOO_MUCH = {
    "arguments": ((Atom("api"), Atom("echo"), b"x" * (bounds.MAX_TEXT + 1)), b"a text: expected up to 1048576 bytes"),
    "in the background": ((Atom("bgapi"), Atom("echo"), b"x" * (bounds.MAX_TEXT + 1)), b"a text"),
    "of a call's application": ((Atom("execute"), b"call", b"app", b"x" * (bounds.MAX_TEXT + 1)), b"a text"),
    "as JSON": ((Atom("json_api"), {b"data": b"\n" * (bounds.MAX_TEXT // 2)}), b"json_api"),
    "names of events": ((Atom("event"), *[b"E%d" % i for i in range(bounds.MAX_NAMES + 1)]), b"events"),
    "names not wanted": ((Atom("nixevent"), *[b"E%d" % i for i in range(bounds.MAX_NAMES + 1)]), b"events"),
    "names for a call": ((Atom("session_event"), *[b"E%d" % i for i in range(bounds.MAX_NAMES + 1)]), b"events"),
    "a long name": ((Atom("event"), b"E" * (bounds.MAX_NAME + 1)), b"events"),
    "a long subclass": ((Atom("setevent"), CUSTOM, b"s" * (bounds.MAX_NAME + 1)), b"events"),
    "a long subclass, fired": ((Atom("sendevent"), CUSTOM, b"s" * (bounds.MAX_NAME + 1), []), b"events"),
    "a long event, fired": ((Atom("sendevent"), b"s" * (bounds.MAX_NAME + 1), []), b"events"),
    "subscribed to": ((Atom("subscribe"), [b"E"] * (bounds.MAX_NAMES + 1)), b"events"),
    "options": ((Atom("subscribe"), Atom("all"), [(Atom("ack"), 1)] * (bounds.MAX_OPTIONS + 1)), b"options"),
    "filters": ((Atom("filter"), *[b"A b"] * (bounds.MAX_FILTERS + 1)), b"filter"),
    "a long filter": ((Atom("filter"), b"A " + b"b" * bounds.MAX_FILTER), b"filter"),
    "headers": (headers(*[(b"a", b"b")] * (bounds.MAX_HEADERS + 1)), b"headers: expected up to 1000"),
    "bytes of headers": (headers((b"a", b"b" * bounds.MAX_HEADER_BYTES)), b"headers: expected up to 1048576 bytes"),
    "a body": (headers((b"body", b"b" * (bounds.MAX_TEXT + 1))), b"a text"),
    "an array": (headers((b"a", b"ARRAY::" + b"|:".join([b"b"] * (bounds.MAX_ELEMENTS + 1)))), b"arrays"),
    "bytes of an array": (headers((b"a[1]", b"b" * (bounds.MAX_ELEMENT_BYTES + 1))), b"arrays"),
    "in a command": ((Atom("sendmsg"), b"call", [(b"a", b"b")] * (bounds.MAX_HEADERS + 1)), b"headers"),
}


@pytest.mark.parametrize(("term", "expected"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much(bench: Bench, term: Term, expected: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    ((error, (badarg, said)),) = bench.ask(term)
    assert (error.value, badarg.value) == ("error", "badarg")
    assert said.startswith(expected)
    (line,) = caplog.records
    assert line.levelname == "WARNING"
    assert line.getMessage().endswith(f"refused: {said.decode()}")
    assert bench.switch.executed == []
    assert bench.switch.fired.empty()
    assert bench.switch.looked_for == 0


def test_as_much_as_may_be() -> None:
    pairs = [(b"h%d" % number, b"v") for number in range(bounds.MAX_HEADERS - 2)]
    pairs += [(b"body", b"b" * bounds.MAX_TEXT), (b"a", b"ARRAY::" + b"|:".join([b"b"] * bounds.MAX_ELEMENTS))]
    assert arguments.headers(pairs) == pairs


def test_an_interest_grows_so_far() -> None:
    many = Names(frozenset({"CUSTOM"}), frozenset(b"s%d" % number for number in range(MAX_SUBCLASSES)))
    interest = NOTHING.add(many).add(many)
    with pytest.raises(TooMuch):
        interest.add(Names(frozenset({"CUSTOM"}), frozenset({b"one more"})))


def added(text: bytes) -> filters.Added:
    done = filters.command(text, lambda _: lambda _: True)
    assert isinstance(done, filters.Added)
    return done


def test_filters_grow_so_far() -> None:
    tests = filters.after(NO_FILTERS, [added(b"H%d v" % number) for number in range(MAX_TESTS)])
    with pytest.raises(TooMuch):
        filters.after(tests, [added(b"one more")])
    again = filters.after(tests, [filters.Deleted(b"h1", b""), added(b"one more")])
    assert len(again) == MAX_TESTS


@pytest.mark.parametrize("text", [b"A /b/", b"A -/b/", b"A + /b/"])
def test_of_them_so_many_regular_expressions(text: bytes) -> None:
    tests = filters.after(NO_FILTERS, [added(text)] * MAX_REGEXES)
    with pytest.raises(TooMuch):
        filters.after(tests, [added(text)])


def test_a_value_is_decoded_once_for_all_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def counted(value: bytes) -> bytes:
        decoded.append(value)
        return url_decode(value)

    monkeypatch.setattr(filters, "url_decode", counted)
    tests = [filters.condition(b"a", "prefix", b"x", lambda _: lambda _: True)] * 9
    received = _Event()
    assert Filters(tuple(tests)).passes(received)  # type: ignore[arg-type]
    assert decoded == [b"%78y"]


class _Event:
    def header(self, name: bytes) -> bytes:
        assert name == b"a"
        return b"%78y"


def test_escaping_is_linear() -> None:
    """A value of nothing but escapes took 5 s, with Python's lock held."""

    def seconds(value: bytes) -> float:
        began = time.thread_time()
        assert url_decode(url_escape(value)) == value
        return time.thread_time() - began

    for escapes in (b"%41", b"% 4", b"%%", b"%4%"):
        small = min(seconds(escapes * 5_000) for _ in range(3))
        assert seconds(escapes * 50_000) < 30 * small, escapes
