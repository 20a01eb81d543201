"""What of waiting for applications no switch does when a test wants it; the rest is in tests/peers/test_execute.py."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any, cast

import pytest

from mod_erlang_py.calls import executes
from mod_erlang_py.calls.asking import Asking
from mod_erlang_py.calls.executes import Completed, Executes, Failure, Wait
from mod_erlang_py.errors import Exhausted
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Form
from tests.events.pumping import Bench, settled
from tests.fakes import FakeLink
from tests.waiting import DEADLINE, wait_until

UUID = b"7f3c2143-55db-422f-bd15-0fa93ac78cb7"


class Calls:
    """answers: of the waits for the application named `one`, `two` and so on, as their Application-UUID."""

    def __init__(self) -> None:
        self.bench = Bench().start()
        asking = Asking(cast(Any, None), lambda text: text, 5)
        self.executes = Executes(self.bench.switch, self.bench.subscriptions, asking, Form.STRING, 100, 100)
        self.bench.threads.start("executes", self.executes.run)
        self.link = self.peer()
        self.answers: queue.SimpleQueue[tuple[str, Completed | Failure]] = queue.SimpleQueue()

    def peer(self) -> FakeLink:
        link = FakeLink()
        link.knows_monitors = False
        return link

    def wait(self, name: str, seconds: float = float("inf"), link: FakeLink | None = None) -> Wait | None:
        link = link or self.link
        return self.executes.wait(
            UUID.decode(),
            "playback",
            name.encode(),
            Target(link.link, link.pid),
            seconds,
            lambda how: self.answers.put((name, how)),
        )

    def fire(self, event: str, **headers: str) -> None:
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.bench.fire(event, (b"Unique-ID", UUID), *pairs)

    def complete(self, name: str, loop: int = 1, loops: int = 1) -> None:
        loop_of = ((b"variable_current_loop", b"%d" % loop), (b"variable_total_loops", b"%d" % loops))
        of = ((b"Unique-ID", UUID), (b"Application-UUID", name.encode()))
        self.bench.fire("CHANNEL_EXECUTE_COMPLETE", *of, *loop_of)

    def answer(self) -> tuple[str, Completed | Failure]:
        return self.answers.get(timeout=DEADLINE)


@pytest.fixture
def calls() -> Iterator[Calls]:
    calls = Calls()
    yield calls
    calls.executes.stop()
    calls.bench.stop()
    assert calls.answers.empty()


def test_each_has_its_own_completion(calls: Calls) -> None:
    calls.wait("one")
    calls.wait("two")
    calls.complete("none")
    calls.complete("two")
    calls.complete("one")
    assert [calls.answer()[0] for _ in range(2)] == ["two", "one"]
    assert len(calls.executes) == 0


def test_what_the_session_would_not_execute(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executes, "OVERTAKEN", 0.01)
    calls.wait("one")
    calls.fire("PRIVATE_COMMAND", event_uuid="two")
    settled(calls.bench)
    assert len(calls.executes) == 1
    calls.fire("PRIVATE_COMMAND", event_uuid="one")
    assert calls.answer() == ("one", Failure.NOT_EXECUTED)


def test_a_completion_that_was_overtaken(calls: Calls) -> None:
    calls.wait("one")
    calls.fire("PRIVATE_COMMAND", event_uuid="one")
    calls.complete("one")
    name, how = calls.answer()
    assert (name, type(how)) == ("one", Completed)


def test_a_loop_that_was_overtaken(calls: Calls) -> None:
    calls.wait("one")
    calls.fire("PRIVATE_COMMAND", event_uuid="one")
    calls.complete("one", 2, 3)
    name, how = calls.answer()
    assert (name, type(how)) == ("one", Completed)


def test_an_answer_that_fails_costs_that_one(calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
    def fails(how: Completed | Failure) -> None:
        raise RuntimeError("no answer")

    calls.executes.wait("the call", "playback", b"two", Target(calls.link.link, calls.link.pid), 0.01, fails)
    calls.wait("one", 0.05)
    assert calls.answer() == ("one", Failure.TIMEOUT)
    assert "an execute that took too long could not be answered" in caplog.text
    assert len(calls.executes) == 0


def test_the_last_loop_counts(calls: Calls) -> None:
    calls.wait("one")
    for loop in (1, 2, 3):
        calls.complete("one", loop, 3)
    _, how = calls.answer()
    assert isinstance(how, Completed)
    assert how.variables[b"current_loop"] == b"3"


def test_loops_that_are_broken_off(calls: Calls) -> None:
    """The last that came is the answer, once the session is done with the command."""
    calls.wait("one")
    calls.complete("one", 1, -1)
    calls.complete("one", 2, -1)
    calls.fire("PRIVATE_COMMAND", event_uuid="one")
    _, how = calls.answer()
    assert isinstance(how, Completed)
    assert how.variables[b"current_loop"] == b"2"


def test_lost_events(calls: Calls) -> None:
    """The call is not there any more, and nobody has told."""
    calls.wait("one")
    calls.executes.look_after()
    assert calls.answer() == ("one", Failure.HANGUP)


def test_a_node_that_is_gone_before(calls: Calls) -> None:
    calls.link.ended = True
    assert calls.wait("one") is None
    assert not calls.executes._of_nodes


def test_a_node_that_goes(calls: Calls) -> None:
    calls.wait("one")
    calls.link.ended = True
    calls.bench.subscriptions.down(calls.link.link)
    assert len(calls.executes) == 0
    assert not calls.executes._of_nodes
    calls.complete("one")


def test_too_many(calls: Calls) -> None:
    calls.executes.configure(3, 2)
    waits = [calls.wait("one"), calls.wait("one")]
    with pytest.raises(Exhausted, match="max-executes-per-node: 2 executes of peer@localhost"):
        calls.wait("one")
    other, third = calls.peer(), calls.peer()
    waits.append(calls.wait("one", link=other))
    with pytest.raises(Exhausted, match="max-executes: 3 executes"):
        calls.wait("one", link=third)
    assert all(wait is not None and calls.executes.drop(wait) for wait in waits)
    assert not any(wait is not None and calls.executes.drop(wait) for wait in waits)
    assert not calls.executes._of_nodes


def test_a_time_that_is_over_wakes_nobody_before(calls: Calls) -> None:
    """An earlier one that comes later counts; one that has ended does not."""
    calls.wait("late", 30)
    calls.wait("soon", 0.05)
    ended = calls.wait("ended", 0.02)
    assert ended is not None
    calls.executes.drop(ended)
    assert calls.answer() == ("soon", Failure.TIMEOUT)
    assert len(calls.executes) == 1
    calls.fire("CHANNEL_HANGUP")
    assert calls.answer() == ("late", Failure.HANGUP)
    wait_until(lambda: len(calls.executes) == 0)
