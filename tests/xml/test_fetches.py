"""Look-ups, and who answers them."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mod_erlang_py.distribution.connection import Frames
from mod_erlang_py.errors import Exhausted
from mod_erlang_py.etf import Binary, Pid
from mod_erlang_py.etf.event import EventEncoder
from mod_erlang_py.switch.port import Event, Fetch, Section
from mod_erlang_py.switch.simulated import SimulatedSwitch
from mod_erlang_py.xml.answerers import MOMENT, STALLED
from mod_erlang_py.xml.fetches import MAX_BOUND, Fetches, Verdict
from mod_erlang_py.xml.limits import BadXml, Limits
from tests.fakes import FakeLink, FakeOutbox
from tests.waiting import wait_until

LIMITS = Limits(1000, 100, 50, 50)
MOST = 1000
"""Look-ups under way."""
TIMEOUT = 60.0
"""Seconds; a test that waited for so long has failed: found() is asked for before."""
USER = b'<user id="7"/>'
PARAMS = Event("REQUEST_PARAMS", [(b"user", b"7"), (b"domain", b"example.com")])
ASKED = Fetch("directory", b"domain", b"name", b"example.com", PARAMS)


class Outbox(FakeOutbox):
    stalled = 0.0

    def put(self, frame: bytes) -> None:
        self.offer([Frames((frame, b""), 1, len(frame))])


class Peer(FakeLink):
    outbox: Outbox

    def __init__(self, name: str = "peer@localhost") -> None:
        super().__init__(name)
        self.outbox = Outbox()

    def question(self, count: int = 1) -> str:
        """The identifier of the look-up that was asked last, once there are so many."""
        return bytes(self.wait_for(count)[-1][1][5]).decode()


class Look(threading.Thread):
    """A look-up in a thread of its own."""

    def __init__(self, fetches: Fetches, fetch: Fetch = ASKED) -> None:
        super().__init__(daemon=True)
        self._look = (fetches, fetch)
        self._found: bytes | None = None
        self.start()

    def run(self) -> None:
        fetches, fetch = self._look
        self._found = fetches.answer(fetch)

    def found(self) -> bytes | None:
        self.join(10)
        assert not self.is_alive()
        return self._found


class Bench:
    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.switch = SimulatedSwitch(log_to=io.StringIO())
        self.fetches = Fetches(self.switch, EventEncoder(False).headers, lambda text: text, timeout, MOST, LIMITS, True)
        self.fetches.start()

    def peer(self, *more: Pid, sections: Section = Section.DIRECTORY, name: str = "peer@localhost") -> Peer:
        """A link whose process is bound."""
        peer = Peer(name)
        for pid in (peer.pid, *more):
            self.fetches.bind(peer.link, pid, sections)
        return peer

    def reply(self, peer: Peer, identifier: str, text: bytes = USER, pid: Pid | None = None) -> Verdict:
        return self.fetches.reply(identifier, peer.link, pid or peer.pid, text)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.fetches.stop()


class Clock:
    """Stands for the module `time`. Each look at it takes `passes` seconds: with TIMEOUT, look-ups are over at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.passes = 0.0

    def monotonic(self) -> float:
        self.now += self.passes
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("mod_erlang_py.xml.fetches.time", clock)
    return clock


def frozen_peer(bench: Bench, clock: Clock, name: str = "peer@localhost") -> Peer:
    """One that gave no answer in the time that a look-up has, and owes it from now on."""
    frozen = bench.peer(name=name)
    clock.passes = TIMEOUT
    assert Look(bench.fetches).found() is None
    clock.passes = 0.0
    return frozen


