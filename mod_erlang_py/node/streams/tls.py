"""TLS over TCP.

OpenSSL works in memory, on an SSLObject between two MemoryBIOs, and we move the bytes: so reading and writing have one
lock, which is held while something is encrypted or decrypted, or offered to a socket that does not block, and never
while somebody waits. What the socket does not take of the encrypted bytes is kept, at most BATCH of them and their
framing, and goes first; until it is gone nothing else is encrypted. What TLS itself has to say while the socket is full
goes with the next write, a tick at the latest; a peer who asks for more than BATCH of it without reading is let go.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mod_erlang_py.errors import HandshakeError

from .certificate import is_among, is_usual, names
from .stream import Stream
from .tcp import prepare, shut_down, wait_writable
from .tls_errors import CLOSED, PLAIN, STEP, TlsError, words

BATCH = 65536
"""Bytes that are encrypted, and offered to the socket, at a time: four records."""
READ_SIZE = 65536
HANDSHAKE_TIME = 7.0
"""Seconds for a handshake of TLS, the one of distribution not counted."""
_PLAIN = b"\0"
"""What a node that connects by plain TCP begins with: the length of its name."""


@dataclass(frozen=True, slots=True)
class Session:
    """TLS's side of a connection: what is put into `incoming` came from the peer, what is in `outgoing` is for it."""

    tls: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO


