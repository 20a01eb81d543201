"""A connection to one peer node.

Its reader alone ends it. Whoever finds that it must end (end, a failed write, a full outbox) shuts the stream down and
says why; the reader wakes from that, and takes the link down, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from mod_erlang_py import etf
from mod_erlang_py.distribution.connection import TICK, Bodies, encode_frame
from mod_erlang_py.distribution.control import ControlMessage
from mod_erlang_py.distribution.forms import ALIASES, MONITORS, send_control, signal_frame
from mod_erlang_py.distribution.handshake_events import PeerNode
from mod_erlang_py.etf import Pid, Reference, Term

from . import traffic
from .outbox import Outbox, Room
from .pool import Pool
from .reader import Intake, Job, Reader
from .streams.stream import Stream
from .watch import Watch


class Link:
    """peer: who it is. address: "ip:port" of its end. local: the pid that we send as.

    numbers: of references; the same iterator for all links of the node. start: starts a thread, or raises Exhausted.
    outboxes, readers: the pools of all links. left_behind: see Reader. receive: what to do about a frame's body; see
    Reader. down: takes down what depends on the link, given the reason. trailing: bytes that came with the handshake;
    raises ProtocolViolation for what no Erlang node sends.
    """

    def __init__(
        self,
        peer: PeerNode,
        address: str,
        local: Pid,
        numbers: Iterator[int],
        stream: Stream,
        room: Room,
        intake: Intake,
        watch: Watch,
        start: Callable[[str, Callable[[], None]], None],
        outboxes: Pool[Outbox],
        readers: Pool[Reader],
        left_behind: Callable[[], int],
        receive: Callable[[Link, bytes], Job | None],
        down: Callable[[Link, str], None],
        trailing: bytes = b"",
    ) -> None:
        self.peer = peer
        self.address = address
        self.local = local
        self.send_control = send_control(local, peer.flags)
        self.up_since = time.monotonic()
        self.requests = 0
        """How many came over it; counted by its reading thread."""
        self.denied = 0
        """How many of them its node had no right to."""
        self._writes_at_tick = 0
        self._numbers = numbers
        self._stream = stream
        self._down = down
        self.bodies = Bodies()
        self.outbox = Outbox(stream, room, start, outboxes)
        flush, received = self.outbox.flush, partial(receive, self)
        self.reader = Reader(
            stream, intake, received, flush, self._take_down, watch, start, readers, left_behind, trailing
        )

    def configure(self, room: Room, intake: Intake) -> None:
        self.outbox.resize(room)
        self.reader.configure(intake)

    @property
    def name(self) -> str:
        """The peer's node name."""
        return self.peer.name

    @property
    def ip(self) -> str:
        """Of its address."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def protocol(self) -> str:
        """What carries it, as "TCP"."""
        return self._stream.protocol

    @property
    def ended(self) -> bool:
        """Whether its end was asked for, or has come: nothing is sent any more, `down` has been told or will be."""
        return self._stream.why != ""

    @property
    def long_requests(self) -> int:
        """How many of its requests run long, each in a thread of its own; also after its end."""
        return self.reader.held_up

    def reference(self) -> Reference:
        """A reference that this node has not made before; its first word has 18 bits, for old nodes."""
        number = next(self._numbers)
        words = (number & 0x3FFFF, number >> 18 & 0xFFFFFFFF, 0)
        return Reference(self.local.node, self.local.creation, words)

    def fresh_pid(self) -> Pid:
        """A pid that this node has not used before, for a process that lives as long as one request; within the bits
        that old nodes have. Its serial is never 0, as `local`'s is."""
        number = next(self._numbers)
        return Pid(self.local.node, number & 0x7FFF, 1 + (number >> 15) % 0x1FFF, self.local.creation)

    def send(self, to: Pid | str | Reference, term: Term) -> None:
        """Send a term to a process of the peer, named by its pid, as it is registered, or by an alias where the peer
        knows_aliases. Raises EncodeError.

        As Target.send, but for its making: replies are many.
        """
        if traffic.is_shown():
            traffic.sent(self.name, to, term)
        self.outbox.put(encode_frame(self.send_control(to), etf.encode(term)), self.reader.answers_more)

    @property
    def knows_monitors(self) -> bool:
        """Whether the peer tells of the end of what we monitor: an OTP node does, a C node or a Java node does not."""
        return MONITORS in self.peer.flags

    @property
    def knows_aliases(self) -> bool:
        """Whether the peer takes what is sent to an alias: OTP 24 and later do."""
        return bool(ALIASES & self.peer.flags)

    def signal(self, message: ControlMessage) -> None:
        """Send a control message that has no payload, but for an exit's reason; nothing to a peer that knows none."""
        frame = signal_frame(message, self.peer.flags)
        if frame:
            self.outbox.put(frame)

    def signal_later(self, message: ControlMessage) -> None:
        """The same, together with what is sent next."""
        frame = signal_frame(message, self.peer.flags)
        if frame:
            self.outbox.append(frame)

    def tick(self) -> None:
        self.outbox.put(TICK)

    def ticked(self) -> None:
        """A tick came: answer it with one, as C nodes do, so that the two sides' tick times need not agree.

        Not when something went out since the tick before: then the peer has heard of us, and it may be the answer to a
        tick of ours. By the reading thread.
        """
        if self.outbox.writes == self._writes_at_tick and not self.outbox.backlog:
            self.tick()
        self._writes_at_tick = self.outbox.writes

    def read(self) -> None:
        """Be the reading thread, to the end of the link or until another one takes over."""
        self.reader.read()

    def end(self, reason: str) -> None:
        """Have the reader end the link, for this reason unless there is one already. Returns at once, from any thread
        and with any lock held. What was answered before still goes out, if the socket takes it."""
        self.outbox.flush()
        self._stream.shut_down(reason)

    def _take_down(self, reason: str) -> None:
        """The reading thread's last deed."""
        try:
            self.outbox.close()
            self._down(self, reason)
        finally:
            self._stream.close()