def test_too_many_at_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A further one finds nothing, and nobody is asked; once one has ended there is room again."""
    bench.fetches.configure(TIMEOUT, 1, LIMITS, False)
    peer = bench.peer()
    first = Look(bench.fetches)
    ((_, question),) = peer.wait_for(1)
    other = bench.peer(sections=Section.DIALPLAN, name="other@localhost")
    assert bench.fetches.answer(replace(ASKED, section="dialplan")) is None
    assert bench.fetches.answer(replace(ASKED, section="languages")) is None  # nobody is bound
    assert [len(one.messages()) for one in (peer, other)] == [1, 0]
    assert bench.fetches._bindings[other.pid]._asked is None  # it owes no answer
    assert "max-fetches: 1 look-ups are under way already: one for dialplan finds nothing" in caplog.text
    assert caplog.text.count("max-fetches") == 1
    assert (bench.fetches.asked, len(bench.fetches._pending)) == (1, 1)
    bench.reply(peer, question[5].decode())
    assert first.found() is not None
    second = Look(bench.fetches)
    bench.reply(peer, peer.wait_for(2)[1][1][5].decode())
    assert second.found() is not None


def test_nobody_is_bound(bench: Bench) -> None:
    assert bench.fetches.answer(ASKED) is None
    peer = bench.peer(sections=Section.DIALPLAN)
    assert bench.fetches.answer(ASKED) is None
    assert peer.messages() == []


def test_the_question(bench: Bench) -> None:
    peer = bench.peer()
    look = Look(bench.fetches)
    ((to, question),) = peer.wait_for(1)
    assert to == peer.pid
    assert question[0].value == "fetch"
    assert question[1].value == "directory"
    assert question[2:5] == (b"domain", b"name", b"example.com")
    assert len(question[5]) == 36
    assert question[6] == [None, (b"user", b"7"), (b"domain", b"example.com")]
    assert bench.reply(peer, question[5].decode()) == Verdict.TAKEN
    found = look.found()
    assert found is not None
    assert USER in found


def test_what_the_switch_does_not_say(bench: Bench) -> None:
    peer = bench.peer(sections=Section.CONFIG)
    look = Look(bench.fetches, Fetch("configuration", None, None, None, None))
    ((_, question),) = peer.wait_for(1)
    assert question[2:5] == (b"undefined",) * 3
    assert question[6] == []
    bench.reply(peer, question[5].decode(), b"")
    assert look.found() is None


def test_binaries() -> None:
    bench = Bench()
    bench.fetches = Fetches(bench.switch, EventEncoder(True).headers, Binary, TIMEOUT, MOST, LIMITS, False)
    peer = bench.peer()
    look = Look(bench.fetches)
    question: Any = peer.wait_for(1)[0][1]
    assert all(isinstance(text, Binary) for text in question[2:6])
    assert question[2].value == b"domain"
    bench.fetches.down(peer.link)
    assert look.found() is None


def test_the_first_good_answer_counts(bench: Bench) -> None:
    one, two = bench.peer(name="one@localhost"), bench.peer(name="two@localhost")
    look = Look(bench.fetches)
    identifier = one.question()
    assert two.question() == identifier
    assert bench.reply(two, identifier, b'<user id="two"/>') == Verdict.TAKEN
    assert bench.reply(one, identifier, b'<user id="one"/>') == Verdict.DUPLICATE
    assert bench.reply(two, identifier, b"") == Verdict.DUPLICATE
    found = look.found()
    assert found is not None
    assert b'id="two"' in found
    assert bench.reply(two, identifier) == Verdict.DUPLICATE
    assert bench.reply(two, "nosuch") == Verdict.UNKNOWN


def test_over_when_everybody_has_nothing(bench: Bench) -> None:
    one, two = bench.peer(name="one@localhost"), bench.peer(name="two@localhost")
    look = Look(bench.fetches)
    identifier = one.question()
    assert bench.reply(one, identifier, b" \n") == Verdict.TAKEN
    with pytest.raises(BadXml):
        bench.reply(two, identifier, b"<user")
    assert look.found() is None
    assert bench.reply(one, identifier) == Verdict.UNKNOWN


def test_nothing_twice_does_not_take_anothers_chance(bench: Bench) -> None:
    peer = Peer()
    for pid in (peer.pid, peer.other):
        bench.fetches.bind(peer.link, pid, Section.DIRECTORY)
    look = Look(bench.fetches)
    identifier = peer.question(2)
    for _ in range(3):
        assert bench.reply(peer, identifier, b"") == Verdict.TAKEN
    assert bench.reply(peer, identifier, USER, peer.other) == Verdict.TAKEN
    assert look.found() is not None


def test_another_process_answers_for_one_of_its_node(bench: Bench) -> None:
    one, two = bench.peer(name="one@localhost"), bench.peer(name="two@localhost")
    look = Look(bench.fetches)
    identifier = one.question()
    two.question()
    bench.reply(one, identifier, b"", one.other)
    bench.reply(one, identifier, b"", one.other)  # only for its own node
    assert look.is_alive()
    bench.reply(two, identifier, b"", two.other)
    assert look.found() is None


def test_too_long(bench: Bench) -> None:
    peer = bench.peer()
    look = Look(bench.fetches)
    with pytest.raises(BadXml, match="1013 bytes, the limit is 1000"):
        bench.reply(peer, peer.question(), b"<user>" + b"x" * 1000 + b"</user>")
    assert look.found() is None


def test_one_too_long_is_not_gone_through_for_variables(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(bench.switch, "variable", lambda name: asked.append(name))
    peer = bench.peer()
    look = Look(bench.fetches)
    with pytest.raises(BadXml, match="the limit is"):
        bench.reply(peer, peer.question(), b"$${x}" * LIMITS.length)
    assert look.found() is None
    assert asked == []


def test_what_cannot_be_read_is_an_answer_too(bench: Bench) -> None:
    one, two = bench.peer(name="one@localhost"), bench.peer(name="two@localhost")
    look = Look(bench.fetches)
    identifier = one.question()
    bench.fetches.unreadable(identifier, one.link, one.pid)
    bench.fetches.unreadable("nosuch", two.link, two.pid)
    assert look.is_alive()
    bench.fetches.unreadable(identifier, two.link, None)
    assert look.found() is None


def test_what_an_answer_sets_counts_when_it_does(bench: Bench) -> None:
    """Not with an answer that is refused, comes second, or has nothing."""
    peer, other = Peer(), Peer("other@localhost")
    for one in (peer, other):
        bench.fetches.bind(one.link, one.pid, Section.DIRECTORY)
    look = Look(bench.fetches)
    identifier = peer.question()
    setting = b'<X-PRE-PROCESS cmd="set" data="%s=1"/>'
    with pytest.raises(BadXml):
        bench.reply(peer, identifier, setting % b"refused" + b"<user")
    bench.reply(peer, identifier, setting % b"empty")
    assert bench.reply(other, identifier, setting % b"taken" + b'<user id="$${taken}"/>') == Verdict.TAKEN
    assert bench.reply(peer, identifier, setting % b"late" + USER) == Verdict.DUPLICATE
    found = look.found()
    assert found is not None
    assert b'id="1"' in found
    known = [bench.switch.variable(name) for name in (b"refused", b"empty", b"late", b"taken")]
    assert known == [None, None, None, b"1"]


def test_the_timeout(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(timeout=0.1)
    peer = bench.peer()
    look = Look(bench.fetches)
    identifier = peer.question()
    assert look.found() is None
    assert [one.levelname for one in caplog.records if f"XML fetch response for {identifier}" in one.message] == [
        "WARNING"
    ]
    assert bench.reply(peer, identifier) == Verdict.UNKNOWN


def test_who_answered_is_forgotten_after_a_while(bench: Bench, clock: Clock) -> None:
    peer = bench.peer()
    first = ""
    for count in (1, 2):
        look = Look(bench.fetches)
        identifier = peer.question(count)
        assert bench.reply(peer, identifier) == Verdict.TAKEN
        assert look.found() is not None
        first = first or identifier
        assert bench.reply(peer, identifier) == Verdict.DUPLICATE
        clock.now += TIMEOUT + 1
    assert bench.reply(peer, first) == Verdict.UNKNOWN


@pytest.mark.parametrize("unbound", [False, True])
@pytest.mark.parametrize("how", ["exited", "down"])
def test_who_goes_is_not_waited_for(bench: Bench, how: str, unbound: bool) -> None:
    """Nor who unbound itself in the middle."""
    peer = bench.peer()
    look = Look(bench.fetches)
    peer.question()
    if unbound:
        bench.fetches.unbind(peer.pid, None)
        assert look.is_alive()
    if how == "exited":
        bench.fetches.exited(peer.pid)
    else:
        peer.ended = True
        bench.fetches.down(peer.link)
    assert look.found() is None
    assert bench.fetches.bindings() == []
    assert bench.fetches.answer(ASKED) is None


def test_who_takes_nothing_is_not_asked(bench: Bench) -> None:
    stuck = bench.peer(name="stuck@localhost")
    stuck.outbox.stalled = STALLED
    assert bench.fetches.answer(ASKED) is None
    good = bench.peer(name="good@localhost")
    look = Look(bench.fetches)
    bench.reply(good, good.question())
    assert look.found() is not None
    assert stuck.messages() == []


def test_who_owes_an_answer_is_not_asked(bench: Bench, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """But for a moment, until he gave one; those who owe none are asked as before."""
    frozen = frozen_peer(bench, clock, "frozen@localhost")
    owed = frozen.question()
    assert f"no answer of {frozen.pid}" in caplog.text
    clock.passes = 2 * MOMENT
    assert Look(bench.fetches).found() is None
    clock.passes = 0.0
    assert (len(frozen.messages()), bench.fetches.timed_out) == (2, 2)  # for a moment
    assert bench.fetches.answer(ASKED) is None
    assert (len(frozen.messages()), bench.fetches.timed_out) == (2, 2)
    good = bench.peer(name="good@localhost")
    look = Look(bench.fetches)
    bench.reply(good, good.question())
    assert look.found() is not None
    look = Look(bench.fetches)
    bench.reply(good, good.question(2), b"")
    assert look.found() is None
    assert len(frozen.messages()) == 2
    assert bench.reply(frozen, owed) == Verdict.UNKNOWN  # too late; but it is there again
    look = Look(bench.fetches)
    bench.reply(frozen, frozen.question(3))
    assert look.found() is not None


def test_who_is_asked_for_a_moment_holds_up_nobody_else(bench: Bench, clock: Clock) -> None:
    """What the others do not have is found by nobody, then, as soon as the moment is over; what comes late counts
    while they are waited for."""
    frozen = frozen_peer(bench, clock, "frozen@localhost")
    good = bench.peer(name="good@localhost")
    look = Look(bench.fetches)
    bench.reply(good, good.question(), b"")
    assert look.found() is None
    assert bench.fetches.timed_out == 1  # the first
    clock.now += TIMEOUT
    look = Look(bench.fetches)
    late = frozen.question(3)
    pending = bench.fetches._pending[late]
    wait_until(lambda: list(pending.waiting) == [good.pid])  # the moment is over
    assert bench.reply(frozen, late) == Verdict.TAKEN
    assert look.found() is not None


@pytest.mark.parametrize("by", ["itself", "its node", "something unreadable"])
def test_how_an_answer_is_given(bench: Bench, clock: Clock, by: str) -> None:
    peer = frozen_peer(bench, clock)
    owed = peer.question()
    if by == "something unreadable":
        bench.fetches.unreadable(owed, peer.link, peer.pid)
    else:
        bench.reply(peer, owed, pid=peer.pid if by == "itself" else peer.other)
    began = time.monotonic()
    look = Look(bench.fetches)
    wait_until(lambda: time.monotonic() - began > MOMENT + 0.1)
    bench.reply(peer, peer.question(2))
    assert look.found() is not None


def test_a_link_that_ends_while_it_is_asked(bench: Bench) -> None:
    peer = bench.peer()
    peer.ended = True  # its down() is about to come
    look = Look(bench.fetches)
    assert look.found() is None
    bench.fetches.bind(peer.link, peer.other, Section.DIRECTORY)
    assert [pid for pid, _ in bench.fetches.bindings()] == [peer.pid]


def test_too_many_processes_of_a_node(bench: Bench) -> None:
    """Who is bound may bind more; others' nodes, and who comes after one has gone, are bound."""
    pids = [Pid("peer@localhost", number, 0, 1) for number in range(1000, 1001 + MAX_BOUND)]
    peer = bench.peer(*pids[: MAX_BOUND - 1])
    with pytest.raises(Exhausted, match="1000 processes of peer@localhost are bound to look-ups"):
        bench.fetches.bind(peer.link, pids[-1], Section.DIRECTORY)
    bench.fetches.bind(peer.link, peer.pid, Section.DIALPLAN)
    bench.peer(name="other@localhost")
    bench.fetches.unbind(peer.pid, None)
    bench.fetches.bind(peer.link, pids[-1], Section.DIRECTORY)
    assert len(bench.fetches.bindings()) == MAX_BOUND + 1


