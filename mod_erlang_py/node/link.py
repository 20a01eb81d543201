"""A connection to one peer node.

Its reader alone ends it. Whoever finds that it must end (end, a failed write, a full outbox) shuts the stream down and
says why; the reader wakes from that, and takes the link down, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from mod_erlang_py import etf
from mod_erlang_py.distribution import control
from mod_erlang_py.distribution.connection import TICK, encode_frame
from mod_erlang_py.distribution.control import ControlMessage
from mod_erlang_py.distribution.handshake_events import PeerNode
from mod_erlang_py.etf import Pid, Reference, Term

from . import traffic
from .outbox import Outbox, Room
from .reader import Job, Reader
from .stream import Stream
from .watch import Watch


class Link:
    """peer: who it is. address: "ip:port" of its end. local: the pid that we send as.

    numbers: of references; the same iterator for all links of the node. start: starts a thread, or raises Exhausted.
    receive: what to do about a frame's body; see Reader. down: takes down what depends on the link, given the reason.
    trailing: bytes that came with the handshake; raises ProtocolViolation for what no Erlang node sends.
    """

    def __init__(
        self,
        peer: PeerNode,
        address: str,
        local: Pid,
        numbers: Iterator[int],
        stream: Stream,
        room: Room,
        watch: Watch,
        start: Callable[[str, Callable[[], None]], None],
        receive: Callable[[Link, bytes], Job | None],
        down: Callable[[Link, str], None],
        trailing: bytes = b"",
    ) -> None:
        self.peer = peer
        self.address = address
        self.local = local
        self.up_since = time.monotonic()
        self.requests = 0
        """How many came over it; counted by its reading thread."""
        self._numbers = numbers
        self._stream = stream
        self._down = down
        self.outbox = Outbox(stream, room, start)
        self.reader = Reader(stream, partial(receive, self), self._take_down, watch, start, trailing)

    @property
    def name(self) -> str:
        """The peer's node name."""
        return self.peer.name

    @property
    def ended(self) -> bool:
        """Whether its end was asked for, or has come: nothing is sent any more, `down` has been told or will be."""
        return self._stream.why != ""

    def reference(self) -> Reference:
        """A reference that this node has not made before; its first word has 18 bits, for old nodes."""
        number = next(self._numbers)
        words = (number & 0x3FFFF, number >> 18 & 0xFFFFFFFF, 0)
        return Reference(self.local.node, self.local.creation, words)

    def send(self, to: Pid | str, term: Term) -> None:
        """Send a term to a process of the peer, named by its pid or as it is registered. Raises EncodeError.

        As Target.send, but for its making: replies are many.
        """
        if traffic.is_shown():
            traffic.sent(self.name, to, term)
        self.outbox.put(encode_frame(send_control(self.local, to), etf.encode(term)))

    def signal(self, message: ControlMessage) -> None:
        """Send a control message that has no payload."""
        self.outbox.put(encode_frame(control.encode_control(message)))

    def signal_later(self, message: ControlMessage) -> None:
        """The same, together with what is sent next."""
        self.outbox.append(encode_frame(control.encode_control(message)))

    def tick(self) -> None:
        self.outbox.put(TICK)

    def read(self) -> None:
        """Be the reading thread, to the end of the link or until another one takes over."""
        self.reader.read()

    def end(self, reason: str) -> None:
        """Have the reader end the link, for this reason unless there is one already. Returns at once, from any thread
        and with any lock held."""
        self._stream.shut_down(reason)

    def _take_down(self, reason: str) -> None:
        """The reading thread's last deed."""
        try:
            self.outbox.close()
            self._down(self, reason)
        finally:
            self._stream.close()


def send_control(local: Pid, to: Pid | str) -> bytes:
    """The control message of a send. SEND_SENDER is in our flags, and in those of every OTP since 21."""
    if isinstance(to, Pid):
        return control.encode_control(control.SendSender(local, to))
    return control.encode_control(control.RegSend(local, to))
