"""The node: its name, its connections in both directions, start and stop."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from mod_erlang_py.config.settings import Config, EpmdMode
from mod_erlang_py.distribution.epmd import EpmdEntry
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.handshake import AcceptorHandshake, InitiatorHandshake
from mod_erlang_py.distribution.handshake_events import LocalNode, PeerNode, Status
from mod_erlang_py.errors import DistError, EpmdError, Exhausted, NotConnected
from mod_erlang_py.etf import Pid, Term
from mod_erlang_py.etf.terms import MAX_ATOM_CHARACTERS
from mod_erlang_py.log_levels import NOTICE
from mod_erlang_py.log_lines import about

from . import carriers, handshakes
from .acceptor import Acceptor, address_of, ip_of
from .carriers import Carrier, TlsCarrier
from .challenges import Challenges
from .half_open import HalfOpen
from .link import Link
from .links import Attempt, Links
from .names import is_loopback
from .outbox import Outbox, Room
from .pool import Pool
from .processes import Processes
from .protection import protection
from .reader import Intake, Reader, step_aside
from .receiving import Receiver, receive
from .registration import Registration, epmd_port, look_up, own_creation
from .stalls import Stalls
from .streams.credentials import Credentials
from .streams.stream import Stream
from .threads import Threads
from .ticker import Ticker
from .watch import Watch

log = logging.getLogger(__name__)

STOP_TIME = 3.0
"""Seconds that the threads have to end."""
CONNECT_TIME = 7.0
"""Seconds for a connection of our own to come up, look-up included."""


class Node:
    """name: the full node name. receiver: who serves what comes.

    refuses: the name of the access control list that keeps an address out, or None. Raises ConfigError for files of TLS
    that cannot be used.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        room: Room,
        receiver: Receiver,
        refuses: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.name = name
        self.threads = Threads()
        limits = config.limits
        self.processes = Processes(limits.max_process_links, limits.max_monitors)
        self._config = config
        self._room = room
        self._receiver = receiver
        self._refuses = refuses
        self._outboxes: Pool[Outbox] = Pool(config.outbox_bytes_total)
        self._readers: Pool[Reader] = Pool(limits.max_waiting_request_bytes_total)
        self._links = Links(limits.max_nodes, limits.max_nodes_per_address, limits.max_running_requests)
        self._creation = 0  # until epmd has answered, or is not to be had
        self._named = threading.Event()
        self._challenges = Challenges()
        self._numbers = itertools.count(1)
        self._watch = Watch()
        self._stalls = Stalls()
        self._ticker = Ticker(self.links, config.net_ticktime)
        self._half_open = HalfOpen(limits.max_half_open)
        self._tls = TlsCarrier(config.tls) if config.tls.on else None
        ways = carriers.ways(config, self._tls)
        self._carrier, _, self._port = ways[0]
        self._acceptors = tuple(
            Acceptor(
                config.listen_ip,
                port,
                partial(self._accepted, carrier),
                self._half_open,
                self.threads,
                not config.stop_on_bind_error,
                setting,
            )
            for carrier, setting, port in ways
        )
        alive = name.partition("@")[0]
        self.registration = Registration(
            EpmdEntry(alive, self._port), epmd_port(), config.epmd, is_loopback(config.listen_ip), self.threads
        )
        self.started = time.monotonic()

    def start(self) -> None:
        """Start to listen, register with epmd and serve; returns at once, whatever is not to be had yet is tried on."""
        self.threads.serve("watch", self._watch.run)
        self.threads.serve("ticker", self._ticker.run)
        self.threads.serve("stalls", self._stalls.run)
        log.log(NOTICE, "%s", protection(self._config).text)
        first, *second = self._acceptors
        self.threads.serve("acceptor", partial(first.run, self._listening))
        for other in second:
            self.threads.serve("second acceptor", partial(other.run, self._listening_too))

    def _listening(self, address: str) -> None:
        """At the port that epmd is to have."""
        log.log(NOTICE, "%s listens on %s", self.name, address)
        if not self.threads.serve("epmd", lambda: self.registration.run(self._name)):
            self._name(own_creation())
        self._named.wait()

    def _listening_too(self, address: str) -> None:
        log.log(NOTICE, "%s listens on %s, too", self.name, address)
        self._named.wait()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens, "ip:port", the one that epmd has first; nowhere yet, or no more."""
        return tuple(one.address for one in self._acceptors if one.address)

    def _name(self, creation: int) -> None:
        self._creation = creation
        self._named.set()

    @property
    def config(self) -> Config:
        """As it is in force now."""
        return self._config

    def configure(self, config: Config, room: Room) -> None:
        """What can change while links are up; the cookie, and all about TLS, counts for those to come. Raises
        ConfigError for files of TLS that cannot be used: then nothing has changed."""
        if self._tls is not None:
            self._tls.load(config.tls)
        self._config = config
        self._room = room
        self._ticker.tick_time = config.net_ticktime
        limits = config.limits
        self.processes.configure(limits.max_process_links, limits.max_monitors)
        self._outboxes.resize(config.outbox_bytes_total)
        self._readers.resize(limits.max_waiting_request_bytes_total)
        self._links.configure(limits.max_nodes, limits.max_nodes_per_address, limits.max_running_requests)
        self._half_open.most = limits.max_half_open
        for link in self.links():
            link.configure(room, Intake.of(limits))

    @property
    def credentials(self) -> Credentials | None:
        """Those of TLS, for connections to come."""
        return None if self._tls is None else self._tls.credentials

    def warnings(self) -> tuple[str, ...]:
        """What is wrong with our certificate."""
        return () if self._tls is None else self._tls.warnings(self.name.partition("@")[2])

    # links

    def links(self) -> list[Link]:
        """Those that are up, the oldest first."""
        return self._links.up()

    def link_to(self, name: str) -> Link | None:
        """The link to a node, if one is up."""
        return self._links.get(name)

    def requests(self) -> int:
        """How many came so far, over links that are down included."""
        return self._links.requests()

    def send(self, to: Pid, term: Term) -> None:
        """Send to a process of a node we have a link to; without one the message is lost, as in Erlang."""
        link = self.link_to(to.node)
        if link is not None:
            link.send(to, term)

    def _up(
        self, stream: Stream, peer: PeerNode, address: str, trailing: bytes, made_by: Attempt | None = None
    ) -> Link:
        """The peer has shown that it knows the cookie: its link is up, for the calling thread to read.
        Raises DistError."""
        link = Link(
            peer,
            address,
            Pid(self.name, 1, 0, self._creation),
            self._numbers,
            stream,
            self._room,
            Intake.of(self._config.limits),
            self._watch,
            self.threads.start,
            self._outboxes,
            self._readers,
            partial(self._links.left_behind, peer.name),
            partial(receive, self._receiver, self.processes),
            self._down,
            trailing,
        )
        self._links.add(link, made_by)
        # A reload may have come since that was read, for the links that were up then.
        link.configure(self._room, Intake.of(self._config.limits))
        log.log(NOTICE, "node up: %s, from %s, by %s", peer.name, address, stream.protocol, extra=about(peer.name))
        return link

    def _down(self, link: Link, reason: str) -> None:
        log.log(NOTICE, "node down: %s, %s", link.name, reason, extra=about(link.name))
        self._links.remove(link)
        self.processes.forget(link)
        self._receiver.down(link)

    # connections of peers

    def _accepted(self, carrier: Carrier, sock: socket.socket, address: str) -> None:
        """A connection came in; this thread shakes hands and becomes the link's reader."""
        ip = _peer_ip(sock)
        peer = ""

        def status(name: str) -> Status:
            nonlocal peer
            peer = name
            self._half_open.spoke(sock)
            self._links.greet(name, ip)
            carriers.check(carrier, self._config, name)
            return self._status(name, ip)

        try:
            refused_by = self._refuses(ip)
            if refused_by is not None:
                log.warning("connection from %s refused by apply-inbound-acl %s", address, refused_by, extra=about(ip))
                sock.close()
                return
            try:
                link = self._greet(carrier, sock, address, status)
            finally:
                if peer:
                    self._links.greeted(peer, ip)
        except Exception as error:
            sock.close()
            self._links.came_to_nothing(peer, ip, f"it was connecting to us, but failed: {error}")
            if not isinstance(error, (DistError, OSError)):
                raise
            if not self._links.closed:
                log.warning("connection from %s refused: %s", address, error, extra=about(ip))
            return
        link.read()

    def _greet(self, carrier: Carrier, sock: socket.socket, address: str, status: Callable[[str], Status]) -> Link:
        stream = carrier.accept(sock, partial(self._half_open.spoke, sock))
        with self._challenges.fresh() as challenge:
            handshake = AcceptorHandshake(
                self._local(),
                self._config.cookie_of,
                challenge,
                header=carrier.header,
                refused_challenges=self._challenges,
            )
            peer, trailing = handshakes.accept(stream, handshake, status)
        self._half_open.done(sock)
        return self._up(stream, peer, address, trailing)

    def _status(self, name: str, ip: str) -> Status:
        """What a node that connects to us is told (ERTS, "Distribution Handshake"). Raises NotAllowed."""
        if name == self.name:
            # Without epmd every node has our port: on our own address we dialled ourselves, and need not wait.
            return Status.NOT_ALLOWED if self._config.epmd is EpmdMode.NONE else Status.NOK
        too_many = self._links.too_many(name, ip)
        if too_many:
            raise handshakes.NotAllowed("status", f"{too_many}: {name} is not let in")
        match self._links.known(name):
            case Link():
                return Status.ALIVE
            case Attempt():
                return Status.NOK if self.name > name else Status.OK_SIMULTANEOUS
        return Status.OK

    def _local(self) -> LocalNode:
        return LocalNode(self.name, OURS, self._creation)

    # our own

    def connect(self, name: str, timeout: float = CONNECT_TIME) -> Link:
        """The link to a node, made if there is none; calls that come meanwhile share the attempt.

        timeout: seconds. Raises NotConnected.
        """
        link = self.link_to(name)
        if link is not None:
            return link
        if not self._named.is_set():
            raise NotConnected(name, "the node is not running")
        if name == self.name:
            raise NotConnected(name, "that is this node")
        if len(name) > MAX_ATOM_CHARACTERS:
            raise NotConnected(f"{name[:MAX_ATOM_CHARACTERS]}…", f"a name has at most {MAX_ATOM_CHARACTERS} characters")
        attempt = Attempt(name)
        found = self._links.reach(attempt)
        if isinstance(found, Link):
            return found
        if found is attempt:
            try:
                self.threads.start("connect", partial(self._attempt, attempt))
            except Exhausted as error:
                self._links.fail(attempt, str(error))
        step_aside()
        return found.result(timeout)

    def _attempt(self, attempt: Attempt) -> None:
        """Connect to a node; this thread becomes the link's reader."""
        try:
            link = self._dial(attempt)
        except (EpmdError, DistError, OSError, UnicodeError) as error:
            self._links.fail(attempt, str(error))
        except Exception as error:
            self._links.fail(attempt, type(error).__name__)
            raise
        else:
            if link is not None:
                link.read()

    def _dial(self, attempt: Attempt) -> Link | None:
        """The link; None when it is the peer's own attempt that counts, and that one has ended."""
        name = attempt.name
        carriers.check(self._carrier, self._config, name)
        alive, _, host = name.partition("@")
        if self._config.epmd is EpmdMode.NONE:
            port = self._port  # the same on every node, as with OTP's -erl_epmd_port
        else:
            port = look_up(alive, host, epmd_port()).port
        sock = socket.create_connection((host, port), timeout=CONNECT_TIME)
        try:
            stream = self._carrier.connect(sock, host)
            with self._challenges.fresh() as challenge:
                handshake = InitiatorHandshake(
                    self._local(),
                    name,
                    self._config.cookie_of(name),
                    challenge,
                    header=self._carrier.header,
                    refused_challenges=self._challenges,
                )
                ip = _peer_ip(sock)
                peer, trailing = handshakes.connect(stream, handshake, lambda: self._links.is_dead(attempt, ip))
            gave_way = handshake.status is Status.OK_SIMULTANEOUS
            address = address_of(sock.getpeername())
            return self._up(stream, peer, address, trailing, None if gave_way else attempt)
        except handshakes.Simultaneous:
            sock.close()
            self._links.make_way(attempt, ip, handshakes.SETUP_TIME)
            self._links.fail(attempt, "it was connecting to us, but did not finish")
            return None
        except BaseException:
            sock.close()
            raise

    def stop(self) -> None:
        """Leave epmd, close every link, and wait for the threads, STOP_TIME at most."""
        steps = (
            self._links.close,
            *(acceptor.stop for acceptor in self._acceptors),
            self.registration.stop,
            self._ticker.stop,
            self._stalls.stop,
            self._links.end,
            self._watch.stop,
            self._named.set,
        )
        for step in steps:
            try:
                step()
            except Exception:
                log.exception("stopping, which goes on")
        left = self.threads.join(STOP_TIME)
        if left:
            log.warning("still running after %g s: %s", STOP_TIME, ", ".join(left))


def _peer_ip(sock: socket.socket) -> str:
    try:
        return ip_of(sock.getpeername())
    except OSError:
        return ""  # gone already
