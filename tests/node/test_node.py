"""The Node's links, with peers made of a few lines of Python."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable

import pytest

from mod_erlang_py.config.limits import Limits
from mod_erlang_py.config.settings import Config
from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import TICK, encode_frame
from mod_erlang_py.distribution.control import (
    IN_PAYLOAD,
    AltactBits,
    AltactSigSend,
    Exit,
    Exit2,
    MonitorP,
    MonitorPExit,
)
from mod_erlang_py.distribution.handshake_events import Status
from mod_erlang_py.errors import HandshakeError, NotConnected
from mod_erlang_py.etf import Atom, Pid, Reference, Term, encode, encode_bare
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.outbox import Room
from mod_erlang_py.node.receiving import UNREADABLE
from mod_erlang_py.node.ticker import INTENSITY
from scripts.trials.client import Client
from tests.node.epmds import FakeEpmd
from tests.node.nodes import LocalNode, Receiver
from tests.waiting import DEADLINE, wait_until


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
        for message in (control.SendSender(client.pid, local.pid), control.Send(local.pid)):
            client.send_frame(encode_frame(control.encode_control(message), encode(3)))
        earlier = Pid(local.node.name, 1, 0, 5)
        client.send_frame(encode_frame(control.encode_control(control.Send(earlier)), encode(4)))
        client.send(5)
        got = [local.receiver.messages.get(timeout=DEADLINE)[1] for _ in range(5)]
    assert got == [1, 2, 3, 3, 5]


def test_a_tick_is_answered_with_a_tick_unless_something_went_out_since_the_last(local: LocalNode) -> None:
    """So two that answer do not go on for ever: the tick that is answered went out since the last one."""
    with Client(local.port) as client:

        def next_frame() -> bytes:
            return client.sock.recv(4, socket.MSG_WAITALL | socket.MSG_PEEK)

        client.send_frame(TICK)
        assert client.sock.recv(4, socket.MSG_WAITALL) == TICK
        client.send((Atom("echo"), 1))
        assert client.answer() == 1
        client.send_frame(TICK)
        client.send((Atom("echo"), 2))
        assert next_frame() != TICK
        assert client.answer() == 2
        client.send_frame(TICK + TICK)
        assert client.sock.recv(4, socket.MSG_WAITALL) == TICK
        client.send((Atom("echo"), 3))
        assert next_frame() != TICK
        assert client.answer() == 3


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
        (Limits().max_frame_bytes + 1).to_bytes(4, "big"),
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
            assert client.receive().control == control.Link(local.pid, pid)
        client.signal(Exit(stranger, local.pid, normal))
        client.signal(Exit(first, local.pid, normal))
        client.signal(Exit(first, local.pid, normal))
        in_payload = control.encode_control(Exit(second, local.pid, IN_PAYLOAD))
        client.send_frame(encode_frame(in_payload, encode((kill, b"why"))))
        client.signal(Exit2(stranger, local.pid, kill))
        got = [local.receiver.exits.get(timeout=DEADLINE) for _ in range(3)]
    assert got == [(first, normal), (second, (kill, b"why")), (stranger, kill)]


def test_nobody_ends_a_process_of_another_node(local: LocalNode) -> None:
    """However he says that it has ended, or that it is linked to us."""
    other = Pid("other@localhost", 5, 0, 7)
    with Client(local.port) as client:
        wait_until(local.names)
        client.signal(control.Link(other, local.pid))
        client.signal(Exit(other, local.pid, Atom("normal")))
        client.signal(Exit2(other, local.pid, Atom("kill")))
        client.signal(Exit2(client.pid, local.pid, Atom("last")))
        assert local.receiver.exits.get(timeout=DEADLINE) == (client.pid, Atom("last"))


def test_an_exit_signal_to_a_process_that_was_spawned_concerns_nobody(local: LocalNode) -> None:
    with Client(local.port) as client:
        wait_until(local.names)
        client.signal(Exit2(client.pid, local.node.links()[0].fresh_pid(), Atom("kill")))
        client.signal(Exit2(client.pid, local.pid, Atom("last")))
        assert local.receiver.exits.get(timeout=DEADLINE) == (client.pid, Atom("last"))


def test_signals_of_otp_28_are_those_of_before(local: LocalNode) -> None:
    """ALTACT_SIG_SEND: to a pid, to a name, an exit signal; what is to an alias is lost, since we make none."""
    pid = Pid("client@localhost", 1, 0, 7)
    reference = Reference(local.node.name, local.pid.creation, (1,))

    def send(bits: int, to: Pid | Reference | str, term: Term) -> None:
        client.send_frame(encode_frame(control.encode_control(AltactSigSend(bits, pid, to)), encode(term)))

    with Client(local.port) as client:
        send(AltactBits.TO_ALIAS, reference, (Atom("echo"), 1))
        send(0, local.node.links()[0].fresh_pid() if wait_until(local.names) else local.pid, (Atom("echo"), 2))
        send(AltactBits.PRIORITY, local.pid, (Atom("echo"), 3))
        assert client.answer() == 3
        send(AltactBits.TO_NAME, "foo", (Atom("echo"), 4))
        assert client.answer() == 4
        send(AltactBits.EXIT | AltactBits.PRIORITY, local.pid, (Atom("kill"), b"why"))
        assert local.receiver.exits.get(timeout=DEADLINE) == (pid, (Atom("kill"), b"why"))


def test_a_spawn_request_is_a_job_of_its_sender(local: LocalNode) -> None:
    reference = Reference("client@localhost", 7, (1, 2, 3))
    with Client(local.port) as client:
        request = control.SpawnRequest(reference, client.pid, client.pid, ("m", "f", 1), [Atom("monitor")])
        client.send_frame(encode_frame(control.encode_control(request), encode([b"x"])))
        assert Reference.of(client.answer()) == reference
        message, arguments = local.receiver.spawns.get(timeout=DEADLINE)
        assert (message.mfa, arguments) == (("m", "f", 1), [b"x"])


def test_pids_are_fresh_and_within_the_bits_of_old_nodes(local: LocalNode) -> None:
    with Client(local.port):
        link = wait_until(local.node.links)[0]
        made = {link.fresh_pid() for _ in range(40_000)}
    assert len(made) == 40_000
    assert all(0 <= pid.id <= 0x7FFF and 1 <= pid.serial <= 0x1FFF for pid in made)
    assert {(pid.node, pid.creation) for pid in made} == {(local.pid.node, local.pid.creation)}


def test_exits_to_another_pid_count_for_nothing(local: LocalNode) -> None:
    """One that the node had in an earlier life."""
    earlier, mine = Pid(local.node.name, 1, 0, 5), Pid("client@localhost", 2, 0, 7)
    with Client(local.port) as client:
        wait_until(local.names)
        local.node.processes.link(local.node.links()[0], mine)
        assert client.receive().control == control.Link(local.pid, mine)
        reference = local.node.links()[0].reference()
        client.signal(Exit(mine, earlier, Atom("kill")))
        client.signal(Exit2(mine, earlier, Atom("kill")))
        client.signal(MonitorPExit("handler", earlier, reference, Atom("noproc")))
        client.signal(Exit2(mine, local.pid, Atom("really")))
        assert local.receiver.exits.get(timeout=DEADLINE) == (mine, Atom("really"))
        assert local.receiver.monitors.empty()


def test_the_end_of_what_we_monitor_is_told(local: LocalNode) -> None:
    with Client(local.port) as client:
        wait_until(local.names)
        reference = local.node.links()[0].reference()
        local.node.processes.monitor(local.node.links()[0], "handler", reference)
        assert client.receive().control == MonitorP(local.pid, "handler", reference)
        client.signal(MonitorPExit("handler", local.pid, reference, Atom("noproc")))
        assert local.receiver.monitors.get(timeout=DEADLINE) == (reference, Atom("noproc"))


OVER = {
    "levels": b"\x83" + b"l\0\0\0\1" * 100 + b"j" * 101,
    "elements": b"\x83l" + (1_100_000).to_bytes(4, "big") + b"a\1" * 1_100_000 + b"j",
    "integer": b"\x83o" + (2500).to_bytes(4, "big") + b"\0" + b"\1" * 2500,
    "bytes": b"\x83m" + (2_000_000).to_bytes(4, "big") + b"\1" * 2_000_000,
    "key": b"\x83t\0\0\0\1" + b"t\0\0\0\0" + b"j",
}


@pytest.mark.parametrize("limit", OVER)
def test_a_reason_over_a_limit_is_a_reason(local: LocalNode, limit: str, caplog: pytest.LogCaptureFixture) -> None:
    """Of whoever it is; the link stays."""
    with Client(local.port) as client:
        wait_until(local.names)
        link = local.node.links()[0]
        mine, reference = Pid("client@localhost", 2, 0, 7), link.reference()
        local.node.processes.link(link, mine)
        client.receive()
        for message in (
            Exit(mine, local.pid, IN_PAYLOAD),
            Exit2(mine, local.pid, IN_PAYLOAD),
            MonitorPExit("handler", local.pid, reference, IN_PAYLOAD),
        ):
            client.send_frame(encode_frame(control.encode_control(message), OVER[limit]))
        assert local.receiver.monitors.get(timeout=DEADLINE) == (reference, UNREADABLE)
        got = [local.receiver.exits.get(timeout=DEADLINE) for _ in range(2)]
        assert got == [(mine, UNREADABLE)] * 2
        payload = b"\x83h\2" + encode_bare(Atom("shutdown")) + OVER[limit][1:]
        client.send_frame(encode_frame(control.encode_control(Exit2(mine, local.pid, IN_PAYLOAD)), payload))
        assert local.receiver.exits.get(timeout=DEADLINE) == (mine, (Atom("shutdown"), UNREADABLE))
        assert caplog.text.count("client@localhost: a reason that is not read") == 4
        assert local.names() == ["client@localhost"]


def test_a_reason_that_is_no_term_ends_the_link(local: LocalNode) -> None:
    with Client(local.port) as client:
        message = control.encode_control(Exit2(client.pid, local.pid, IN_PAYLOAD))
        client.send_frame(encode_frame(message, b"\x83\xff"))
        assert client.wait_closed() == b""


def test_a_monitor_of_an_earlier_life_is_answered(local: LocalNode) -> None:
    ref = Reference("client@localhost", 7, (1, 2, 3))
    earlier = Pid(local.node.name, 1, 0, 5)
    with Client(local.port) as client:
        client.signal(MonitorP(client.pid, local.pid, ref))
        client.signal(MonitorP(client.pid, "foo", ref))
        client.signal(control.DemonitorP(client.pid, "foo", ref))
        client.signal(MonitorP(client.pid, earlier, ref))
        received = client.receive()
    assert received.control == MonitorPExit(earlier, client.pid, ref, IN_PAYLOAD)
    assert received.reason() == Atom("noproc")


def test_references_are_never_the_same(local: LocalNode) -> None:
    """Whichever link makes them."""
    made: list[Reference] = []

    def make(link: Link) -> None:
        for _ in range(2000):
            made.append(link.reference())

    with Client(local.port), Client(local.port, name="other@localhost"):
        wait_until(lambda: len(local.names()) == 2)
        makers = [threading.Thread(target=make, args=(link,)) for link in local.node.links() * 2]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join(DEADLINE)
    assert len(set(made)) == 8000
    assert {reference.creation for reference in made} == {local.pid.creation}


def test_a_message_to_a_node_without_a_link_is_lost(local: LocalNode) -> None:
    local.node.send(Pid("nowhere@localhost", 1, 0, 1), b"lost")
    assert local.names() == []


def test_a_link_is_taken_down_once_and_by_its_reader(local: LocalNode, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asks for its end goes on at once, and whatever the end has to wait for. The first reason counts."""
    caplog.set_level(logging.INFO)
    go = threading.Event()
    local.receiver.taking_down = lambda: assert_set(go)
    with Client(local.port) as client:
        link = wait_until(local.node.links)[0]
        link.end("first")
        assert link.ended
        enders = [threading.Thread(target=link.end, args=(f"late {number}",)) for number in range(4)]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join(DEADLINE)
        wait_until(lambda: local.receiver.down_in)
        assert local.receiver.downs.empty()
        assert (local.node.links(), local.node.link_to(client.name)) == ([], None)
        go.set()
        assert client.wait_closed() == b""
    assert local.receiver.downs.get(timeout=DEADLINE) == client.name
    assert local.receiver.down_in == ["erlang:handshake"]
    assert "node down: client@localhost, first" in caplog.text
    assert "late" not in caplog.text


