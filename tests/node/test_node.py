"""The Node's links, with peers made of a few lines of Python."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import TICK, encode_frame
from mod_erlang_py.distribution.control import IN_PAYLOAD, Exit, Exit2, MonitorP, MonitorPExit
from mod_erlang_py.distribution.handshake import Status
from mod_erlang_py.errors import HandshakeError, NotConnected
from mod_erlang_py.etf import Atom, Pid, Reference, encode
from mod_erlang_py.node import node as module
from tests.node.epmds import FakeEpmd
from tests.node.nodes import LocalNode
from tests.peers.client import Client
from tests.waiting import DEADLINE, wait_until


@pytest.fixture
def fake_epmd(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEpmd]:
    fake = FakeEpmd()
    monkeypatch.setenv("ERL_EPMD_PORT", str(fake.port))
    yield fake
    fake.stop()


@pytest.fixture
def local(fake_epmd: FakeEpmd, free_port: Callable[[], int]) -> Iterator[LocalNode]:
    local = LocalNode(free_port())
    yield local
    local.stop()
    assert local.threads() == []


def test_a_peer_comes_and_goes(local: LocalNode) -> None:
    with Client(local.port) as client:
        client.send((Atom("echo"), b"hello"))
        assert client.answer() == b"hello"
        assert local.names() == ["client@localhost"]
    assert local.receiver.downs.get(timeout=DEADLINE) == "client@localhost"
    assert local.names() == []
    assert local.receiver.downs.empty()


def test_the_nodes_pid_and_any_name_lead_to_it(local: LocalNode) -> None:
    with Client(local.port) as client:
        client.send(1, to="foo")
        client.send(2, to="bar")
        for message in (control.SendSender(client.pid, local.node.pid), control.Send(local.node.pid)):
            client.send_frame(encode_frame(control.encode_control(message), encode(3)))
        earlier = Pid(local.node.name, 1, 0, 5)
        client.send_frame(encode_frame(control.encode_control(control.Send(earlier)), encode(4)))
        client.send(5)
        got = [local.receiver.messages.get(timeout=DEADLINE)[1] for _ in range(5)]
    assert got == [1, 2, 3, 3, 5]


def test_ping(local: LocalNode) -> None:
    """The tag of OTP 24 and later, and the plain reference of before."""
    ref = Reference("client@localhost", 7, (1, 2, 3))
    with Client(local.port) as client:
        for tag in (ref, [Atom("alias"), ref]):
            ask = (Atom("$gen_call"), (client.pid, tag), (Atom("is_auth"), Atom(client.name)))
            client.send(ask, to="net_kernel")
            answer = client.answer()
            assert encode(answer) == encode((tag, Atom("yes")))


@pytest.mark.parametrize(
    "term", [Atom("x"), (Atom("$gen_call"), 1, 2), (Atom("$gen_call"), (1, 2), (Atom("is_auth"), 1)), b"", {}]
)
def test_anything_else_to_net_kernel_is_dropped(local: LocalNode, term: object) -> None:
    with Client(local.port) as client:
        client.send(term, to="net_kernel")
        client.send((Atom("echo"), 1))
        assert client.answer() == 1
        assert local.receiver.messages.get(timeout=DEADLINE) == (client.name, (Atom("echo"), 1))


def test_no_term_to_net_kernel_is_dropped(local: LocalNode) -> None:
    with Client(local.port) as client:
        message = control.encode_control(control.RegSend(client.pid, "net_kernel"))
        client.send_frame(encode_frame(message, b"\x83\xff\xff"))
        client.send((Atom("echo"), 1))
        assert client.answer() == 1


def test_a_peer_that_comes_back_replaces_its_link(local: LocalNode) -> None:
    with Client(local.port) as old:
        old.send((Atom("echo"), 1))
        assert old.answer() == 1
        with Client(local.port) as new:
            assert new.statuses == [Status.ALIVE]
            assert old.wait_closed() == b""
            new.send((Atom("echo"), 2))
            assert new.answer() == 2
            assert local.names() == ["client@localhost"]
            assert local.receiver.downs.get(timeout=DEADLINE) == "client@localhost"
    assert local.receiver.downs.get(timeout=DEADLINE) == "client@localhost"


def test_a_stranger_with_the_name_of_a_peer_replaces_nothing(local: LocalNode) -> None:
    with Client(local.port) as client:
        with pytest.raises((HandshakeError, OSError)):
            Client(local.port, cookie="guessed")
        client.send((Atom("echo"), 1))
        assert client.answer() == 1
        assert local.receiver.downs.empty()


def test_our_own_name_is_refused(local: LocalNode) -> None:
    with pytest.raises(HandshakeError, match="nok"):
        Client(local.port, name="freeswitch@localhost")


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff",
        (module.MAX_FRAME + 1).to_bytes(4, "big"),
        b"\0\0\0\5hello",
        b"\0\0\0\2\x70\x83",
        b"\0\0\0\4\x70\x83\x6a\x6a",
        b"\0\0\0\7\x70\x83\x68\2\x61\5\x6a",
        encode_frame(b"h\x03a\x16" + Pid("client@localhost", 1, 0, 7).binary() * 2),
    ],
    ids=["4 GiB", "over the cap", "text", "nothing", "no control tuple", "unknown op", "without a payload"],
)
def test_garbage_ends_that_link_only(local: LocalNode, frame: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with Client(local.port) as other, Client(local.port, name="garbage@localhost") as garbage:
        garbage.send_frame(frame)
        garbage.wait_closed()
        assert local.receiver.downs.get(timeout=DEADLINE) == "garbage@localhost"
        other.send((Atom("echo"), 1))
        assert other.answer() == 1
    assert "failed" not in caplog.text


def test_garbage_that_comes_with_the_handshake(local: LocalNode, caplog: pytest.LogCaptureFixture) -> None:
    with Client(local.port) as other, contextlib.suppress(OSError):
        with Client(local.port, name="garbage@localhost", extra=b"\xff\xff\xff\xff") as garbage:
            garbage.wait_closed()
        other.send((Atom("echo"), 1))
        assert other.answer() == 1
        assert local.names() == [other.name]
    wait_until(lambda: "over the limit" in caplog.text)  # told after the socket is closed
    assert "thread" not in caplog.text


def test_a_request_that_comes_with_the_handshake(local: LocalNode) -> None:
    pid = Pid("client@localhost", 1, 0, 7)
    frame = encode_frame(control.encode_control(control.RegSend(pid, "foo")), encode((Atom("echo"), 1)))
    with Client(local.port, extra=TICK + frame) as client:
        assert client.answer() == 1


def test_exits_are_told_with_their_reason(local: LocalNode) -> None:
    """EXIT of a process that we are linked to, EXIT2 of any; in the tuple or with a payload."""
    normal, kill = Atom("normal"), Atom("kill")
    with Client(local.port) as client:
        wait_until(local.names)
        first, second, stranger = (Pid(client.name, number, 0, 7) for number in (2, 3, 4))
        for pid in (first, second):
            local.node.processes.link(local.node.links()[0], pid)
            assert client.receive().control == control.Link(local.node.pid, pid)
        client.signal(Exit(stranger, local.node.pid, normal))
        client.signal(Exit(first, local.node.pid, normal))
        client.signal(Exit(first, local.node.pid, normal))
        in_payload = control.encode_control(Exit(second, local.node.pid, IN_PAYLOAD))
        client.send_frame(encode_frame(in_payload, encode((kill, b"why"))))
        client.signal(Exit2(stranger, local.node.pid, kill))
        got = [local.receiver.exits.get(timeout=DEADLINE) for _ in range(3)]
    assert got == [(first, normal), (second, (kill, b"why")), (stranger, kill)]


def test_the_end_of_what_we_monitor_is_told(local: LocalNode) -> None:
    with Client(local.port) as client:
        wait_until(local.names)
        reference = local.node.reference()
        local.node.processes.monitor(local.node.links()[0], "handler", reference)
        assert client.receive().control == MonitorP(local.node.pid, "handler", reference)
        client.signal(MonitorPExit("handler", local.node.pid, reference, Atom("noproc")))
        assert local.receiver.monitors.get(timeout=DEADLINE) == (reference, Atom("noproc"))


def test_a_reason_that_is_no_term_ends_the_link(local: LocalNode) -> None:
    with Client(local.port) as client:
        message = control.encode_control(Exit2(client.pid, local.node.pid, IN_PAYLOAD))
        client.send_frame(encode_frame(message, b"\x83\xff"))
        assert client.wait_closed() == b""


def test_a_monitor_of_an_earlier_life_is_answered(local: LocalNode) -> None:
    ref = Reference("client@localhost", 7, (1, 2, 3))
    earlier = Pid(local.node.name, 1, 0, 5)
    with Client(local.port) as client:
        client.signal(MonitorP(client.pid, local.node.pid, ref))
        client.signal(MonitorP(client.pid, "foo", ref))
        client.signal(control.DemonitorP(client.pid, "foo", ref))
        client.signal(MonitorP(client.pid, earlier, ref))
        received = client.receive()
    assert received.control == MonitorPExit(earlier, client.pid, ref, Atom("noproc"))


def test_references_are_never_the_same(local: LocalNode) -> None:
    made: list[Reference] = []

    def make() -> None:
        for _ in range(2000):
            made.append(local.node.reference())

    makers = [threading.Thread(target=make) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(DEADLINE)
    assert len(set(made)) == 8000


def test_a_message_to_a_node_without_a_link_is_lost(local: LocalNode) -> None:
    local.node.send(Pid("nowhere@localhost", 1, 0, 1), b"lost")
    assert local.names() == []


def test_stop_ends_everything_within_its_time(local: LocalNode, fake_epmd: FakeEpmd) -> None:
    names = [f"client{number}@localhost" for number in range(5)]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(local.port, name=name)) for name in names]
        silent = stack.enter_context(socket.create_connection(("127.0.0.1", local.port), timeout=DEADLINE))
        wait_until(lambda: len(local.node.links()) == 5)
        local.stop()
        assert [client.wait_closed() for client in clients] == [b""] * 5
        with contextlib.suppress(ConnectionResetError):  # when it was not accepted yet
            assert silent.recv(1) == b""
    assert local.threads() == []
    assert sorted(local.receiver.downs.get(timeout=DEADLINE) for _ in names) == names
    assert fake_epmd.left.get(timeout=DEADLINE).name == "freeswitch"
    with pytest.raises(NotConnected, match="not running"):
        local.node.connect(names[0])
    local.stop()


def test_stop_while_a_peer_does_not_read(local: LocalNode) -> None:
    with Client(local.port) as client:
        wait_until(lambda: local.names())
        link = local.node.links()[0]
        while not link.outbox.backlog:
            link.send(client.pid, b"x" * 100_000)
        local.stop()
        assert local.threads() == []
