"""The wire between the node and another is cut at every byte, is slow, or passes nothing."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from itertools import count

from mod_erlang_py.distribution.connection import encode_frame
from mod_erlang_py.distribution.control import (
    ControlMessage,
    DemonitorP,
    Exit2,
    Link,
    MonitorP,
    RegSend,
    SpawnRequest,
    UnlinkId,
    encode_control,
)
from mod_erlang_py.distribution.epmd import EpmdEntry
from mod_erlang_py.errors import DecodeError, DistError, HandshakeError
from mod_erlang_py.etf import Atom, Binary, Pid, Reference, Term, encode
from scripts.bench.peers.event_socket import EventSocket
from scripts.epmd import Epmd, epmd_names
from scripts.scratch import free_port
from scripts.trials.client import CREATION, Client
from scripts.trials.faults.fault import Fault, Trial
from scripts.trials.faults.names import Registered
from scripts.trials.faults.proxy import Cut, Fate, Frozen, Proxy, delayed, dropped, passing, trickled
from scripts.trials.faults.victim import Victim

CALLS = 20
_numbers = count(1)
_RESET = struct.pack("ii", 1, 0)


def _terms(us: Pid) -> list[Term]:
    """A request of each family."""
    uuid = b"6a0a7b0c-0000-4000-8000-000000000000"
    alias = (us, Reference(us.node, CREATION, (1, 2, 3)))
    return [
        (Atom("api"), Atom("echo"), b"hello"),
        (Atom("bgapi"), Atom("echo"), b"hello"),
        (Atom("json_api"), {Atom("command"): Atom("nothing")}),
        (Atom("event"), Atom("HEARTBEAT"), Atom("CUSTOM"), Atom("a::b")),
        (Atom("filter"), b"Order-ID 7"),
        (Atom("sendevent"), Atom("CUSTOM"), b"a::b", [(b"Order-ID", b"7"), (b"body", b"tea")]),
        (Atom("subscribe"), [Atom("HEARTBEAT")], [(Atom("ack"), 5)]),
        (Atom("bind"), Atom("chatplan")),
        (Atom("fetch_reply"), uuid, Binary(b"<user id='1'/>")),
        (Atom("handlecall"), uuid),
        (Atom("nohandle"), uuid),
        (Atom("sendmsg"), uuid, [(b"call-command", b"hangup")]),
        (Atom("execute"), uuid, b"answer", b""),
        (Atom("set_log_level"), Atom("err")),
        (Atom("$gen_call"), alias, (Atom("api"), Atom("echo"), b"hello")),
        Atom("register_log_handler"),
        Atom("register_event_handler"),
        Atom("getpid"),
    ]


def _messages(us: Pid, node: str) -> list[bytes]:
    """A frame of each kind of message, from that process."""
    reference = Reference(us.node, CREATION, (4, 5, 6))
    theirs = Pid(node, 1, 0, 1)
    signals: list[ControlMessage] = [
        Link(us, theirs),
        UnlinkId(7, us, theirs),
        MonitorP(us, "freeswitch", reference),
        DemonitorP(us, "freeswitch", reference),
        Exit2(us, theirs, Atom("killed")),
    ]
    spawn = SpawnRequest(reference, us, us, ("erlang", "node", 0), [])
    return [
        *(encode_frame(encode_control(RegSend(us, "foo")), encode(term)) for term in _terms(us)),
        *(encode_frame(encode_control(signal)) for signal in signals),
        encode_frame(encode_control(spawn), encode([])),
    ]


def _fresh(trial: Trial, port: int | None = None) -> Client:
    return trial.client(f"cut{next(_numbers)}", port)


def _cut_in_handshake(trial: Trial) -> int:
    """Both directions, by a reset and by a close; until a handshake passes whole."""
    tries = 0
    with Proxy(trial.switch.port) as proxy:
        for direction in ("there", "back"):
            for after in range(0, 2000, trial.step):
                proxy.reset = bool(after % 2)
                setattr(proxy, direction, Cut(after))
                tries += 1
                try:
                    _fresh(trial, proxy.port).close()
                    break
                except (HandshakeError, DistError, DecodeError, OSError):
                    pass
            setattr(proxy, direction, passing)
    return tries


def _cut_when_dialled(trial: Trial) -> int:
    """The same of a link that the switch makes."""
    tries = 0
    epmd = Epmd(free_port())
    trial.stack.callback(epmd.stop)
    far = trial.victim(epmd.port)
    alive = far.name.partition("@")[0]
    with (
        Proxy((epmd_names(epmd.port) or {})[alive]) as proxy,
        Registered(trial.switch.epmd_port, EpmdEntry(alive, proxy.port)),
        EventSocket(trial.switch.scratch.event_socket_port, trial.switch.scratch.password) as console,
    ):
        for direction in ("there", "back"):
            for after in range(0, 2000, trial.step):
                proxy.reset = bool(after % 2)
                setattr(proxy, direction, Cut(after))
                tries += 1
                if console.api(f"erlang connect {far.name}").startswith("+OK"):
                    break
            setattr(proxy, direction, passing)
            console.api(f"erlang disconnect {far.name}")
    return tries


def _cut_in_message(trial: Trial) -> int:
    """Of each kind, at each byte."""
    tries = 0
    for kind in range(len(_messages(Pid("a@b", 1, 0, CREATION), trial.switch.name))):
        after = 0
        while True:
            with _fresh(trial) as client:
                frame = _messages(client.pid, trial.switch.name)[kind]
                if after >= len(frame):
                    break
                client.send_frame(frame[:after])
                if after % 2:
                    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            tries += 1
            after += trial.step
    return tries


def _cut_in_answer(trial: Trial) -> int:
    """Of each request that has one, at each byte of it."""
    tries = 0
    with Proxy(trial.switch.port) as proxy:
        for kind in range(len(_terms(Pid("a@b", 1, 0, CREATION)))):
            for after in range(1, 400, trial.step):
                proxy.reset = bool(after % 2)
                proxy.back = passing
                with _fresh(trial, proxy.port) as client:
                    proxy.back = Cut(after)
                    client.send(_terms(client.pid)[kind])
                    tries += 1
                    if _answered(client):
                        break
    return tries


def _answered(client: Client) -> bool:
    """Whether a whole answer came before the cut."""
    try:
        client.receive()
    except (DistError, DecodeError, OSError):
        return False
    return True


@contextlib.contextmanager
def _behind(trial: Trial) -> Iterator[tuple[Victim, Proxy]]:
    """A victim for which the switch is behind a proxy."""
    epmd = Epmd(free_port())
    trial.stack.callback(epmd.stop)
    with (
        Proxy(trial.switch.port) as proxy,
        Registered(epmd.port, EpmdEntry(trial.switch.name.partition("@")[0], proxy.port)),
        trial.victim(epmd.port) as victim,
    ):
        yield victim, proxy


def _slow(there: Fate, back: Fate) -> Callable[[Trial], int]:
    def inflict(trial: Trial) -> int:
        with _behind(trial) as (victim, proxy):
            proxy.there, proxy.back = there, back
            trial.check(victim.busy(CALLS) == CALLS, "the victim did not get its calls")
            victim.hang_up()
            trial.all_came(victim.quiet())
        return CALLS

    return inflict


def _freezes(trial: Trial) -> int:
    """Nothing passes for a while, less than net-ticktime; what was under way is done afterwards."""
    with _behind(trial) as (victim, proxy):
        trial.check(victim.busy(CALLS) == CALLS, "the victim did not get its calls")
        frozen = Frozen()
        proxy.there = proxy.back = frozen
        trial.others_for(6)
        frozen.thaw()
        victim.hang_up()
        trial.all_came(victim.quiet())
    return 1


def _drops(trial: Trial) -> int:
    """Nothing arrives any more, and nobody says so: the link ends with net-ticktime, its calls are let go."""
    with _behind(trial) as (victim, proxy):
        trial.check(victim.busy(CALLS) == CALLS, "the victim did not get its calls")
        proxy.there = proxy.back = dropped
        listed = victim.name
        trial.until(lambda: listed not in trial.switch.fs_cli("erlang listeners"), 20, "the dead link stays")
        trial.calls_let_go()
    with _behind(trial) as (victim, proxy):
        victim.reach()
    return 1


FAULTS = (
    Fault("cut-handshake", "the wire cut at every byte of a handshake, each way", _cut_in_handshake),
    Fault("cut-dialled", "the same, when the switch dials", _cut_when_dialled),
    Fault("cut-message", "cut at every byte of each kind of message", _cut_in_message),
    Fault("cut-answer", "cut at every byte of each kind of answer", _cut_in_answer),
    Fault("delay", "a wire that delays by 50 ms", _slow(delayed(0.05), delayed(0.05))),
    Fault("trickle", "a wire that trickles, byte by byte", _slow(trickled(1), trickled(200))),
    Fault("freeze", "a wire that is frozen for 6 s", _freezes, allowed=7.0),
    Fault("drop", "a wire that drops everything", _drops, allowed=7.0, settings={"net-ticktime": "4"}),
)
