"""Takes connections: one thread that accepts, and one for each connection until its handshake is done."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable

from mod_erlang_py.errors import Exhausted
from mod_erlang_py.log_lines import about

from .half_open import HalfOpen
from .names import ANY
from .threads import Threads

log = logging.getLogger(__name__)

BACKLOG = 128
RETRY = 1.0
"""Seconds until a port that was taken is tried again."""


class Acceptor:
    """shake_hands: gets each connection and its address "ip:port", in a thread of its own; closes it.

    half_open: of all acceptors together. try_again: whether a port that is taken is tried again. setting: the port's.
    """

    def __init__(
        self,
        ip: str,
        port: int,
        shake_hands: Callable[[socket.socket, str], None],
        half_open: HalfOpen,
        threads: Threads,
        try_again: bool = True,
        setting: str = "listen-port",
    ) -> None:
        self._setting = setting
        self._try_again = try_again
        self._ip = ip
        self._port = port
        self._shake_hands = shake_hands
        self._threads = threads
        self._lock = threading.Lock()
        self._half_open = half_open
        self._stopping = threading.Event()
        self._listening: socket.socket | None = None
        self.address = ""
        """Where it listens, "ip:port"; nowhere yet, or no more."""

    def run(self, listening: Callable[[str], None]) -> None:
        """The accepting thread. listening: called with "ip:port" once the port is ours."""
        server = self._listen()
        if server is None:
            return
        listening(address_of(server.getsockname()))
        while not self._stopping.is_set():
            try:
                connection, peer = server.accept()
            except OSError as error:
                if self._stopping.is_set():
                    break
                log.error("%s %d: accept: %s", self._setting, self._port, error)
                self._stopping.wait(RETRY if error.errno in (errno.EMFILE, errno.ENFILE) else 0.01)
                continue
            try:
                self._admit(connection, address_of(peer), ip_of(peer))
            except Exception:
                log.exception("connection from %s", peer)
                self._half_open.done(connection)
                connection.close()
        server.close()

    def _listen(self) -> socket.socket | None:
        said = ""
        while not self._stopping.is_set():
            try:
                server = listening_socket(self._ip, self._port)
            except OSError as error:
                if str(error) != said:
                    said = str(error)
                    then = f"trying again every {RETRY:g} s" if self._try_again else "not serving"
                    log.error("listen-ip %s, %s %d: %s; %s", self._ip, self._setting, self._port, error, then)
                if not self._try_again:
                    return None
                self._stopping.wait(RETRY)
                continue
            with self._lock:
                if not self._stopping.is_set():
                    self._listening = server
                    self.address = address_of(server.getsockname())
                    return server
            server.close()
        return None

    def _admit(self, connection: socket.socket, address: str, ip: str) -> None:
        with self._lock:
            if self._stopping.is_set():
                connection.close()
                return
            makes_way = self._half_open.add(connection, address, ip)
        if makes_way is not None:
            other, of = makes_way
            told = "max-half-open: %d connections in their handshake: closing one of %s"
            log.warning(told, self._half_open.most, of, extra=about(ip))
            _shut_down(other)
        try:
            self._threads.start("handshake", lambda: self._greet(connection, address))
        except Exhausted as error:
            log.error("connection from %s: %s", address, error, extra=about(ip))
            self._half_open.done(connection)
            connection.close()

    def _greet(self, connection: socket.socket, address: str) -> None:
        try:
            self._shake_hands(connection, address)
        finally:
            self._half_open.done(connection)

    def stop(self) -> None:
        """Take no more connections, and let go of those in their handshake."""
        with self._lock:
            self._stopping.set()
            self.address = ""
            listening = self._listening
        if listening is not None:
            _shut_down(listening)  # wakes accept
        for connection in self._half_open.all():
            _shut_down(connection)


def listening_socket(ip: str, port: int) -> socket.socket:
    """ip: `*` for every address, of IPv6 too where the machine has it. Raises OSError."""
    every = ip == ANY
    dual = every and socket.has_dualstack_ipv6()
    host = ("::" if dual else "0.0.0.0") if every else ip
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    server = socket.socket(family, kind, protocol)
    try:
        if dual:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(BACKLOG)
    except OSError:
        server.close()
        raise
    return server


def _shut_down(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        sock.shutdown(socket.SHUT_RDWR)


def address_of(sockaddr: tuple[object, ...]) -> str:
    """ "ip:port" of a socket address, "[ip]:port" for IPv6; one of IPv4 as such, also on a socket of both families."""
    ip, port = ip_of(sockaddr), sockaddr[1]
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def ip_of(sockaddr: tuple[object, ...]) -> str:
    """Its address alone; one of IPv4 as such, also on a socket of both families."""
    return str(sockaddr[0]).removeprefix("::ffff:")
