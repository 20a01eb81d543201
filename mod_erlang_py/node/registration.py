"""Our entry in epmd, and the entries of others.

epmd knows a node for as long as the connection that registered it stays open, and forgets all nodes when it restarts:
then we register again, under the creation we have already (erl_epmd.erl does the same). Links do not depend on it.
Where none runs, the setting `epmd` says whether we start one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from mod_erlang_py.config.settings import EpmdMode
from mod_erlang_py.distribution import epmd
from mod_erlang_py.distribution.epmd import EpmdEntry
from mod_erlang_py.errors import EpmdError, EpmdUnavailable
from mod_erlang_py.log_levels import NOTICE

from .epmd_server import EpmdServer
from .threads import Threads

log = logging.getLogger(__name__)

DEFAULT_PORT = 4369
ANSWER_TIME = 5.0
"""Seconds that epmd has to answer."""
RETRY = 1.0
"""Seconds between two tries to register."""
START_TIME = 2.0
"""Seconds in which an epmd that we started has to answer."""
START_RETRY = 0.02
GRACE = 10.0
"""Seconds in which somebody may restart the epmd that was there, before we start one."""
_LOCAL = "127.0.0.1"


class EpmdState(Enum):
    """How we stand with epmd; the value is for people."""

    EXTERNAL = "registered"
    STARTED = "registered, with one that we started"
    BUILTIN = "registered, with the built-in one"
    NOT_REGISTERED = "not registered"
    NONE = "none"


def epmd_port() -> int:
    """The port of every epmd: ERL_EPMD_PORT, else 4369."""
    try:
        return int(os.environ["ERL_EPMD_PORT"])
    except (KeyError, ValueError):
        return DEFAULT_PORT


def look_up(name: str, host: str, port: int) -> EpmdEntry:
    """Ask the host's epmd for a node. Raises EpmdUnavailable, or EpmdError when it knows no such node."""
    with _connect(host, port) as sock:
        return _ask(sock, epmd.port_please2_request(name), epmd.decode_port2_response, host)


def _connect(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=ANSWER_TIME)
    except OSError as error:
        raise EpmdUnavailable(f"epmd of {host}, port {port}: {error}") from None


T = TypeVar("T")


