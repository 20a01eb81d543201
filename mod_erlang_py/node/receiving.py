"""From a frame to whom it is for."""

from __future__ import annotations

import logging
from typing import Protocol

from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import Received
from mod_erlang_py.errors import DecodeError, LimitExceeded, ProtocolViolation
from mod_erlang_py.etf import Atom, Limits, Pid, Reference, Term, decode_head
from mod_erlang_py.log_lines import about

from . import net_kernel
from .link import Link
from .processes import Processes
from .reader import Job

log = logging.getLogger(__name__)

LIMITS = Limits(elements=10_000, size=1024 * 1024)
"""Of a reason: it comes anew for each link and each monitor that ends with a process, and a few characters of it are
shown."""
UNREADABLE: Term = Atom("unreadable")
"""In place of one that is over them; of a pair, in place of the second, since `{shutdown, _}` has its meaning."""


class Receiver(Protocol):
    """Who serves the messages. Called from the threads of the node, with none of its locks held."""

    def received(self, link: Link, sender: Pid | None, to: Pid | str, payload: bytes) -> Job | None:
        """A message to a process of ours. to: as its sender named it. payload: the term's bytes, its 131 first.
        Raises ProtocolViolation."""

    def spawned(self, link: Link, message: control.SpawnRequest, payload: bytes) -> Job | None:
        """SPAWN_REQUEST, which gets its SPAWN_REPLY in any case. payload: the list of arguments, as in received.
        Raises ProtocolViolation."""

    def exited(self, link: Link, pid: Pid, reason: Term) -> None:
        """A process that we were linked to has ended, or tells us to."""

    def monitor_down(self, link: Link, reference: Reference, reason: Term) -> None:
        """What we monitor has ended, or never was: so says a peer, who may never have been asked."""

    def down(self, link: Link) -> None:
        """The link has ended; called once, by its reader, after the last `received` of that link began."""


def receive(receiver: Receiver, processes: Processes, link: Link, body: bytes) -> Job | None:
    """What a frame's body asks for: done at once, or the job that does it. Raises ProtocolViolation.

    A peer tells of the ends of its own processes; what it says of others' is dropped, as by OTP.
    """
    if not body:
        link.ticked()
        return None
    return _received(receiver, processes, link, link.bodies.decode(body))


def _received(receiver: Receiver, processes: Processes, link: Link, received: Received) -> Job | None:
    message, payload = received.control, received.payload or b""
    match message:
        case control.RegSend(from_pid, name):
            if name == "net_kernel" and net_kernel.answer(link, payload):
                return None
            return receiver.received(link, from_pid, name, payload)
        case control.SendSender(from_pid, to):
            if to == link.local:
                return receiver.received(link, from_pid, to, payload)
        case control.Send(to):
            if to == link.local:
                return receiver.received(link, None, to, payload)
        case control.Link():
            processes.linked(link, message)
        case control.Unlink() | control.UnlinkId():
            processes.unlinked(link, message)
        case control.Exit():
            if message.from_pid.node == link.name and processes.exited(link, message):
                receiver.exited(link, message.from_pid, _reason(link, received))
        case control.Exit2(from_pid, to):
            if to == link.local and from_pid.node == link.name:
                receiver.exited(link, from_pid, _reason(link, received))
        case control.MonitorPExit(to_pid=to):
            if to == link.local:
                receiver.monitor_down(link, message.ref, _reason(link, received))
        case control.MonitorP():
            processes.monitored(link, message)
        case control.DemonitorP():
            processes.demonitored(link, message)
        case control.SpawnRequest():
            return receiver.spawned(link, message, payload)
        case control.AltactSigSend():
            classic = _classic(message)
            if classic is not None:
                return _received(receiver, processes, link, Received(classic, payload))
        case _:
            pass  # a late acknowledgement, a group leader: nothing hangs on them
    return None


def _classic(message: control.AltactSigSend) -> control.RegSend | control.SendSender | control.Exit2 | None:
    """What older nodes send in its place; None for what is to an alias, of which we make none."""
    match message.to:
        case str(name):
            return control.RegSend(message.from_pid, name)
        case Pid() if message.bits & control.AltactBits.EXIT:
            return control.Exit2(message.from_pid, message.to, control.IN_PAYLOAD)
        case Pid():
            return control.SendSender(message.from_pid, message.to)
    return None


def _reason(link: Link, received: Received) -> Term:
    """One over a limit is a reason too: whoever had it has ended."""
    try:
        return received.reason(LIMITS)
    except LimitExceeded as over:
        name = received.control.op.name
        log.warning("%s: a reason that is not read, %s: %s", link.name, name, over, extra=about(link.name))
        payload = received.payload or b""
        head = decode_head(payload, 1, LIMITS) if payload[1:3] == b"h\2" else ()
        return (*head, UNREADABLE) if head else UNREADABLE
    except DecodeError as error:
        raise ProtocolViolation(f"exit reason: {error}") from None
