"""Who has a call, whatever happens at once. What peers can see of it: tests/peers/test_calls.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from mod_erlang_py import etf
from mod_erlang_py.calls.asking import Found
from mod_erlang_py.calls.calls import Call, Calls
from mod_erlang_py.calls.loads import Loads
from mod_erlang_py.calls.waiting import HungUp, NoAnswer, Taken, Waiting
from mod_erlang_py.config.disposition import Continue
from mod_erlang_py.etf import Atom, Pid, Term
from mod_erlang_py.etf.event import EventEncoder
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Event, Form
from tests.events.pumping import Bench as EventBench
from tests.events.pumping import settled
from tests.fakes import FakeLink

UUID = "5f0d8f4e-3f5b-4a5e-9c77-1f3f5d3c9a10"


class Session:
    """locks: how often it was soft-locked, less how often that was undone."""

    uuid = UUID

    def __init__(self) -> None:
        self.hung_up = False
        self.locked = False
        self.let_go_of = 0

    def data(self) -> Event:
        return Event("CHANNEL_DATA", ((b"Unique-ID", UUID.encode()),))

    def has_hung_up(self) -> bool:
        return self.hung_up

    def variable(self, name: str) -> bytes | None:
        return None

    def soft_lock(self, seconds: int) -> None:
        self.locked = True

    def soft_unlock(self) -> None:
        self.locked = False


class Asking:
    """Finds a registered process as a test says. gone: those that end before they have a call."""

    def __init__(self) -> None:
        self.named: Callable[[Waiting, Target], Found] = lambda _, target: Found(target)
        self.gone: set[Target] = set()
        self.left: list[Found] = []

    def watch(self, found: Found, lost: Callable[[Term], None]) -> bool:
        return found.target not in self.gone

    def leave(self, found: Found) -> None:
        self.left.append(found)


class Bench:
    """One call in a switch, and those who want it."""

    def __init__(self) -> None:
        self.events = EventBench().start()
        self.session: Session | None = Session()
        self.asking = Asking()
        self.linked: list[Pid] = []
        self.loads = Loads()
        self.calls = Calls(
            cast(Any, self),
            cast(Any, self),
            self.events.subscriptions,
            cast(Any, self.asking),
            cast(Any, self),
            EventEncoder(False).headers,
            Form.STRING,
            lambda text: text,
            Continue(),
            self.loads,
        )
        self.one, self.two = FakeLink("one@localhost"), FakeLink("two@localhost")

    # the switch

    @contextmanager
    def locate(self, uuid: str, ended: bool = False) -> Iterator[Session | None]:
        yield self.session if uuid == UUID else None

    def sequence(self) -> int:
        return self.events.switch.sequence()

    def link(self, link: object, pid: Pid) -> None:
        self.linked.append(pid)

    def is_linked(self, link: object, pid: Pid) -> bool:
        return pid in self.linked

    def let_go(self, session: Session) -> None:
        session.let_go_of += 1

    def look_after(self) -> None:
        """Nobody is parked here."""

    def fire(self, name: str) -> None:
        self.events.fire(name, (b"Unique-ID", UUID.encode()))

    def hang_up(self) -> None:
        assert self.session is not None
        self.session.hung_up = True
        for name in ("CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"):
            self.fire(name)

    # those who want it

    def take(self, link: FakeLink) -> None:
        """`handlecall` by a process of a node."""
        attach = self.calls.handlecall(UUID, Target(link.link, link.pid))
        assert callable(attach), attach
        attach()

    def candidate(self) -> Call:
        """The dialplan asks for a process."""
        return self.calls.candidate(cast(Any, self.session), b"desk:! one@localhost")

    def give(self, call: Call, link: FakeLink) -> None:
        self.calls.attach(call, Found(Target(link.link, link.pid)), self.calls.data(cast(Any, self.session)))


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.events.stop()


def kinds(link: FakeLink) -> list[str]:
    """call, call_hangup, call_taken, and the events by their names."""
    found: list[Any] = [term for _, term in link.messages()]
    return [
        dict(term[1][1][1:])[b"Event-Name"].decode() if term[0] == Atom("call_event") else term[0].value
        for term in found
    ]


def test_an_end_that_somebody_forged(bench: Bench) -> None:
    """While its process is asked for, and afterwards: the switch knows better."""
    call = bench.candidate()
    ends = ["CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"]
    for name in ends:
        bench.fire(name)
    settled(bench.events)
    assert not call.waiting.hung_up
    bench.give(call, bench.one)
    for name in ends:
        bench.fire(name)
    settled(bench.events)
    assert kinds(bench.one) == ["call", *ends, *ends]
    bench.hang_up()
    settled(bench.events)
    assert kinds(bench.one)[-1] == "call_hangup"


def test_from_its_beginning_to_its_end(bench: Bench) -> None:
    call = bench.candidate()
    bench.fire("CHANNEL_STATE")
    bench.give(call, bench.one)
    bench.fire("CHANNEL_PARK")
    bench.hang_up()
    settled(bench.events)
    assert kinds(bench.one) == [
        "call",
        "CHANNEL_STATE",
        "CHANNEL_PARK",
        "CHANNEL_HANGUP",
        "CHANNEL_HANGUP_COMPLETE",
        "call_hangup",
    ]
    assert bench.session is not None
    assert not bench.session.locked
    assert (len(bench.calls), bench.calls.ever, bench.linked) == (0, 1, [bench.one.pid])


def test_it_ends_while_a_process_is_asked_for(bench: Bench) -> None:
    """Whoever has said that he takes it is told of both."""
    call = bench.candidate()
    bench.hang_up()
    settled(bench.events)
    with pytest.raises(HungUp):
        call.waiting.begin()
    bench.give(call, bench.one)
    settled(bench.events)
    assert kinds(bench.one)[0] == "call"
    assert kinds(bench.one)[-1] == "call_hangup"
    assert len(bench.calls) == 0


def test_another_process_takes_it(bench: Bench) -> None:
    bench.take(bench.one)
    bench.take(bench.two)
    bench.fire("CHANNEL_STATE")
    bench.hang_up()
    settled(bench.events)
    assert kinds(bench.one) == ["call", "call_taken"]
    assert bench.one.messages()[1][1] == (Atom("call_taken"), UUID.encode())
    assert kinds(bench.two)[:2] == ["call", "CHANNEL_STATE"]
    assert kinds(bench.two)[-1] == "call_hangup"
    assert bench.session is not None
    assert not bench.session.locked


def test_another_takes_it_before_it_could_be_given(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both were answered ok: the first is told that it has it no more."""
    attach = [bench.calls.handlecall(UUID, Target(link.link, link.pid)) for link in (bench.one, bench.two)]
    late, early = attach
    assert callable(late)
    assert callable(early)
    opening = bench.events.subscriptions.open

    def slow(*given: Any) -> bool:
        monkeypatch.undo()
        early()
        return opening(*given)

    monkeypatch.setattr(bench.events.subscriptions, "open", slow)
    late()
    bench.hang_up()
    settled(bench.events)
    assert kinds(bench.one) == ["call_taken"]
    assert [kinds(bench.two).count(kind) for kind in ("call", "call_hangup", "call_taken")] == [1, 1, 0]


