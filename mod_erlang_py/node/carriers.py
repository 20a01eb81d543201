"""What carries distribution (the ERTS manual's word): plain TCP, or TLS over it. Makes streams of sockets, for those
who connect and those who accept."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timezone
from typing import ClassVar, Literal

from mod_erlang_py.config.exposed import is_for_everybody
from mod_erlang_py.config.settings import Config
from mod_erlang_py.config.tls import Tls
from mod_erlang_py.errors import HandshakeError

from .handshakes import NotAllowed
from .streams.credentials import load
from .streams.stream import Stream
from .streams.tcp import TcpStream
from .streams.tls import TlsStream, shake_hands
from .streams.tls_errors import STEP


class Carrier(ABC):
    """header: bytes of the length of a handshake's packets."""

    header: ClassVar[Literal[2, 4]]

    @abstractmethod
    def accept(self, sock: socket.socket, spoke: Callable[[], None]) -> Stream:
        """Of a socket that came in. spoke: called when the peer has said something that is right, before this returns.
        Raises HandshakeError, OSError."""

    @abstractmethod
    def connect(self, sock: socket.socket, host: str) -> Stream:
        """Of a socket that we have connected to the host, which its peer must be on. Raises HandshakeError, OSError,
        UnicodeError."""


class TcpCarrier(Carrier):
    header = 2

    def accept(self, sock: socket.socket, spoke: Callable[[], None]) -> Stream:
        return TcpStream(sock)

    def connect(self, sock: socket.socket, host: str) -> Stream:
        return TcpStream(sock)


class TlsCarrier(Carrier):
    """tls: with a certificate. Raises ConfigError for files that cannot be used."""

    header = 4

    def __init__(self, tls: Tls) -> None:
        self.credentials = load(tls)

    def load(self, tls: Tls) -> None:
        """Read the files again, for the connections to come. Raises ConfigError: then those of before count."""
        self.credentials = load(tls)

    def warnings(self, host: str) -> tuple[str, ...]:
        """What is wrong with our certificate and its key. host: of our name."""
        faults = self.credentials.own.faults(host, datetime.now(timezone.utc))
        found = [f"tls-cert: {fault}" for fault in faults]
        key = self.credentials.key
        if is_for_everybody(key):
            found.append(f"tls-key: everybody on this machine can read {key}, and so be this node: chmod o-r {key}")
        return tuple(found)

    def accept(self, sock: socket.socket, spoke: Callable[[], None]) -> Stream:
        ours = self.credentials
        return TlsStream(sock, shake_hands(sock, ours.server, None, spoke), ours.checks_names)

    def connect(self, sock: socket.socket, host: str) -> Stream:
        ours = self.credentials
        stream = TlsStream(sock, shake_hands(sock, ours.client, host), ours.checks_names)
        refused = stream.refuses(host)
        if refused:
            raise HandshakeError(STEP, refused)
        return stream


def check(carrier: Carrier, config: Config, name: str) -> None:
    """Whether a node of that name may be connected that way. Raises NotAllowed."""
    rule = config.rule_of(name)
    if rule is not None and rule.tls_required and isinstance(carrier, TcpCarrier):
        raise NotAllowed(
            "status", f"{name} comes by plain TCP, and has to come by TLS: tls-required of <node {rule.name}>"
        )


def ways(config: Config, tls: TlsCarrier | None) -> list[tuple[Carrier, str, int]]:
    """How nodes can connect, each with the setting of its port and the port; first the way that we connect, too."""
    ways: list[tuple[Carrier, str, int]] = []
    if config.tls.plain:
        ways.append((TcpCarrier(), "listen-port", config.listen_port))
    if tls is not None and config.tls.tls_listen_port is not None:
        ways.append((tls, "tls-listen-port", config.tls.tls_listen_port))
    return ways[::-1] if config.tls.first else ways
