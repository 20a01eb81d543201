"""The node: its name, its links to peers, and the way between a link and what the node serves."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Protocol

from mod_erlang_py.config.settings import Config, EpmdMode
from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import FrameReader, Received, decode_body
from mod_erlang_py.distribution.epmd import EpmdEntry
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.handshake import (
    AcceptorHandshake,
    InitiatorHandshake,
    LocalNode,
    PeerNode,
    Status,
)
from mod_erlang_py.errors import DecodeError, DistError, EpmdError, HandshakeError, NotConnected, ProtocolViolation
from mod_erlang_py.etf import Pid, Reference, Term
from mod_erlang_py.log_levels import NOTICE

from . import handshakes, net_kernel
from .acceptor import Acceptor, address_of, ip_of
from .challenges import Challenges
from .link import Link
from .names import is_loopback
from .outbox import Outbox, Room
from .processes import Processes
from .reader import Job, Reader, step_aside
from .registration import Registration, epmd_port, look_up
from .stream import TcpStream
from .threads import Threads
from .ticker import Ticker
from .watch import Watch

log = logging.getLogger(__name__)

MAX_FRAME = 64 * 1024 * 1024
"""Bytes in one frame of a peer; OTP has no limit, a switch needs one."""
STOP_TIME = 3.0
"""Seconds that the threads have to end."""
CONNECT_TIME = 7.0
"""Seconds for a connection of our own to come up, look-up included."""


class Receiver(Protocol):
    """Who serves the messages. Called from the threads of the node, with none of its locks held."""

    def received(self, link: Link, sender: Pid | None, payload: bytes) -> Job | None:
        """A message to a process of ours. payload: the term's bytes, its 131 first; raises ProtocolViolation."""

    def exited(self, link: Link, pid: Pid, reason: Term) -> None:
        """A process that we were linked to has ended, or tells us to."""

    def monitor_down(self, reference: Reference, reason: Term) -> None:
        """What we monitor has ended, or never was."""

    def down(self, link: Link) -> None:
        """The link has ended; called once, after the last `received` of that link began."""