class TlsStream(Stream):
    """session: after its handshake, and after all that was in `outgoing` then was sent. checks_name: whether the peer
    must be on a host that its certificate is for."""

    def __init__(self, sock: socket.socket, session: Session, checks_name: bool) -> None:
        super().__init__()
        prepare(sock)
        self._sock = sock
        self._tls, self._incoming, self._outgoing = session.tls, session.incoming, session.outgoing
        self._names = names(self._tls.getpeercert() or {}) if checks_name else None
        self.protocol = self._tls.version() or "TLS"
        self._timeout: float | None = None
        self._lock = threading.Lock()
        self._read_on = threading.Condition(self._lock)
        self._must_read = False
        """Whether nothing can be encrypted until something has come: in the middle of a renegotiation."""
        self._kept = memoryview(b"")
        """Encrypted, and not sent yet."""
        self._owed = 0
        """Bytes of plain text in it. They count as not taken, so that they are offered again: then they are skipped."""
        self._failed: ssl.SSLError | None = None
        self._over = False
        """Whether the peer has said goodbye."""

    def refuses(self, host: str) -> str:
        if self._names is None:
            return ""
        told = f"the peer's certificate is for {', '.join(self._names) or 'nobody'}, and not for {host}"
        if not is_among(host, self._names):
            return told
        return "" if is_usual(host, self._names) else f"{told}, as its name spells it"

    # reading

    def recv(self, size: int) -> bytes:
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        came = b""
        while True:
            with self._read_on:
                if came:
                    self._incoming.write(came)
                data = self._decrypted()
                if came:
                    self._must_read = False
                    self._read_on.notify_all()
                self._answer()
            if data is not None:
                return data
            if came and deadline is not None:
                self._sock.settimeout(_left(deadline))  # of all that a record comes in
            came = self._sock.recv(size)
            if not came:
                return b""

    def _decrypted(self) -> bytes | None:
        """With the lock held: all that came, b"" at the end; None when more must come first.

        All of it: what is left in a renegotiation would be read by a write, and be fatal there.
        """
        parts: list[bytes] = []
        try:
            if self._failed is not None:
                raise self._failed
            while self._incoming.pending and not self._over:
                part = self._tls.read(READ_SIZE)  # one record; b"" for close_notify
                parts.append(part)
                self._over = not part
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._over = True  # after our own close_notify
        except ssl.SSLError as error:
            self._failed = error
            if not parts:
                raise TlsError(words(error)) from None
        return b"".join(parts) if parts or self._over else None

    def _answer(self) -> None:
        """With the lock held: send what TLS itself has to say to what came. Each request for new keys (RFC 8446, 4.6.3)
        has an answer, which would be kept for a peer who only asks."""
        if not self._offer() and self._outgoing.pending > BATCH:
            raise TlsError("the peer asks for more than it reads")

    # writing

    def send(self, buffers: Sequence[bytes | memoryview]) -> int:
        with self._lock:
            if not self._offer():
                return 0
            taken, self._owed = self._owed, 0
        for batch in _batches(buffers, taken):
            with self._lock:
                encrypted = self._encrypt(batch)
                if not self._offer():
                    self._owed = encrypted
                    break
            taken += encrypted
            if encrypted < len(batch):
                break
        return taken

    def _encrypt(self, batch: bytes | memoryview) -> int:
        """With the lock held: how many of the bytes were encrypted."""
        left = memoryview(batch)
        try:
            while left:
                left = left[self._tls.write(left) :]
        except ssl.SSLWantReadError:
            self._must_read = True
        except ssl.SSLError as error:
            raise TlsError(words(error)) from None
        return len(batch) - len(left)

    def _offer(self) -> bool:
        """With the lock held: send what is encrypted, as far as the socket takes it. Whether nothing is left."""
        while self._kept or self._outgoing.pending:
            if not self._kept:
                self._kept = memoryview(self._outgoing.read())
            try:
                sent = self._sock.send(self._kept, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            self._kept = self._kept[sent:]
        return True

    def wait_writable(self) -> None:
        with self._read_on:
            if not self._read_on.wait_for(lambda: not self._must_read or self.why, self._timeout):
                raise TimeoutError("timed out")
        wait_writable(self._sock, self._timeout)

    # the end

    def set_timeout(self, seconds: float | None) -> None:
        self._timeout = seconds
        self._sock.settimeout(seconds)

    def _shut_down(self) -> None:
        with self._read_on:
            self._read_on.notify_all()
            with contextlib.suppress(OSError):  # close_notify, for which there may be no room
                if self._offer():
                    self._say_goodbye()
        shut_down(self._sock)

    def _say_goodbye(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):  # the peer's own, which nobody waits for
            self._tls.unwrap()
        self._offer()

    def close(self) -> None:
        self._sock.close()


def _batches(buffers: Sequence[bytes | memoryview], skip: int) -> Iterator[bytes | memoryview]:
    """The bytes, but for the first ones, in pieces of BATCH, and of fewer only at the end: each record costs."""
    parts: list[bytes | memoryview] = []
    room = BATCH
    for buffer in buffers:
        if skip:
            skipped = min(skip, len(buffer))
            skip -= skipped
            buffer = memoryview(buffer)[skipped:]
        while len(buffer) > room:
            buffer = memoryview(buffer)
            yield b"".join((*parts, buffer[:room]))
            buffer, parts, room = buffer[room:], [], BATCH
        parts.append(buffer)
        room -= len(buffer)
    if room < BATCH:
        yield parts[0] if len(parts) == 1 else b"".join(parts)


def shake_hands(
    sock: socket.socket, context: ssl.SSLContext, host: str | None, spoke: Callable[[], None] = lambda: None
) -> Session:
    """TLS's own handshake. host: that we connect to; None for who accepts. spoke: called when there is something to
    answer the peer. Raises HandshakeError, OSError and, for what can be no host, UnicodeError."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        tls = context.wrap_bio(incoming, outgoing, server_side=host is None, server_hostname=host)
    except ValueError as error:
        raise HandshakeError(STEP, f"{host!r} is no host: {error}") from None
    deadline = time.monotonic() + HANDSHAKE_TIME
    heard = False
    try:
        while not _step(tls):
            if outgoing.pending:
                spoke()
            _send_all(sock, outgoing.read(), deadline)
            sock.settimeout(_left(deadline))
            came = sock.recv(READ_SIZE)
            if not came:
                raise HandshakeError(STEP, "closed by the peer" if host is None else CLOSED)
            if host is None and not heard and came.startswith(_PLAIN):
                raise HandshakeError(STEP, PLAIN)
            heard = True
            incoming.write(came)
        _send_all(sock, outgoing.read(), deadline)
    except TimeoutError:
        raise HandshakeError(STEP, f"not done within {HANDSHAKE_TIME:g} s") from None
    except ssl.SSLError as error:
        with contextlib.suppress(OSError):
            _send_all(sock, outgoing.read(), deadline)  # the alert that says why
        raise HandshakeError(STEP, words(error)) from None
    return Session(tls, incoming, outgoing)


def _step(tls: ssl.SSLObject) -> bool:
    """Go on with what has come. Whether the handshake is done."""
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _send_all(sock: socket.socket, data: bytes, deadline: float) -> None:
    if data:
        sock.settimeout(_left(deadline))
        sock.sendall(data)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
