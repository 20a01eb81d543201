"""Target: what is sent to a process, by its pid or by its name."""

from __future__ import annotations

import logging
from typing import cast

import pytest

from mod_erlang_py.distribution.connection import FrameReader, Received, decode_body
from mod_erlang_py.distribution.control import RegSend, SendSender
from mod_erlang_py.distribution.flags import OURS as FLAGS
from mod_erlang_py.distribution.forms import send_control
from mod_erlang_py.etf import Atom, Pid, encode
from mod_erlang_py.node import traffic
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.target import Target

OURS = Pid("freeswitch@localhost", 1, 0, 42)
THEIRS = Pid("peer@localhost", 90, 0, 7)


class FakeLink:
    """frames: what was sent."""

    name = "peer@localhost"
    local = OURS
    send_control = staticmethod(send_control(OURS, FLAGS))

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.outbox = self

    def put(self, frame: bytes) -> None:
        self.frames.append(frame)

    def received(self) -> list[Received]:
        return [decode_body(body) for frame in self.frames for body in FrameReader(1000).receive_data(frame)]


@pytest.fixture
def fake() -> FakeLink:
    return FakeLink()


@pytest.fixture
def link(fake: FakeLink) -> Link:
    return cast(Link, fake)


@pytest.mark.parametrize(
    ("to", "control"), [(THEIRS, SendSender(OURS, THEIRS)), ("desk", RegSend(OURS, "desk"))], ids=["pid", "name"]
)
def test_what_is_sent(fake: FakeLink, link: Link, to: Pid | str, control: object) -> None:
    target = Target(link, to)
    target.send(Atom("ok"))
    target.put(encode(1))
    assert fake.received() == [Received(control, encode(Atom("ok"))), Received(control, encode(1))]  # type: ignore[arg-type]
    assert fake.frames[1] == b"".join(target.frames([encode(1)]).buffers)
    assert target.control in fake.frames[1]


def test_it_is_equal_to_that_of_the_same_link(link: Link) -> None:
    other = cast(Link, FakeLink())
    same = Target(link, Pid("peer@localhost", 90, 0, 7))
    assert {Target(link, THEIRS): 1}[same] == 1
    assert same == Target(link, THEIRS)
    assert Target(link, "desk") == Target(link, "desk")
    assert len({same, Target(other, THEIRS), Target(link, "desk"), Target(link, "other"), Target(other, "desk")}) == 5


def test_terms_are_shown_when_asked_for(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    traffic.turn(on=True)
    try:
        with caplog.at_level(logging.DEBUG, traffic.__name__):
            Target(link, "desk").send(Atom("ok"))
    finally:
        traffic.turn(on=False)
    assert "to peer@localhost, desk: ok" in caplog.text