def test_bindings_add_up_and_the_switch_is_asked_for_those_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[Section] = []
    assert bench.fetches._binding is not None
    monkeypatch.setattr(bench.fetches._binding, "want", wanted.append)
    peer = bench.peer()
    bench.fetches.bind(peer.link, peer.pid, Section.DIALPLAN)
    assert bench.fetches.bindings() == [(peer.pid, Section.DIRECTORY | Section.DIALPLAN)]
    bench.fetches.unbind(peer.pid, Section.DIRECTORY | Section.CONFIG)
    bench.fetches.unbind(peer.other, None)
    assert bench.fetches.bindings() == [(peer.pid, Section.DIALPLAN)]
    bench.fetches.unbind(peer.pid, Section.DIALPLAN)
    assert bench.fetches.bindings() == []
    assert wanted == [
        Section.DIRECTORY,
        Section.DIRECTORY | Section.DIALPLAN,
        Section.DIALPLAN,
        Section(0),
    ]


def test_stop_ends_look_ups() -> None:
    bench = Bench()
    peer = bench.peer()
    looks = [Look(bench.fetches) for _ in range(5)]
    peer.wait_for(5)
    bench.fetches.stop()
    assert [look.found() for look in looks] == [None] * 5
    assert bench.fetches.answer(ASKED) is None


def test_many_at_once(bench: Bench) -> None:
    peer = bench.peer()
    looks = [Look(bench.fetches) for _ in range(100)]
    for _, question in peer.wait_for(100):
        identifier = question[5].decode()
        assert bench.reply(peer, identifier, b'<user id="%s"/>' % identifier.encode()) == Verdict.TAKEN
    found = [look.found() for look in looks]
    assert len(set(found)) == 100
    assert None not in found
    wait_until(lambda: not bench.fetches._pending)


def test_what_became_of_look_ups_is_counted(bench: Bench) -> None:
    fetches = bench.fetches
    peer = bench.peer()
    answered = Look(fetches)
    bench.reply(peer, peer.question())
    assert answered.found() is not None
    unknown = Look(fetches)
    bench.reply(peer, peer.question(2), b"")
    assert unknown.found() is None
    fetches.configure(0.05, MOST, LIMITS, False)
    assert Look(fetches).found() is None  # for want of an answer
    assert Look(fetches, Fetch("dialplan", None, None, None, None)).found() is None  # nobody is asked
    assert (fetches.asked, fetches.answered, fetches.timed_out) == (3, 1, 1)
