"""Node.connect: our own connections, to peers made of a few lines of Python."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py.distribution.epmd import EpmdEntry
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.handshake import AcceptorHandshake, fresh_challenge
from mod_erlang_py.distribution.handshake_events import Established, NameReceived, Status
from mod_erlang_py.distribution.handshake_events import LocalNode as Us
from mod_erlang_py.errors import HandshakeError, NotConnected
from mod_erlang_py.node import handshakes
from mod_erlang_py.node import node as node_module
from mod_erlang_py.node.link import Link
from scripts.trials.client import Client
from tests.node.conftest import InThread, Running
from tests.node.epmds import FakeEpmd
from tests.node.nodes import LocalNode
from tests.waiting import DEADLINE, wait_until


class Listener:
    """A peer that is dialled; accepts one connection at a time, when asked to."""

    def __init__(self, name: str, epmd: FakeEpmd) -> None:
        self.name = name
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(DEADLINE)
        self.accepted: list[socket.socket] = []
        port = int(self.server.getsockname()[1])
        epmd.entries[name.partition("@")[0]] = EpmdEntry(name.partition("@")[0], port)

    def accept(self) -> tuple[socket.socket, AcceptorHandshake]:
        """A connection that has said its name and waits for the status."""
        sock, _ = self.server.accept()
        sock.settimeout(DEADLINE)
        self.accepted.append(sock)
        machine = AcceptorHandshake(Us(self.name, OURS, 9), lambda _: "ClueCon", fresh_challenge())
        while not any(isinstance(event, NameReceived) for event in machine.events_received()):
            machine.receive_data(sock.recv(4096))
        return sock, machine

    def finish(self, sock: socket.socket, machine: AcceptorHandshake, status: Status = Status.OK) -> None:
        machine.send_status(status)
        sock.sendall(machine.data_to_send())
        if status in (Status.NOK, Status.NOT_ALLOWED):
            return
        while not any(isinstance(event, Established) for event in machine.events_received()):
            machine.receive_data(sock.recv(4096))
            sock.sendall(machine.data_to_send())

    def serve(self) -> None:
        self.finish(*self.accept())

    def close(self) -> None:
        self.server.close()
        for sock in self.accepted:
            sock.close()


@pytest.fixture
def listener(fake_epmd: FakeEpmd) -> Iterator[Callable[[str], Listener]]:
    with contextlib.ExitStack() as stack:

        def make(name: str) -> Listener:
            made = Listener(name, fake_epmd)
            stack.callback(made.close)
            return made

        yield make


MakeListener = Callable[[str], Listener]


def test_it_connects_once(local: LocalNode, listener: MakeListener, in_thread: InThread) -> None:
    peer = listener("peer@localhost")
    serving = in_thread(peer.serve)
    link = local.node.connect("peer@localhost")
    serving.result()
    assert (link.name, link.peer.creation) == ("peer@localhost", 9)
    assert local.node.connect("peer@localhost") is link
    assert local.names() == ["peer@localhost"]
    assert len(peer.accepted) == 1
    peer.close()
    assert local.receiver.downs.get(timeout=DEADLINE) == "peer@localhost"


def test_those_who_connect_at_the_same_time_share_the_attempt(
    local: LocalNode, listener: MakeListener, in_thread: InThread
) -> None:
    peer = listener("peer@localhost")
    connecting = [in_thread(lambda: local.node.connect("peer@localhost")) for _ in range(8)]
    sock, machine = peer.accept()
    wait_until(lambda: local.node._links._attempts)
    peer.finish(sock, machine)
    links = {one.result() for one in connecting}
    assert len(links) == 1
    peer.server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        peer.server.accept()


def test_an_unknown_node(local: LocalNode) -> None:
    with pytest.raises(NotConnected, match=r"no connection to nobody@localhost: .*unknown") as refused:
        local.node.connect("nobody@localhost")
    assert refused.value.node == "nobody@localhost"


def test_a_host_without_an_epmd(local: LocalNode, fake_epmd: FakeEpmd) -> None:
    fake_epmd.stop()
    with pytest.raises(NotConnected, match="epmd"):
        local.node.connect("peer@localhost")


@pytest.mark.parametrize("name", ["peer@no such host.invalid", "peer@" + "x" * 300, "peer", ""])
def test_a_name_that_leads_nowhere(local: LocalNode, name: str) -> None:
    with pytest.raises(NotConnected):
        local.node.connect(name)


def test_a_name_that_is_too_long(local: LocalNode, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("x" * 70_000 + "@localhost", "x" * 256):
        with pytest.raises(NotConnected, match="at most 255 characters") as raised:
            local.node.connect(name)
        assert len(str(raised.value)) < 500
    assert local.node._links._attempts == {}
    assert caplog.records == []


def test_a_node_that_is_gone_but_registered(local: LocalNode, listener: MakeListener) -> None:
    listener("peer@localhost").close()
    with pytest.raises(NotConnected, match="refused"):
        local.node.connect("peer@localhost")


def test_a_node_that_says_nothing(local: LocalNode, listener: MakeListener, monkeypatch: pytest.MonkeyPatch) -> None:
    listener("peer@localhost")
    monkeypatch.setattr(handshakes, "SETUP_TIME", 0.3)
    with pytest.raises(NotConnected, match=r"within 0\.1 s"):
        local.node.connect("peer@localhost", timeout=0.1)
    with pytest.raises(NotConnected, match=r"within 0\.3 s"):
        local.node.connect("peer@localhost")
    assert local.node._links._attempts == {}


def test_it_can_be_tried_again(local: LocalNode, listener: MakeListener, in_thread: InThread) -> None:
    peer = listener("peer@localhost")

    def refuse() -> None:
        sock, machine = peer.accept()
        peer.finish(sock, machine, Status.NOT_ALLOWED)

    refusing = in_thread(refuse)
    with pytest.raises(NotConnected, match="not_allowed"):
        local.node.connect("peer@localhost")
    refusing.result()
    serving = in_thread(peer.serve)
    assert isinstance(local.node.connect("peer@localhost"), Link)
    serving.result()


def test_both_connect_and_the_peers_name_is_higher(
    local: LocalNode, listener: MakeListener, in_thread: InThread
) -> None:
    """Its attempt counts: ours gets nok, and connect returns the link that the peer made."""
    peer = listener("zzz@localhost")
    connecting = in_thread(lambda: local.node.connect("zzz@localhost"))
    sock, machine = peer.accept()
    with Client(local.port, name="zzz@localhost") as client:
        assert client.statuses == [Status.OK_SIMULTANEOUS]
        peer.finish(sock, machine, Status.NOK)
        link = connecting.result()
        assert local.node.links() == [link]
        wait_until(lambda: not local.node._links._attempts)
        assert local.node.connect("zzz@localhost") is link
    assert local.receiver.downs.get(timeout=DEADLINE) == "zzz@localhost"


def test_a_dial_that_nobody_waits_for_any_more_comes_to_nothing(
    local: LocalNode, listener: MakeListener, in_thread: InThread
) -> None:
    """The peer has connected meanwhile, and disconnected, which must not be undone."""
    peer = listener("zzz@localhost")
    connecting = in_thread(lambda: local.node.connect("zzz@localhost"))
    sock, machine = peer.accept()
    with Client(local.port, name="zzz@localhost"):
        connecting.result()
    assert local.receiver.downs.get(timeout=DEADLINE) == "zzz@localhost"
    peer.finish(sock, machine)
    assert sock.recv(1) == b""
    assert local.names() == []
    assert local.receiver.downs.empty()


def test_a_link_that_the_peer_has_before_we_do_is_not_replaced(
    local: LocalNode, listener: MakeListener, in_thread: InThread
) -> None:
    """It has our last word in the handshake, and takes its connection for up; ours it asks whether that one is dead."""
    peer = listener("zzz@localhost")
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    connecting: list[Running] = []

    def dial() -> None:
        connecting.append(in_thread(lambda: local.node.connect("zzz@localhost")))
        sock, machine = peer.accept()
        machine.send_status(Status.ALIVE)
        sock.sendall(machine.data_to_send())
        answers.put(sock.recv(4096))

    with Client(local.port, name="zzz@localhost", before_reply=dial):
        assert answers.get(timeout=DEADLINE) == b"\0\6sfalse"
        link = connecting[0].result()
        assert local.node.links() == [link]
    assert local.node._links._greeted == {}


def test_a_link_that_the_peer_gave_up_for_ours(local: LocalNode, listener: MakeListener, in_thread: InThread) -> None:
    """Ours is the one that counts, though the other was up for a moment."""
    peer = listener("aaa@localhost")
    dialled: list[tuple[socket.socket, AcceptorHandshake]] = []
    connecting: list[Running] = []

    def dial() -> None:
        connecting.append(in_thread(lambda: local.node.connect("aaa@localhost")))
        dialled.append(peer.accept())

    with Client(local.port, name="aaa@localhost", before_reply=dial):
        given_up = connecting[0].result()
    assert local.receiver.downs.get(timeout=DEADLINE) == "aaa@localhost"
    sock, machine = dialled[0]
    peer.finish(sock, machine, Status.OK_SIMULTANEOUS)
    wait_until(lambda: local.names() == ["aaa@localhost"])
    assert local.node.links() != [given_up]


def test_both_connect_and_ours_is_higher(local: LocalNode, listener: MakeListener, in_thread: InThread) -> None:
    """Ours counts: the peer gets nok, and its other side goes on."""
    peer = listener("aaa@localhost")
    connecting = in_thread(lambda: local.node.connect("aaa@localhost"))
    sock, machine = peer.accept()
    with pytest.raises(HandshakeError, match="nok"):
        Client(local.port, name="aaa@localhost")
    peer.finish(sock, machine)
    link = connecting.result()
    assert local.node.links() == [link]


def test_nok_from_a_peer_that_does_not_come(
    local: LocalNode, listener: MakeListener, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "SETUP_TIME", 0.3)
    peer = listener("zzz@localhost")
    connecting = in_thread(lambda: local.node.connect("zzz@localhost"))
    sock, machine = peer.accept()
    peer.finish(sock, machine, Status.NOK)
    with pytest.raises(NotConnected, match="connecting to us"):
        connecting.result()


def test_who_made_way_hears_at_once_when_the_peer_fails(
    local: LocalNode, listener: MakeListener, in_thread: InThread
) -> None:
    """Its own attempt ends in the handshake, here for a wrong cookie."""
    peer = listener("zzz@localhost")
    connecting = in_thread(lambda: local.node.connect("zzz@localhost"))
    sock, machine = peer.accept()
    peer.finish(sock, machine, Status.NOK)
    attempt = next(iter(local.node._links._attempts.values()))
    wait_until(lambda: attempt.yields_to is not None)
    with pytest.raises((HandshakeError, OSError)):
        Client(local.port, name="zzz@localhost", cookie="guessed")
    with pytest.raises(NotConnected, match="it was connecting to us, but failed"):
        connecting.result(handshakes.SETUP_TIME / 2)


def test_without_a_thread_everybody_hears_at_once(
    local: LocalNode, listener: MakeListener, in_thread: InThread, missing: set[str]
) -> None:
    """And nothing is left behind: as soon as there are threads again there is a connection."""
    peer = listener("peer@localhost")
    missing.add("connect")
    connecting = [in_thread(lambda: local.node.connect("peer@localhost", DEADLINE)) for _ in range(4)]
    for one in connecting:
        with pytest.raises(NotConnected, match="can't start new thread"):
            one.result(DEADLINE / 2)
    assert local.node._links._attempts == {}
    missing.clear()
    serving = in_thread(peer.serve)
    assert local.node.connect("peer@localhost").name == "peer@localhost"
    serving.result()


def test_an_error_of_ours_ends_the_attempt(
    local: LocalNode, listener: MakeListener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(node_module, "look_up", fail)
    with pytest.raises(NotConnected, match="ZeroDivisionError"):
        local.node.connect("peer@localhost", DEADLINE)
    assert local.node._links._attempts == {}
    wait_until(lambda: "ZeroDivisionError" in caplog.text)


def test_a_link_that_is_about_to_be_taken_down_is_none(
    local: LocalNode, listener: MakeListener, in_thread: InThread
) -> None:
    """Also when its reader cannot do so yet, since a request keeps it: here the very one that connects anew."""
    peer = listener("peer@localhost")
    serving = in_thread(peer.serve)
    old = local.node.connect("peer@localhost")
    serving.result()
    made: queue.SimpleQueue[Link] = queue.SimpleQueue()

    def take_down(reason: str) -> None:
        made.put(local.node.connect("peer@localhost"))
        take_down_later(reason)

    take_down_later, old.reader._ended = old.reader._ended, take_down
    serving = in_thread(peer.serve)
    old.end("asked to")
    new = made.get(timeout=DEADLINE)
    assert new is not old
    assert local.node.links() == [new]
    serving.result()
    assert local.receiver.downs.get(timeout=DEADLINE) == "peer@localhost"
    assert local.node.links() == [new]


def test_stop_ends_the_waiting_of_those_who_connect(
    local: LocalNode, listener: MakeListener, in_thread: InThread
) -> None:
    peer = listener("peer@localhost")
    connecting = in_thread(lambda: local.node.connect("peer@localhost", timeout=DEADLINE))
    peer.accept()
    local.node._links.close()
    with pytest.raises(NotConnected, match="the node stops"):
        connecting.result(DEADLINE / 2)
    peer.close()


def test_stop_while_connecting(local: LocalNode, listener: MakeListener, in_thread: InThread) -> None:
    peer = listener("peer@localhost")
    connecting = in_thread(lambda: local.node.connect("peer@localhost", timeout=DEADLINE))
    sock, machine = peer.accept()
    stopping = threading.Thread(target=local.stop)
    stopping.start()
    wait_until(lambda: local.node._links.closed)
    with contextlib.suppress(OSError):
        peer.finish(sock, machine)
    with pytest.raises(NotConnected):
        connecting.result()
    stopping.join(DEADLINE)
    assert local.node.links() == []
