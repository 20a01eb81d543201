"""Links and monitors on our side (ERTS, "Protocol between Connected Nodes")."""

from __future__ import annotations

from typing import cast

import pytest

from mod_erlang_py.distribution.control import (
    ControlMessage,
    DemonitorP,
    Exit,
    MonitorP,
    MonitorPExit,
    Unlink,
    UnlinkId,
    UnlinkIdAck,
)
from mod_erlang_py.distribution.control import Link as LinkSignal
from mod_erlang_py.errors import Exhausted
from mod_erlang_py.etf import Atom, Pid, Reference
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.processes import Processes

OURS = Pid("freeswitch@localhost", 1, 0, 42)
EARLIER = Pid("freeswitch@localhost", 1, 0, 41)
INVENTED = Pid("freeswitch@localhost", 2, 0, 42)
THEIRS = Pid("peer@localhost", 90, 0, 7)
OTHER = Pid("peer@localhost", 91, 0, 7)
REF = Reference("peer@localhost", 7, (1, 2, 3))
NOPROC = Atom("noproc")


class FakeLink:
    name = "peer@localhost"
    local = OURS
    ended = False

    def __init__(self) -> None:
        self.signals: list[ControlMessage] = []

    def signal(self, message: ControlMessage) -> None:
        self.signals.append(message)


@pytest.fixture
def fake() -> FakeLink:
    return FakeLink()


@pytest.fixture
def link(fake: FakeLink) -> Link:
    return cast(Link, fake)


@pytest.fixture
def processes() -> Processes:
    return Processes(10, 10)


def test_a_link_to_our_pid_stands_silently(processes: Processes, link: Link, fake: FakeLink) -> None:
    processes.linked(link, LinkSignal(THEIRS, OURS))
    assert fake.signals == []
    assert processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))
    assert not processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))


@pytest.mark.parametrize("pid", [EARLIER, INVENTED], ids=["earlier life", "invented"])
def test_a_link_to_another_pid_gets_noproc(processes: Processes, link: Link, fake: FakeLink, pid: Pid) -> None:
    processes.linked(link, LinkSignal(THEIRS, pid))
    assert fake.signals == [Exit(pid, THEIRS, NOPROC)]
    assert processes.forget(link) == []


def test_unlink_id_is_acknowledged_and_ends_the_link(processes: Processes, link: Link, fake: FakeLink) -> None:
    processes.linked(link, LinkSignal(THEIRS, OURS))
    processes.unlinked(link, UnlinkId(2**64 - 1, THEIRS, OURS))
    assert fake.signals == [UnlinkIdAck(2**64 - 1, OURS, THEIRS)]
    assert not processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))


def test_unlink_id_is_acknowledged_without_a_link_too(processes: Processes, link: Link, fake: FakeLink) -> None:
    processes.unlinked(link, UnlinkId(3, THEIRS, OURS))
    processes.unlinked(link, UnlinkId(4, THEIRS, EARLIER))
    assert fake.signals == [UnlinkIdAck(3, OURS, THEIRS), UnlinkIdAck(4, EARLIER, THEIRS)]


def test_the_old_unlink_is_not_acknowledged(processes: Processes, link: Link, fake: FakeLink) -> None:
    processes.linked(link, LinkSignal(THEIRS, OURS))
    processes.unlinked(link, Unlink(THEIRS, OURS))
    assert fake.signals == []
    assert not processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))


def test_a_link_made_again_after_unlink(processes: Processes, link: Link) -> None:
    processes.linked(link, LinkSignal(THEIRS, OURS))
    processes.unlinked(link, UnlinkId(1, THEIRS, OURS))
    processes.linked(link, LinkSignal(THEIRS, OURS))
    assert processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))


def test_our_own_link_is_sent_once(processes: Processes, link: Link, fake: FakeLink) -> None:
    processes.link(link, THEIRS)
    processes.link(link, THEIRS)
    processes.link(link, OTHER)
    assert fake.signals == [LinkSignal(OURS, THEIRS), LinkSignal(OURS, OTHER)]
    assert processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))
    processes.link(link, THEIRS)
    assert fake.signals[2:] == [LinkSignal(OURS, THEIRS)]


@pytest.mark.parametrize("pid", [EARLIER, INVENTED], ids=["earlier life", "invented"])
def test_what_is_for_another_pid_leaves_the_link(processes: Processes, link: Link, pid: Pid) -> None:
    processes.linked(link, LinkSignal(THEIRS, OURS))
    assert not processes.exited(link, Exit(THEIRS, pid, Atom("kill")))
    processes.unlinked(link, Unlink(THEIRS, pid))
    processes.unlinked(link, UnlinkId(1, THEIRS, pid))
    assert processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))


def test_an_exit_without_a_link_counts_for_nothing(processes: Processes, link: Link) -> None:
    assert not processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))


@pytest.mark.parametrize("target", [OURS, "foo", "net_kernel"])
def test_a_monitor_that_stands_is_not_answered(
    processes: Processes, link: Link, fake: FakeLink, target: Pid | str
) -> None:
    processes.monitored(link, MonitorP(THEIRS, target, REF))
    assert fake.signals == []


@pytest.mark.parametrize("pid", [EARLIER, INVENTED], ids=["earlier life", "invented"])
def test_a_monitor_of_another_pid_gets_noproc(processes: Processes, link: Link, fake: FakeLink, pid: Pid) -> None:
    processes.monitored(link, MonitorP(THEIRS, pid, REF))
    assert fake.signals == [MonitorPExit(pid, THEIRS, REF, NOPROC)]