def assert_set(event: threading.Event) -> None:
    assert event.wait(DEADLINE)


@pytest.mark.parametrize("way", ["a full outbox", "a failed write", "a tick that did not come"])
def test_whoever_finds_that_a_link_must_end_does_not_end_it_himself(
    fake_epmd: FakeEpmd, free_port: Callable[[], int], way: str
) -> None:
    """He may hold a lock that the end needs, or be a thread of the switch."""
    local = LocalNode(free_port(), outbox_bytes=50_000)
    lock = threading.Lock()

    def take_down() -> None:
        with lock:
            pass

    local.receiver.taking_down = take_down
    try:
        with Client(local.port) as client:
            link = wait_until(local.node.links)[0]
            with lock:
                if way == "a full outbox":
                    while not link.ended:
                        link.send(client.pid, b"x" * 10_000)
                elif way == "a failed write":
                    link._stream._shut_down()  # as when the peer is gone
                    link.send(client.pid, b"x")
                else:
                    for _ in range(INTENSITY + 1):
                        local.node._ticker.look()
                assert link.ended
                link.send(client.pid, b"lost")
                assert local.receiver.downs.empty()
            assert local.receiver.downs.get(timeout=DEADLINE) == client.name
            assert local.receiver.down_in == ["erlang:handshake"]
    finally:
        local.stop()


