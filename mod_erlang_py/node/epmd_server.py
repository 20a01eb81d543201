"""The built-in epmd: one thread that serves every connection, for a machine on which no other epmd is to be had."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import os
import secrets
import selectors
import socket
import threading
import time
from dataclasses import dataclass
from functools import partial

from mod_erlang_py.distribution.epmd_server import MAX_REQUEST, Conversation, PortMapper

from .names import is_loopback

log = logging.getLogger(__name__)

IDLE_TIME = 60.0
"""Seconds that a connection which registers nothing may last."""
MAX_WAITING = 128
"""Connections that have registered nothing; with one more, the oldest is closed."""
BACKLOG = 128
PAUSE = 0.1
"""Seconds until a connection that could not be accepted, for want of descriptors, is tried again."""

_LOOPBACK = ("127.0.0.1", "::1")
_EVERY = ("0.0.0.0", "::")


@dataclass(eq=False, slots=True)
class _Client:
    """deadline: when it has to have registered, or to be done; on time.monotonic()."""

    sock: socket.socket
    conversation: Conversation
    deadline: float
    unsent: bytes = b""


class EpmdServer:
    """An epmd. Its port is taken when this is made; `run` serves until `stop`, or until a KILL_REQ is granted.

    loopback_only: no other machine may ask it. Raises OSError: the port is not to be had.
    """

    def __init__(self, port: int, loopback_only: bool) -> None:
        self._listening = _listen(port, loopback_only)
        self._mapper = PortMapper(port, secrets.randbits(32))
        self._waiting: dict[_Client, None] = {}  # the oldest first
        self._registered: set[_Client] = set()
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._stopping = threading.Event()
        self._complained = False
        self.serving = True
        """The port is ours."""

    @property
    def addresses(self) -> list[str]:
        """Where it listens."""
        return [str(server.getsockname()[0]) for server in self._listening]

    def run(self) -> None:
        """The serving thread; all else but `stop` happens in it."""
        try:
            self._selector.register(self._woken, selectors.EVENT_READ, lambda: None)
            for server in self._listening:
                self._selector.register(server, selectors.EVENT_READ, partial(self._accept, server))
            while not self._stopping.is_set() and not self._mapper.killed:
                for key, _ in self._selector.select(self._patience()):
                    self._serve(key)
                self._close_late()
        finally:
            self.close()

    def _serve(self, key: selectors.SelectorKey) -> None:
        sock: socket.socket = key.fileobj  # type: ignore[assignment]  # nothing else is registered
        if sock.fileno() < 0:
            return  # closed on behalf of one before it
        try:
            key.data()
        except Exception:
            log.exception("built-in epmd: a connection failed")
            client = next((one for one in (*self._waiting, *self._registered) if one.sock is sock), None)
            if client is not None:
                self._close(client)

    def stop(self) -> None:
        """`run` returns, and every connection closes: the nodes register with the next epmd. From any thread."""
        self._stopping.set()
        with contextlib.suppress(OSError):  # it has ended by itself
            self._waker.send(b"\0")

    def close(self) -> None:
        """Give the port back; for one that does not run."""
        self.serving = False
        for client in [*self._waiting, *self._registered]:
            client.sock.close()
        for sock in [*self._listening, self._woken, self._waker]:
            sock.close()
        self._selector.close()

    def _patience(self) -> float | None:
        """Seconds until a connection has lasted too long."""
        oldest = next(iter(self._waiting), None)
        return None if oldest is None else max(0.0, oldest.deadline - time.monotonic())

    def _close_late(self) -> None:
        now = time.monotonic()
        while self._waiting and (oldest := next(iter(self._waiting))).deadline <= now:
            self._close(oldest)

    def _accept(self, server: socket.socket) -> None:
        try:
            sock, peer = server.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            if not self._complained:
                self._complained = True
                log.error("built-in epmd: accept: %s", error)
            self._stopping.wait(PAUSE)
            return
        sock.setblocking(False)
        local = is_loopback(peer[0]) or peer[0] == sock.getsockname()[0]
        client = _Client(sock, Conversation(self._mapper, local, sock.fileno()), time.monotonic() + IDLE_TIME)
        if len(self._waiting) >= MAX_WAITING:
            self._close(next(iter(self._waiting)))
        self._selector.register(sock, selectors.EVENT_READ, partial(self._read, client))
        self._waiting[client] = None

    def _read(self, client: _Client) -> None:
        try:
            data = client.sock.recv(2 + MAX_REQUEST + 1)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        name = client.conversation.name
        client.unsent = client.conversation.receive_data(data)
        if client.conversation.name is not None:
            log.debug("built-in epmd: %s registered", client.conversation.name)
            del self._waiting[client]
            self._registered.add(client)
        elif name is not None:
            log.debug("built-in epmd: %s is gone", name)
        self._write(client)

    def _write(self, client: _Client) -> None:
        try:
            sent = client.sock.send(client.unsent) if client.unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(client)
            return
        client.unsent = client.unsent[sent:]
        if client.unsent:
            self._selector.modify(client.sock, selectors.EVENT_WRITE, partial(self._write, client))
        elif client.conversation.over:
            self._close(client)
        else:
            self._selector.modify(client.sock, selectors.EVENT_READ, partial(self._read, client))

    def _close(self, client: _Client) -> None:
        client.conversation.end()
        self._waiting.pop(client, None)
        self._registered.discard(client)
        self._selector.unregister(client.sock)
        client.sock.close()


def _listen(port: int, loopback_only: bool) -> list[socket.socket]:
    """Sockets on every address that can be had; the first, by which we register ourselves, must be."""
    first, *others = _addresses(loopback_only)
    listening = [_bind(first, port)]
    for ip in others:
        try:
            listening.append(_bind(ip, port))
        except OSError as error:
            no_ipv6 = ":" in ip and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
            log.log(
                logging.DEBUG if no_ipv6 else logging.ERROR, "built-in epmd: not on %s, port %d: %s", ip, port, error
            )
    return listening


def _addresses(loopback_only: bool) -> list[str]:
    """Those that OTP's epmd takes: every one, or the loopback ones and what ERL_EPMD_ADDRESS names."""
    if loopback_only:
        return list(_LOOPBACK)
    given = os.environ.get("ERL_EPMD_ADDRESS", "").replace(",", " ").split()
    if not given:
        return list(_EVERY)
    addresses = list(_LOOPBACK)
    for ip in given:
        try:
            ipaddress.ip_address(ip)
        except ValueError:
            log.error("ERL_EPMD_ADDRESS: %r is no address", ip)
        else:
            addresses.append(ip)
    return list(dict.fromkeys(addresses))


def _bind(ip: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind((ip, port))
        server.listen(BACKLOG)
        server.setblocking(False)
    except OSError:
        server.close()
        raise
    return server
