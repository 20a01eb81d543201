"""Header filters: those of a node's event handler (handle_msg_filter in handle_msg.c, event_handler in
mod_erlang_event.c), and the conditions that a subscription of one's own may have instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from mod_erlang_py.errors import SwitchError, TooMuch
from mod_erlang_py.etf.event import url_decode
from mod_erlang_py.switch.port import Received

Matcher: TypeAlias = Callable[[bytes], bool]
"""Whether a header's value matches."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A test of one header. value: as it was written, `[+-]value` or `[+-]/regular expression/`."""

    header: bytes
    value: bytes
    keep: bool
    matches: Matcher

    @property
    def words(self) -> tuple[bytes, ...]:
        """For people."""
        return self.header, self.value

    @property
    def is_regex(self) -> bool:
        return self.value.lstrip(b"+- ").startswith(b"/")

    def passes(self, found: bytes | None) -> bool:
        """An event without the header passes."""
        return found is None or self.matches(found) is self.keep


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one header, with the value that an event shows, URL-decoded. holds: given that, or None where the
    header is not."""

    header: bytes
    operator: str
    value: bytes
    holds: Callable[[bytes | None], bool]

    @property
    def words(self) -> tuple[bytes, ...]:
        """For people."""
        return self.header, self.operator.encode(), self.value

    @property
    def is_regex(self) -> bool:
        return self.operator == "regex"


@dataclass(frozen=True, slots=True)
class Added:
    filter: Filter


@dataclass(frozen=True, slots=True)
class Deleted:
    """header: b"all" for every filter. value: b"" for every filter of the header."""

    header: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Invalid:
    """A command that is none; nothing was changed."""


MAX_TESTS = 1000
"""Of one subscription."""
MAX_REGEXES = 25
"""Of these: each may take 2 ms of an event."""
FEW = 8
"""Headers that are looked for one by one; for more of them, those of the event are gone through once."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The tests that an event has to pass, all of them."""

    tests: tuple[Filter | Condition, ...] = ()
    has_regexes: bool = field(init=False, repr=False, compare=False)
    _by_header: dict[bytes, list[Filter | Condition]] = field(init=False, repr=False, compare=False)
    _conditions: tuple[Condition, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_header: dict[bytes, list[Filter | Condition]] = {}
        for one in self.tests:
            by_header.setdefault(one.header.lower(), []).append(one)
        object.__setattr__(self, "has_regexes", any(one.is_regex for one in self.tests))
        object.__setattr__(self, "_by_header", by_header)
        object.__setattr__(self, "_conditions", tuple(one for one in self.tests if isinstance(one, Condition)))

    def __iter__(self) -> Iterator[Filter | Condition]:
        return iter(self.tests)

    def __len__(self) -> int:
        return len(self.tests)

    def passes(self, received: Received) -> bool:
        """Whether the event is to be sent. What does not depend on it costs nothing: a thousand tests of headers that
        it has not are as good as one."""
        if len(self._by_header) <= FEW:
            return all(_pass(tests, received.header(name)) for name, tests in self._by_header.items())
        found: dict[bytes, bytes] = {}
        for name, value in received.headers():
            if (lower := name.lower()) in self._by_header:
                found.setdefault(lower, value)
        passed = all(_pass(self._by_header[name], value) for name, value in found.items())
        return passed and all(one.holds(None) for one in self._conditions if one.header.lower() not in found)


def _pass(tests: Iterable[Filter | Condition], found: bytes | None) -> bool:
    """found: the value of the header that they are about; decoded once for all of them, if need be."""
    shown = None
    for one in tests:
        if isinstance(one, Filter):
            passes = one.passes(found)
        else:
            if shown is None and found is not None:
                shown = url_decode(found)
            passes = one.holds(shown)
        if not passes:
            return False
    return True


NO_FILTERS = Filters()
Command: TypeAlias = "Added | Deleted | Invalid"


def command(text: bytes, matcher: Callable[[bytes], Matcher]) -> Command:
    """`Header value`, `add Header value`, `delete Header [value]` or `delete all`.

    matcher: the switch's, for regular expressions; may take its time.
    """
    word, _, rest = text.lstrip(b" ").partition(b" ")
    if word.lower() == b"delete" and rest:
        header, _, value = rest.partition(b" ")
        return Deleted(header, value)
    if word.lower() == b"add":
        word, _, rest = rest.partition(b" ")
    if not word or not rest:
        return Invalid()
    try:
        return Added(_filter(word, rest, matcher))
    except SwitchError:
        return Invalid()


def after(filters: Filters, commands: Iterable[Command]) -> Filters:
    """The filters, once the commands have been carried out. Raises TooMuch."""
    tests = [(one.header.lower(), one) for one in filters]
    for one in commands:
        match one:
            case Added(added):
                tests.append((added.header.lower(), added))
            case Deleted(header, value):
                tests = _without(tests, header.lower(), value)
    left = tuple(one for _, one in tests)
    return checked(Filters(left)) if left != filters.tests else filters


def checked(filters: Filters) -> Filters:
    """They, if they are not too many. Raises TooMuch."""
    if len(filters) > MAX_TESTS:
        raise TooMuch("filter", f"up to {MAX_TESTS} tests in all")
    if sum(one.is_regex for one in filters) > MAX_REGEXES:
        raise TooMuch("filter", f"up to {MAX_REGEXES} regular expressions in all")
    return filters


_Named: TypeAlias = "tuple[bytes, Filter | Condition]"
"""A test, behind the name of its header in small letters."""


def _without(tests: list[_Named], header: bytes, value: bytes) -> list[_Named]:
    if header == b"all":
        return []
    return [(name, one) for name, one in tests if name != header or (value and one.value != value)]


def _filter(header: bytes, value: bytes, matcher: Callable[[bytes], Matcher]) -> Filter:
    keep = True
    test = value
    while test[:1] in (b"+", b"-", b" ") and test:
        if test[:1] != b" ":
            keep = test[:1] == b"+"
        test = test[1:]
    if not test:
        return Filter(header, value, keep, lambda _: True)  # only the header's presence counts
    if test.startswith(b"/"):
        return Filter(header, value, keep, matcher(test))
    wanted = test.lower()
    return Filter(header, value, keep, lambda found: found.lower() == wanted)


def condition(header: bytes, operator: str, value: bytes, matcher: Callable[[bytes], Matcher]) -> Condition:
    """One of the OPERATORS; of `exists` the value is b"true" or b"false".

    matcher: the switch's, for regular expressions; may take its time. Raises SwitchError.
    """
    if operator == "regex":
        matches = matcher(b"/" + value + b"/")
        return Condition(header, operator, value, lambda found: found is not None and matches(found))
    return Condition(header, operator, value, _HOLDS[operator](value))


_HOLDS: dict[str, Callable[[bytes], Callable[[bytes | None], bool]]] = {
    "==": lambda value: lambda found: found == value,
    "/=": lambda value: lambda found: found != value,
    "prefix": lambda value: lambda found: found is not None and found.startswith(value),
    "exists": lambda value: lambda found: (found is not None) is (value == b"true"),
}

OPERATORS = (*_HOLDS, "regex")
