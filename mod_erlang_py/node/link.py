"""A connection to one peer node."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from mod_erlang_py import etf
from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import TICK, encode_frame
from mod_erlang_py.distribution.control import ControlMessage
from mod_erlang_py.distribution.handshake import PeerNode
from mod_erlang_py.etf import Pid, Term

from . import traffic
from .outbox import Outbox
from .reader import Reader
from .stream import Stream

log = logging.getLogger(__name__)


class Link:
    """peer: who it is. address: "ip:port" of its end. local: the pid that we send as.

    `outbox` and `reader` are given after the fact, by the node, since both report to the link.
    """

    def __init__(
        self, peer: PeerNode, address: str, local: Pid, stream: Stream, gone: Callable[[Link, str], None]
    ) -> None:
        self.peer = peer
        self.address = address
        self.local = local
        self.up_since = time.monotonic()
        self.requests = 0
        """How many came over it; counted by its reading thread."""
        self.outbox: Outbox
        self.reader: Reader
        self._stream = stream
        self._gone = gone
        self._lock = threading.Lock()
        self._ended = False

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def name(self) -> str:
        """The peer's node name."""
        return self.peer.name

    def send(self, to: Pid, term: Term) -> None:
        """Send a term to a process of the peer. Raises EncodeError."""
        if traffic.is_shown():
            traffic.sent(self.name, to, term)
        self.outbox.put(encode_frame(send_control(self.local, to), etf.encode(term)))

    def send_name(self, name: str, term: Term) -> None:
        """Send a term to the process that the peer has registered under the name. Raises EncodeError."""
        if traffic.is_shown():
            traffic.sent(self.name, name, term)
        self.outbox.put(encode_frame(control.encode_control(control.RegSend(self.local, name)), etf.encode(term)))

    def signal(self, message: ControlMessage) -> None:
        """Send a control message that has no payload."""
        self.outbox.put(encode_frame(control.encode_control(message)))

    def signal_later(self, message: ControlMessage) -> None:
        """The same, together with what is sent next."""
        self.outbox.append(encode_frame(control.encode_control(message)))

    def tick(self) -> None:
        self.outbox.put(TICK)

    def end(self, reason: str) -> None:
        """Close the link, whoever comes first; what depends on it hears of it before this returns."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._stream.shut_down()
        self.outbox.close()
        self._gone(self, reason)

    def unread(self, reason: str) -> None:
        """The reading thread's last word: end, and give the socket back."""
        try:
            self.end(reason)
        finally:
            self._stream.close()


def send_control(local: Pid, to: Pid) -> bytes:
    """The control message of a send. SEND_SENDER is in our flags, and in those of every OTP since 21."""
    return control.encode_control(control.SendSender(local, to))