def test_a_node_that_comes_back_waits_for_nobody(local: LocalNode) -> None:
    """Its old link is taken down meanwhile, and the new one stands."""
    go = threading.Event()
    with Client(local.port) as old:
        old.send((Atom("echo"), 1))
        assert old.answer() == 1
        local.receiver.taking_down = lambda: assert_set(go)
        with Client(local.port) as new:
            new.send((Atom("echo"), 2))
            assert new.answer() == 2
            wait_until(lambda: local.receiver.down_in)
            assert local.receiver.downs.empty()
            go.set()
            assert local.receiver.downs.get(timeout=DEADLINE) == "client@localhost"
            assert local.names() == ["client@localhost"]
            new.send((Atom("echo"), 3))
            assert new.answer() == 3


def test_a_request_that_ends_its_link_is_answered_before(local: LocalNode) -> None:
    with Client(local.port) as client:

        def leave(link: Link) -> None:
            link.send(client.pid, Atom("ok"))
            link.end("asked to")

        local.receiver.jobs["exit"] = leave
        client.send((Atom("run"), Atom("exit")))
        assert client.answer() == Atom("ok")
        assert client.wait_closed() == b""
    assert local.receiver.downs.get(timeout=DEADLINE) == client.name


def test_a_request_that_keeps_its_thread_keeps_no_link_from_its_end(local: LocalNode) -> None:
    go = threading.Event()
    local.receiver.jobs["wait"] = lambda link: assert_set(go)
    with Client(local.port) as client:
        client.send((Atom("run"), Atom("wait")))
        local.receiver.messages.get(timeout=DEADLINE)
        local.node.links()[0].end("asked to")
        assert client.wait_closed() == b""
        assert local.receiver.downs.get(timeout=DEADLINE) == client.name
        go.set()


