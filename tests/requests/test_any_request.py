"""Every request that there is, with arguments of every kind: an answer or none, and never an error that nobody thought
of, which the dispatcher would answer with its Python name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from mod_erlang_py.distribution.control import ControlMessage, encode_control
from mod_erlang_py.errors import EncodeError
from mod_erlang_py.etf import LIMITS, Atom, Binary, List, Pid, Reference, Term, encode
from mod_erlang_py.requests import Dispatcher
from scripts.trials.fuzz.terms import mutated, requests
from tests.console.standing import UUID, Peer, Standing

PEER = Pid("peer@localhost", 100, 0, 1)
REFERENCE = Reference("peer@localhost", 1, (1, 2, 3))
REQUESTS = [one for one in requests(PEER, REFERENCE) if "bgapi" not in repr(one)]
"""But for those that a thread answers."""
ODD: list[Term] = [
    Atom("all"),
    Atom("nosuch"),
    UUID.encode(),
    PEER,
    REFERENCE,
    (PEER, REFERENCE),
    (PEER, List([Atom("alias"), REFERENCE], improper=True)),
    (Atom("desk"), Atom("peer@localhost")),
    [(b"N", 7), (Atom("a"), b"b")],
    [[PEER], Atom("a")],
    {Atom("ack"): b"3", Atom("uuid"): 5},
    Binary(b"\xff", 3),
    -1,
    1.5,
    (),
    b"",
    b"a\0b",
    None,
]


class Silent(Peer):
    """One that answers nothing, and of which nothing can be asked that would be waited for."""

    knows_aliases = False

    def __init__(self) -> None:
        super().__init__("peer@localhost")
        self.knows_monitors = False

    def send(self, to: Pid | str | Reference, term: Term) -> None:
        self.send_control(to)
        encode(term)

    def signal(self, message: ControlMessage) -> None:
        encode_control(message)

    def fresh_pid(self) -> Pid:
        return Pid(self.local.node, 2, 0, 1)


@pytest.fixture
def faults(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Term, Pid | None], list[str]]:
    """What the log has of ERROR when a term has come from that sender."""
    standing = Standing(tmp_path)
    peer = Silent()
    standing.context.node._links.add(peer.link)
    dispatcher = Dispatcher(standing.context, LIMITS)

    def ask(term: Term, sender: Pid | None = PEER) -> list[str]:
        caplog.clear()
        job = dispatcher.received(peer.link, sender, "foo", encode(term))
        if job is not None:
            job.run()
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]

    return ask


def changed(term: Term) -> Iterator[Term]:
    """With each of what is odd in each place, with one argument less, and with one more."""
    if not isinstance(term, tuple):
        return
    for place in range(1, len(term)):
        yield from ((*term[:place], one, *term[place + 1 :]) for one in ODD)
    yield term[:-1]
    yield from ((*term, one) for one in ODD)


@pytest.mark.parametrize("term", REQUESTS, ids=[repr(one)[:60] for one in REQUESTS])
def test_one_argument_is_odd(term: Term, faults: Callable[..., list[str]]) -> None:
    assert faults(term, None) == []
    for one in (term, *changed(term)):
        assert faults(one) == [], one


def test_anything_is_odd(faults: Callable[..., list[str]]) -> None:
    """As `make fuzz` changes them."""
    random = Random(3)
    for _ in range(1000):
        term = random.choice(REQUESTS)
        for _ in range(random.randint(1, 3)):
            term = mutated(random, term, PEER)
        try:
            assert faults(term) == [], term
        except EncodeError:
            continue