class Node:
    """name: the full node name. creation: set once epmd has answered, or is not to be had.

    refuses: the name of the access control list that keeps an address out, or None.
    """

    def __init__(
        self, name: str, config: Config, room: Room, refuses: Callable[[str], str | None] = lambda _: None
    ) -> None:
        self.name = name
        self.receiver: Receiver
        self.threads = Threads()
        self._config = config
        self._room = room
        self._refuses = refuses
        self._lock = threading.Lock()
        self._links: dict[str, Link] = {}
        self._past_requests = 0
        self._attempts: dict[str, Future[Link]] = {}
        self._stopping = False
        self._named = threading.Event()
        self._challenges = Challenges()
        self._references = itertools.count(1)
        self._watch = Watch()
        self._ticker = Ticker(self.links, config.net_ticktime)
        self._acceptor = Acceptor(
            config.listen_ip, config.listen_port, self._accepted, self.threads, not config.stop_on_bind_error
        )
        alive = name.partition("@")[0]
        self.registration = Registration(
            EpmdEntry(alive, config.listen_port), epmd_port(), config.epmd, is_loopback(config.listen_ip), self.threads
        )
        self._creation = 0
        self.pid: Pid
        self.processes: Processes
        self.started = time.monotonic()
        self.addresses: tuple[str, ...] = ()
        """Where it listens, "ip:port"; none yet, or none any more."""

    def start(self) -> None:
        """Start to listen, register with epmd and serve; returns at once, whatever is not to be had yet is tried on."""
        self.threads.start("watch", self._watch.run)
        self.threads.start("ticker", self._ticker.run)
        self.threads.start("acceptor", lambda: self._acceptor.run(self._listening))

    def _listening(self, address: str) -> None:
        self.addresses = (address,)
        log.log(NOTICE, "%s listens on %s", self.name, address)
        self.threads.start("epmd", lambda: self.registration.run(self._name))
        self._named.wait()

    def _name(self, creation: int) -> None:
        self._creation = creation
        self.pid = Pid(self.name, 1, 0, creation)
        self.processes = Processes(self.pid)
        self._named.set()

    @property
    def config(self) -> Config:
        """As it is in force now."""
        return self._config

    def configure(self, config: Config, room: Room) -> None:
        """What can change while links are up; the cookie counts for those to come."""
        with self._lock:
            self._config = config
            self._room = room
        self._ticker.tick_time = config.net_ticktime
        for link in self.links():
            link.outbox.resize(room)

    # links

    def links(self) -> list[Link]:
        """Those that are up, the oldest first."""
        with self._lock:
            return list(self._links.values())

    def requests(self) -> int:
        """How many came so far, over links that are down included."""
        with self._lock:
            return self._past_requests + sum(link.requests for link in self._links.values())

    def link_to(self, name: str) -> Link | None:
        with self._lock:
            return self._links.get(name)

    def reference(self) -> Reference:
        """A reference that this node has not made before; its first word has 18 bits, for old nodes."""
        number = next(self._references)
        return Reference(self.name, self._creation, (number & 0x3FFFF, number >> 18 & 0xFFFFFFFF, 0))

    def _accepted(self, sock: socket.socket, address: str) -> None:
        """A connection came in; this thread shakes hands and becomes the link's reader."""
        refused_by = self._refuses(_peer_ip(sock))
        if refused_by is not None:
            sock.close()
            log.warning("connection from %s refused by apply-inbound-acl %s", address, refused_by)
            return
        try:
            with self._challenges.fresh() as challenge:
                handshake = AcceptorHandshake(
                    self._local(), self._config.cookie, challenge, refused_challenges=self._challenges
                )
                peer, trailing = handshakes.accept(sock, handshake, self._status)
            self._acceptor.done(sock)
            link = self._join(sock, peer, address, trailing)
        except (DistError, OSError) as error:
            sock.close()
            if not self._stopping:
                log.warning("connection from %s refused: %s", address, error)
            return
        link.reader.read()

    def _status(self, name: str) -> Status:
        """What a node that connects to us is told (the reference's sections 2.2 and 2.3)."""
        with self._lock:
            if name == self.name:
                # Without epmd every node has our port: on our own address we dialled ourselves, and need not wait.
                return Status.NOT_ALLOWED if self._config.epmd is EpmdMode.NONE else Status.NOK
            if name in self._links:
                return Status.ALIVE
            if name in self._attempts:
                return Status.NOK if self.name > name else Status.OK_SIMULTANEOUS
            return Status.OK

    def _local(self) -> LocalNode:
        return LocalNode(self.name, OURS, self._creation)

    def _join(self, sock: socket.socket, peer: PeerNode, address: str, trailing: bytes) -> Link:
        """The peer has shown that it knows the cookie: its link is up, in place of one it had before."""
        stream = TcpStream(sock)
        link = Link(peer, address, self.pid, stream, self._gone)
        link.outbox = Outbox(stream, self._room, self.threads.start, link.end)
        link.reader = Reader(
            stream,
            FrameReader(MAX_FRAME),
            lambda body: self._receive(link, body),
            link.unread,
            self._watch,
            self.threads.start,
        )
        link.reader.feed(trailing)
        while True:
            with self._lock:
                if self._stopping:
                    raise HandshakeError("link", "the node stops")
                old = self._links.get(peer.name)
                if old is None:
                    self._links[peer.name] = link
                    break
            old.end("replaced by a new connection of the same node")
        self._watch.add(link.reader)
        log.log(NOTICE, "node up: %s, from %s", peer.name, address)
        with self._lock:
            waiting = self._attempts.get(peer.name)
            if waiting is not None and not waiting.done():
                waiting.set_result(link)
        return link

    def _gone(self, link: Link, reason: str) -> None:
        self._watch.remove(link.reader)
        with self._lock:
            if self._links.get(link.name) is link:
                del self._links[link.name]
                self._past_requests += link.requests
        log.log(NOTICE, "node down: %s, %s", link.name, reason)
        self.processes.forget(link)
        self.receiver.down(link)

    def connect(self, name: str, timeout: float = CONNECT_TIME) -> Link:
        """The link to a node, made if there is none; calls that come meanwhile share the attempt.

        timeout: seconds. Raises NotConnected.
        """
        with self._lock:
            link = self._links.get(name)
            if link is not None:
                return link
            if self._stopping or not self._named.is_set():
                raise NotConnected(name, "the node is not running")
            if name == self.name:
                raise NotConnected(name, "that is this node")
            attempt = self._attempts.get(name)
            ours = attempt is None
            if attempt is None:
                attempt = self._attempts[name] = Future()
        if ours:
            self.threads.start("connect", lambda: self._attempt(name, attempt))
        step_aside()
        try:
            return attempt.result(timeout)
        except FutureTimeout:
            raise NotConnected(name, f"no answer within {timeout:g} s") from None

    def _attempt(self, name: str, attempt: Future[Link]) -> None:
        """Connect to a node; this thread becomes the link's reader."""
        link = None
        refused = ""
        try:
            link = self._dial(name)
        except handshakes.Simultaneous:
            wait([attempt], handshakes.SETUP_TIME)  # for the link that the peer is making
            refused = "it was connecting to us, but did not finish"
        except (EpmdError, DistError, OSError, UnicodeError) as error:
            refused = str(error)
        with self._lock:
            del self._attempts[name]
            if not attempt.done():
                attempt.set_exception(NotConnected(name, refused))
        if link is not None:
            link.reader.read()

    def _dial(self, name: str) -> Link:
        alive, _, host = name.partition("@")
        if self._config.epmd is EpmdMode.NONE:
            port = self._config.listen_port  # the same on every node, as with OTP's -erl_epmd_port
        else:
            port = look_up(alive, host, epmd_port()).port
        sock = socket.create_connection((host, port), timeout=CONNECT_TIME)
        try:
            with self._challenges.fresh() as challenge:
                handshake = InitiatorHandshake(
                    self._local(), name, self._config.cookie, challenge, refused_challenges=self._challenges
                )
                peer, trailing = handshakes.connect(sock, handshake, lambda: self.link_to(name) is None)
            return self._join(sock, peer, address_of(sock.getpeername()), trailing)
        except (DistError, OSError):
            sock.close()
            raise

    # messages

    def send(self, to: Pid, term: Term) -> None:
        """Send to a process of a node we have a link to; without one the message is lost, as in Erlang."""
        link = self.link_to(to.node)
        if link is not None:
            link.send(to, term)

    def _receive(self, link: Link, body: bytes) -> Job | None:
        if not body:
            return None  # a tick
        received = decode_body(body)
        message, payload = received.control, received.payload or b""
        match message:
            case control.RegSend(from_pid, name):
                if name == "net_kernel":
                    net_kernel.answer(link, payload)
                    return None
                return self.receiver.received(link, from_pid, payload)
            case control.SendSender(from_pid, to):
                if to == self.pid:
                    return self.receiver.received(link, from_pid, payload)
            case control.Send(to):
                if to == self.pid:
                    return self.receiver.received(link, None, payload)
            case control.Link():
                self.processes.linked(link, message)
            case control.Unlink() | control.UnlinkId():
                self.processes.unlinked(link, message)
            case control.Exit():
                if self.processes.exited(link, message):
                    self.receiver.exited(link, message.from_pid, _reason(received))
            case control.Exit2():
                self.receiver.exited(link, message.from_pid, _reason(received))
            case control.MonitorPExit():
                self.receiver.monitor_down(message.ref, _reason(received))
            case control.MonitorP():
                self.processes.monitored(link, message)
            case _:
                pass  # a demonitor, a late acknowledgement, a group leader: nothing hangs on them
        return None

    def stop(self) -> None:
        """Leave epmd, close every link, and wait for the threads, STOP_TIME at most."""
        with self._lock:
            self._stopping = True
            self.addresses = ()
            links = list(self._links.values())
        self._acceptor.stop()
        self.registration.stop()
        self._ticker.stop()
        for link in links:
            link.end("the node stops")
        self._watch.stop()
        self._named.set()
        left = self.threads.join(STOP_TIME)
        if left:
            log.warning("still running after %g s: %s", STOP_TIME, ", ".join(left))


def _reason(received: Received) -> Term:
    try:
        return received.reason()
    except DecodeError as error:
        raise ProtocolViolation(f"exit reason: {error}") from None


def _peer_ip(sock: socket.socket) -> str:
    try:
        return ip_of(sock.getpeername())
    except OSError:
        return ""  # gone already