@pytest.mark.parametrize("broken", ["_acceptors", "registration", "_ticker", "_links"])
def test_a_step_of_stop_that_fails_keeps_no_other_from_running(
    local: LocalNode, broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    part = getattr(local.node, broken)
    if broken == "_acceptors":
        (part,) = part
    name = "end" if broken == "_links" else "stop"
    step = getattr(part, name)

    def fail() -> None:
        step()
        raise OSError(107, "not connected")

    monkeypatch.setattr(part, name, fail)
    with Client(local.port) as client:
        wait_until(local.names)
        local.stop()
        assert client.wait_closed() == b""
    assert local.threads() == []
    assert "stopping, which goes on" in caplog.text


def test_a_request_may_stop_the_node(local: LocalNode) -> None:
    """Its own link is taken down all the same."""
    local.receiver.jobs["stop"] = lambda link: local.stop()
    with Client(local.port) as client:
        client.send((Atom("run"), Atom("stop")))
        assert client.wait_closed() == b""
    assert local.receiver.downs.get(timeout=DEADLINE) == client.name
    wait_until(lambda: local.threads() == [])


@pytest.mark.parametrize("name", ["watch", "ticker", "acceptor", "epmd"])
def test_a_thread_that_is_missing_is_known(
    fake_epmd: FakeEpmd, free_port: Callable[[], int], missing: set[str], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """What does not need it works: without the one for epmd the node is not found there, but has a name."""
    missing.add(name)
    receiver = Receiver()
    config = Config(listen_ip="127.0.0.1", listen_port=free_port(), cookie="ClueCon")
    node = Node("freeswitch@localhost", config, Room(1000, 1000), receiver)
    node.start()
    try:
        wait_until(lambda: node.threads.failed)
        assert node.threads.failed == (name,)
        assert f"thread erlang:{name} is missing: can't start new thread" in caplog.text
        if name != "acceptor":
            wait_until(node._named.is_set)
            with Client(config.listen_port) as client:
                client.send((Atom("echo"), 1))
                assert client.answer() == 1
    finally:
        node.stop()


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