def _ask(sock: socket.socket, request: bytes, decode: Callable[[bytes], T | None], host: str) -> T:
    """The answer to a request, whole within ANSWER_TIME. decode: None while it is incomplete; raises EpmdError."""
    deadline = time.monotonic() + ANSWER_TIME
    data = b""
    try:
        sock.sendall(request)
        while (answer := decode(data)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no whole answer within {ANSWER_TIME:g} s")
            sock.settimeout(left)
            chunk = sock.recv(4096)
            if not chunk:
                raise EpmdUnavailable(f"epmd of {host} broke off its answer")
            data += chunk
    except EpmdError:
        raise
    except OSError as error:
        raise EpmdUnavailable(f"epmd of {host}: {error}") from None
    return answer


class Registration:
    """Keeps `entry` registered with the epmd of this machine, which is on `port`.

    loopback_only: a built-in epmd of ours serves this machine alone. threads: where it runs.
    """

    def __init__(self, entry: EpmdEntry, port: int, mode: EpmdMode, loopback_only: bool, threads: Threads) -> None:
        self._entry = entry
        self._port = port
        self._mode = mode
        self._loopback_only = loopback_only
        self._threads = threads
        self._server: EpmdServer | None = None
        self._state = EpmdState.NONE if mode is EpmdMode.NONE else EpmdState.NOT_REGISTERED
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._creation = 0
        self._seen = float("-inf")  # when there was an epmd
        self.registered = threading.Event()
        """Set while epmd knows us."""

    @property
    def state(self) -> EpmdState:
        return self._state

    def run(self, named: Callable[[int], None]) -> None:
        """The thread that registers and holds the connection.

        named: called once, with our creation, when epmd has answered for the first time; or, where no epmd can be had,
        with one of our own making, since links that we open ourselves, and nodes that need no epmd, work without.
        """
        if self._mode is EpmdMode.NONE:
            self._name(own_creation(), named)
            return
        complaint = ""
        while not self._stopping.is_set():
            try:
                sock, state, creation = self._register()
                complaint = ""
                with sock:
                    self._name(creation, named)
                    self._hold(sock, state)
            except Exception as error:
                if self._stopping.is_set():
                    break
                if str(error) != complaint:
                    complaint = str(error)
                    told = "cannot register %s: %s; trying again every %g s"
                    unexpected = not isinstance(error, EpmdError)
                    log.error(told, self._entry.name, error, RETRY, exc_info=unexpected)
                self._name(own_creation(), named)
                self._stopping.wait(RETRY)

    def _name(self, creation: int, named: Callable[[int], None]) -> None:
        if not self._creation:
            self._creation = creation
            named(creation)

    def _register(self) -> tuple[socket.socket, EpmdState, int]:
        """The connection that holds our entry, whose epmd it is, and our creation."""
        sock, state = self._reach(start=time.monotonic() - self._seen > GRACE)
        try:
            creation = _ask(sock, epmd.alive2_request(self._entry), epmd.decode_alive2_response, _LOCAL)
        except BaseException:
            sock.close()
            raise
        log.info("registered %s with epmd, port %d", self._entry.name, self._entry.port)
        if self._mode is EpmdMode.BUILTIN and state is EpmdState.EXTERNAL:
            log.log(NOTICE, "another epmd has port %d: ours takes over when that one goes away", self._port)
        return sock, state, creation

    def _reach(self, start: bool) -> tuple[socket.socket, EpmdState]:
        """A connection to the epmd of this machine; to one that we start, as the mode has it.

        start: whether one may be started when none answers.
        """
        refused = None
        if self._mode is EpmdMode.BUILTIN:
            try:
                self._serve()
            except EpmdUnavailable as error:
                refused = error  # somebody else has the port: who answers there?
        try:
            sock = _connect(_LOCAL, self._port)
        except EpmdUnavailable:
            if refused is not None:
                raise refused from None
            if not start or self._mode is not EpmdMode.AUTO:
                raise
        else:
            return sock, EpmdState.BUILTIN if self._serving else EpmdState.EXTERNAL
        if start_epmd(self._port):
            return self._connect_started(), EpmdState.STARTED
        self._serve()
        return _connect(_LOCAL, self._port), EpmdState.BUILTIN

    def _connect_started(self) -> socket.socket:
        """`epmd -daemon` has returned before its child listens, and nothing tells when it does: so it is tried."""
        deadline = time.monotonic() + START_TIME
        while True:
            try:
                return _connect(_LOCAL, self._port)
            except EpmdUnavailable:
                if time.monotonic() > deadline or self._stopping.wait(START_RETRY):
                    raise

    @property
    def _serving(self) -> bool:
        return self._server is not None and self._server.serving

    def _serve(self) -> None:
        """Run the built-in epmd, unless it runs. Raises EpmdUnavailable: the port is not to be had."""
        if self._serving:
            return
        try:
            server = EpmdServer(self._port, self._loopback_only)
        except OSError as error:
            raise EpmdUnavailable(f"built-in epmd, port {self._port}: {error}") from None
        with self._lock:
            if self._stopping.is_set():
                server.close()
                raise EpmdUnavailable("the node stops")
            self._server = server
        if not self._threads.serve("built-in epmd", server.run):
            server.close()
            raise EpmdUnavailable("built-in epmd: no thread")
        log.log(NOTICE, "built-in epmd listens on port %d of %s", self._port, ", ".join(server.addresses))

    def _hold(self, sock: socket.socket, state: EpmdState) -> None:
        """Wait until epmd goes away or we stop."""
        with self._lock:
            if self._stopping.is_set():
                return
            self._sock = sock
            self._state = state
        self.registered.set()
        try:
            sock.settimeout(None)
            while sock.recv(64):
                pass  # it never says anything
        except OSError:
            pass  # gone, like an end of file
        finally:
            self._seen = time.monotonic()
            self.registered.clear()
            with self._lock:
                self._sock = None
                self._state = EpmdState.NOT_REGISTERED
        if not self._stopping.is_set():
            log.warning("epmd went away; registering again when it is back")

    def stop(self) -> None:
        """Leave epmd, and end ours; `run` returns."""
        with self._lock:
            self._stopping.set()
            if self._sock is not None:
                with contextlib.suppress(OSError):  # epmd was first
                    self._sock.shutdown(socket.SHUT_RDWR)
            if self._server is not None:
                self._server.stop()


def own_creation() -> int:
    """A random one; those below 4 are for old nodes."""
    return secrets.randbelow(2**32 - 4) + 4


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