def test_whoever_is_given_a_call_hears_of_its_end(bench: Bench) -> None:
    """Many take one call at once, and it ends: each `call` has its `call_hangup` or its `call_taken`."""
    for _ in range(30):
        bench.session = Session()
        links = [FakeLink(f"n{number}@localhost") for number in range(4)]
        barrier = threading.Barrier(len(links) + 1)

        def take(link: FakeLink, barrier: threading.Barrier = barrier) -> None:
            attach = bench.calls.handlecall(UUID, Target(link.link, link.pid))
            barrier.wait(10)
            if callable(attach):
                attach()

        threads = [threading.Thread(target=take, args=(link,)) for link in links]
        for thread in threads:
            thread.start()
        barrier.wait(10)
        bench.hang_up()
        for thread in threads:
            thread.join(10)
        settled(bench.events)
        for link in links:
            seen = kinds(link)
            assert len([kind for kind in seen if kind in ("call_hangup", "call_taken")]) == 1, seen
            assert seen.count("call") <= 1
        assert len(bench.calls) == 0
        assert not bench.session.locked


def test_another_takes_it_while_the_dialplan_asks_for_a_process(bench: Bench) -> None:
    """The search ends, and the call is the new one's: nobody hangs it up."""
    call = bench.candidate()
    bench.take(bench.two)
    with pytest.raises(Taken):
        call.waiting.begin()
    assert not bench.calls.withdraw(call)
    bench.fire("CHANNEL_STATE")
    settled(bench.events)
    assert kinds(bench.two) == ["call", "CHANNEL_STATE"]
    assert bench.session is not None
    assert bench.session.locked


def test_nobody_is_found_for_it(bench: Bench) -> None:
    call = bench.candidate()
    assert bench.calls.withdraw(call)
    assert bench.session is not None
    assert not bench.session.locked
    assert bench.events.subscriptions._of_calls == {}