@pytest.mark.parametrize("target", [OURS, "foo"])
def test_who_cannot_be_answered_hears_by_the_last_of_his_monitors(
    processes: Processes, link: Link, fake: FakeLink, target: Pid | str
) -> None:
    first, second, third = (Reference("peer@localhost", 7, (number, 2, 3)) for number in range(3))
    assert not processes.refuse(link, THEIRS, target)
    for reference in (first, second, third):
        processes.monitored(link, MonitorP(THEIRS, target, reference))
    processes.monitored(link, MonitorP(OTHER, target, REF))
    processes.monitored(link, MonitorP(THEIRS, "another", REF))
    processes.demonitored(link, DemonitorP(THEIRS, target, second))
    processes.demonitored(link, DemonitorP(THEIRS, target, second))
    assert [processes.refuse(link, THEIRS, target) for _ in range(3)] == [True, True, False]
    assert fake.signals == [MonitorPExit(target, THEIRS, one, NOPROC) for one in (third, first)]


def test_the_monitors_of_a_peer_are_bounded(
    processes: Processes, link: Link, fake: FakeLink, caplog: pytest.LogCaptureFixture
) -> None:
    processes.configure(2, 2)
    references = [Reference("peer@localhost", 7, (number, 2, 3)) for number in range(4)]
    for reference in references[:3]:
        processes.monitored(link, MonitorP(THEIRS, "foo", reference))
    assert fake.signals == [MonitorPExit("foo", THEIRS, references[2], Atom("system_limit"))]
    assert f"max-monitors: processes of peer@localhost have 2: {THEIRS} gets no further one" in caplog.text
    processes.demonitored(link, DemonitorP(THEIRS, "foo", references[0]))
    processes.monitored(link, MonitorP(THEIRS, "foo", references[3]))
    processes.forget(link)
    assert not processes.refuse(link, THEIRS, "foo")
    assert len(fake.signals) == 1


def test_a_connection_that_ends_takes_its_own_links_along(processes: Processes, link: Link) -> None:
    other = cast(Link, FakeLink())
    elsewhere = Pid("second@localhost", 1, 0, 9)
    processes.linked(link, LinkSignal(THEIRS, OURS))
    processes.link(link, OTHER)
    processes.linked(other, LinkSignal(elsewhere, OURS))
    assert set(processes.forget(link)) == {THEIRS, OTHER}
    assert processes.forget(link) == []
    assert processes.exited(other, Exit(elsewhere, OURS, Atom("normal")))


def test_one_link_too_many_costs_that_process(
    processes: Processes, link: Link, fake: FakeLink, caplog: pytest.LogCaptureFixture
) -> None:
    processes.configure(2, 2)
    third = Pid("peer@localhost", 92, 0, 7)
    processes.linked(link, LinkSignal(THEIRS, OURS))
    processes.linked(link, LinkSignal(OTHER, OURS))
    processes.linked(link, LinkSignal(OTHER, OURS))
    processes.link(link, OTHER)
    assert fake.signals == []
    processes.linked(link, LinkSignal(third, OURS))
    assert fake.signals == [Exit(OURS, third, Atom("system_limit"))]
    with pytest.raises(Exhausted, match="2 processes of peer@localhost are linked"):
        processes.link(link, third)
    assert not processes.exited(link, Exit(third, OURS, Atom("normal")))
    assert f"max-process-links: 2 processes of peer@localhost are linked: {third} is not" in caplog.text
    other = cast(Link, FakeLink())
    processes.linked(other, LinkSignal(third, OURS))
    assert processes.exited(link, Exit(THEIRS, OURS, Atom("normal")))
    processes.link(link, third)
    assert fake.signals[1:] == [LinkSignal(OURS, third)]


def test_nothing_is_kept_for_a_link_that_has_ended(processes: Processes, link: Link, fake: FakeLink) -> None:
    fake.ended = True
    processes.linked(link, LinkSignal(THEIRS, OURS))
    processes.link(link, OTHER)
    assert processes.forget(link) == []


def test_a_monitor_stands_until_it_is_taken_back(processes: Processes, link: Link) -> None:
    assert not processes.stands(link, THEIRS, "foo", REF)
    processes.monitored(link, MonitorP(THEIRS, "foo", REF))
    assert processes.stands(link, THEIRS, "foo", REF)
    assert not processes.stands(link, THEIRS, OURS, REF)
    assert not processes.stands(link, OTHER, "foo", REF)
    assert not processes.stands(link, THEIRS, "foo", Reference("peer@localhost", 7, (4,)))
    processes.demonitored(link, DemonitorP(THEIRS, "foo", REF))
    assert not processes.stands(link, THEIRS, "foo", REF)


def test_the_end_of_a_monitor_is_not_looked_for_among_all(
    processes: Processes, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100,000 by one process, each end of one that is not there would be so many comparisons."""
    processes.configure(1000, 1000)
    for number in range(1000):
        processes.monitored(link, MonitorP(THEIRS, "freeswitch", Reference("peer@localhost", 7, (number,))))
    compared = 0
    equal = Reference.__eq__

    def counted(self: Reference, other: object) -> bool:
        nonlocal compared
        compared += 1
        return equal(self, other)

    monkeypatch.setattr(Reference, "__eq__", counted)
    for number in (999, 500, 2000):
        processes.demonitored(link, DemonitorP(THEIRS, "freeswitch", Reference("peer@localhost", 7, (number,))))
    assert compared <= 10
    assert processes.refuse(link, THEIRS, "freeswitch")
