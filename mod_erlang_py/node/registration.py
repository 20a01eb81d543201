"""Our entry in epmd, and the entries of others.

epmd knows a node for as long as the connection that registered it stays open, and forgets all nodes when it restarts:
then we register again, under the creation we have already (erl_epmd.erl does the same). Links do not depend on it.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable

from mod_erlang_py.dist import epmd
from mod_erlang_py.dist.epmd import EpmdEntry
from mod_erlang_py.errors import EpmdError, EpmdUnavailable
from mod_erlang_py.switch.port import NOTICE

log = logging.getLogger(__name__)

DEFAULT_PORT = 4369
ANSWER_TIME = 5.0
"""Seconds that epmd has to answer."""
RETRY = 1.0
"""Seconds between two tries to register."""
START_TIME = 2.0
"""Seconds in which an epmd that we started has to answer."""
GRACE = 10.0
"""Seconds in which somebody may restart the epmd that was there, before we start one."""


def epmd_port() -> int:
    """The port of every epmd: ERL_EPMD_PORT, else 4369."""
    try:
        return int(os.environ["ERL_EPMD_PORT"])
    except (KeyError, ValueError):
        return DEFAULT_PORT


def look_up(name: str, host: str, port: int) -> EpmdEntry:
    """Ask the host's epmd for a node. Raises EpmdUnavailable, or EpmdError when it knows no such node."""
    with _connect(host, port) as sock:
        data = b""
        _send(sock, epmd.port_please2_request(name))
        while True:
            chunk = _receive(sock)
            data += chunk
            entry = epmd.decode_port2_response(data)
            if entry is not None:
                return entry
            if not chunk:
                raise EpmdError(f"epmd of {host} broke off its answer about {name}")


def _connect(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=ANSWER_TIME)
    except OSError as error:
        raise EpmdUnavailable(f"epmd of {host}, port {port}: {error}") from None


def _send(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
    except OSError as error:
        raise EpmdUnavailable(f"epmd: {error}") from None


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except OSError as error:
        raise EpmdUnavailable(f"epmd: {error}") from None


class Registration:
    """Keeps `entry` registered with the epmd of this machine."""

    def __init__(self, entry: EpmdEntry, port: int) -> None:
        self._entry = entry
        self._port = port
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._creation = 0
        self.registered = threading.Event()
        """Set while epmd knows us."""

    def run(self, named: Callable[[int], None]) -> None:
        """The thread that registers and holds the connection.

        named: called once, with our creation, when epmd has answered for the first time; or, where no epmd can be had,
        with one of our own making, since links that we open ourselves, and nodes that need no epmd, work without.
        """
        complaint = ""
        seen = float("-inf")
        while not self._stopping.is_set():
            try:
                sock, creation = self._register(start=time.monotonic() - seen > GRACE)
            except EpmdError as error:
                if str(error) != complaint:
                    complaint = str(error)
                    log.error("cannot register %s: %s; trying again every %g s", self._entry.name, error, RETRY)
                self._name(secrets.randbelow(2**32 - 4) + 4, named)
                self._stopping.wait(RETRY)
                continue
            complaint = ""
            self._name(creation, named)
            log.info("registered %s with epmd, port %d", self._entry.name, self._entry.port)
            self._hold(sock)
            seen = time.monotonic()

    def _name(self, creation: int, named: Callable[[int], None]) -> None:
        if not self._creation:
            self._creation = creation
            named(creation)

    def _register(self, start: bool) -> tuple[socket.socket, int]:
        """start: run an epmd when none answers."""
        try:
            sock = _connect("127.0.0.1", self._port)
        except EpmdUnavailable:
            if not start or not start_epmd(self._port):
                raise
            sock = _connect_started(self._port)
        try:
            _send(sock, epmd.alive2_request(self._entry))
            data = b""
            while True:
                chunk = _receive(sock)
                data += chunk
                creation = epmd.decode_alive2_response(data)
                if creation is not None:
                    return sock, creation
                if not chunk:
                    raise EpmdUnavailable("epmd broke off")
        except EpmdError:
            sock.close()
            raise

    def _hold(self, sock: socket.socket) -> None:
        """Wait until epmd goes away or we stop."""
        with self._lock:
            if self._stopping.is_set():
                sock.close()
                return
            self._sock = sock
        self.registered.set()
        sock.settimeout(None)
        try:
            while sock.recv(64):
                pass  # it never says anything
        except OSError:
            pass  # gone, like an end of file
        self.registered.clear()
        with self._lock:
            self._sock = None
            sock.close()
        if not self._stopping.is_set():
            log.warning("epmd went away; registering again when it is back")

    def stop(self) -> None:
        """Leave epmd; `run` returns."""
        with self._lock:
            self._stopping.set()
            if self._sock is not None:
                self._sock.shutdown(socket.SHUT_RDWR)


def start_epmd(port: int) -> bool:
    """Start `epmd -daemon` where there is one, as erl does. Whether it was started."""
    program = shutil.which("epmd")
    if program is None:
        return False
    try:
        subprocess.run(
            [program, "-port", str(port), "-daemon"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_TIME,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.error("%s -daemon: %s", program, error)
        return False
    log.log(NOTICE, "started %s -daemon on port %d", program, port)
    return True


def _connect_started(port: int) -> socket.socket:
    deadline = time.monotonic() + START_TIME
    while True:
        try:
            return _connect("127.0.0.1", port)
        except EpmdUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