@pytest.mark.parametrize("why", [NoAnswer("nobody of that name"), HungUp()])
def test_a_handlecall_that_fails_leaves_all_as_it_was(
    bench: Bench, why: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(waiting: Waiting, target: Target) -> Found:
        bench.fire("CHANNEL_STATE")
        raise why

    bench.take(bench.one)
    bench.asking.named = fail
    assert bench.calls.handlecall(UUID, Target(bench.two.link, "desk")) == "session_attach_failed"
    assert bench.calls.handlecall("nosuch", Target(bench.two.link, "desk")) == "badsession"
    bench.fire("CHANNEL_STATE")
    settled(bench.events)
    assert kinds(bench.one) == ["call", "CHANNEL_STATE", "CHANNEL_STATE"]
    assert kinds(bench.two) == []
    assert [getattr(record, "peer", None) for record in caplog.records] == [bench.two.link.name]
    assert bench.calls.of(bench.one.link) == [UUID]
    assert bench.session is not None
    assert bench.session.locked


def test_whatever_fails_in_handing_it_over_lets_it_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    session = cast(Any, bench.session)
    target = Target(bench.one.link, bench.one.pid)

    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    def let_out() -> bool:
        left = (bench.calls._candidates, bench.calls._attached, bench.events.subscriptions._of_calls)
        return not any(left) and not session.locked

    attach = bench.calls.handlecall(UUID, target)
    assert callable(attach)
    with monkeypatch.context() as broken:
        broken.setattr(bench.events.subscriptions, "open", fail)
        with pytest.raises(RuntimeError):
            attach()
    assert let_out()
    with monkeypatch.context() as broken:
        broken.setattr(bench.calls, "data", fail)
        with pytest.raises(RuntimeError):
            bench.calls.handlecall(UUID, target)
    assert let_out()
    with monkeypatch.context() as broken:
        broken.setattr(session, "soft_lock", fail)
        with pytest.raises(RuntimeError):
            bench.candidate()
    assert let_out()
    call = bench.candidate()
    assert not let_out()
    with pytest.raises(RuntimeError), bench.calls.or_let_out(call):
        fail()
    assert let_out()


def test_a_process_that_is_gone_before_it_has_the_call(bench: Bench) -> None:
    target = Target(bench.one.link, "desk")
    bench.asking.gone.add(target)
    attach = bench.calls.handlecall(UUID, target)
    assert callable(attach)
    attach()
    assert bench.session is not None
    assert bench.session.let_go_of == 1
    assert len(bench.calls) == 0


def test_a_node_that_is_gone_before_it_has_the_call(bench: Bench) -> None:
    attach = bench.calls.handlecall(UUID, Target(bench.one.link, bench.one.pid))
    assert callable(attach)
    bench.one.ended = True
    attach()
    assert bench.session is not None
    assert bench.session.let_go_of == 1
    assert bench.one.messages() == []


def test_the_process_and_the_call_end_at_once(bench: Bench) -> None:
    for _ in range(30):
        bench.session = Session()
        bench.take(bench.one)
        exiting = threading.Thread(
            target=bench.events.subscriptions.exited, args=(bench.one.link, bench.one.pid, Atom("killed"))
        )
        exiting.start()
        bench.hang_up()
        exiting.join(10)
        settled(bench.events)
        assert len(bench.calls) == 0
        assert not bench.session.locked
        assert kinds(bench.one).count("call_hangup") <= kinds(bench.one).count("call")


@pytest.mark.parametrize("own", [True, False])
def test_letting_go_of_it(bench: Bench, own: bool) -> None:
    """Whoever did not ask for it himself is told."""
    bench.take(bench.one)
    assert bench.calls.nohandle(UUID, False, bench.one.pid if own else bench.two.pid)
    assert not bench.calls.nohandle(UUID, False, bench.one.pid)
    assert kinds(bench.one) == (["call"] if own else ["call", "call_taken"])
    assert bench.session is not None
    assert bench.session.let_go_of == 1
    assert not bench.session.locked


def test_its_end_was_lost(bench: Bench) -> None:
    bench.take(bench.one)
    bench.calls.look_after()
    assert kinds(bench.one) == ["call"]
    bench.session = None
    bench.calls.look_after()
    assert kinds(bench.one) == ["call", "call_hangup"]


def test_its_end_was_lost_while_a_process_was_asked_for(bench: Bench) -> None:
    call = bench.candidate()
    data = bench.calls.data(cast(Any, bench.session))
    bench.session = None
    bench.calls.look_after()
    with pytest.raises(HungUp):
        call.waiting.begin()
    bench.calls.attach(call, Found(Target(bench.one.link, bench.one.pid)), data)
    assert kinds(bench.one) == ["call", "call_hangup"]
    assert len(bench.calls) == 0


def test_the_message_call(bench: Bench) -> None:
    term = etf.decode(bench.calls.data(cast(Any, bench.session)))
    uuid = UUID.encode()
    headers = [uuid, (b"Unique-ID", uuid), (b"Content-Type", b"command/reply"), (b"Reply-Text", b"+OK\n")]
    assert term == (Atom("call"), (Atom("event"), headers))
