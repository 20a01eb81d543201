"""The connected phase: frames, ticks, and the control message and payload in a frame.

Source: ERTS "Distribution Protocol", section "Protocol between Connected Nodes"; the form without a
distribution header, which stands as long as neither DIST_HDR_ATOM_CACHE nor FRAGMENTS is negotiated.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from mod_erlang_py.distribution.control import (
    IN_PAYLOAD,
    ControlMessage,
    Exit,
    Exit2,
    MonitorPExit,
    SpawnRequest,
    decode_control,
)
from mod_erlang_py.errors import DecodeError, ProtocolViolation
from mod_erlang_py.etf import LIMITS, VERSION, Limits, Term, decode, scan

TICK = b"\0\0\0\0"
"""The frame that says only: still here."""

_HEAD = b"p" + VERSION  # 112, pass through, and the control message's 131

MAX_REMEMBERED = 256
"""Bytes of a control message that is remembered, and what is before it."""
MAX_KNOWN = 1024
"""Control messages that are remembered of one link."""
MAX_ENDS = 8
"""Lengths of these: the names that a node has for us, and its pids, differ little."""

_LENGTH = struct.Struct(">I")


class FrameReader:
    """Cuts the byte stream into frame bodies. max_frame: the longest body we take, in bytes; may be changed."""

    __slots__ = ("_buffer", "_wanted", "max_frame")

    def __init__(self, max_frame: int) -> None:
        self.max_frame = max_frame
        self._buffer = bytearray()  # the frame that is not whole yet
        self._wanted = 4  # bytes the buffer needs before looking at it is worth while

    @property
    def held(self) -> int:
        """Bytes of a frame that is not whole yet."""
        return len(self._buffer)

    def receive_data(self, data: bytes) -> list[bytes]:
        """The bodies, without their length, that data completes; b"" is a tick.

        Raises: ProtocolViolation for a frame over max_frame, as soon as its length is in, and ever after.
        """
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) < self._wanted:
                return []
            data = bytes(buffer)
            buffer.clear()
        bodies = []
        position, size = 0, len(data)
        wanted = 4
        while size - position >= 4:
            (length,) = _LENGTH.unpack_from(data, position)
            if length > self.max_frame:
                buffer += data[position : position + 4]
                self._wanted = 4
                raise ProtocolViolation(f"frame of {length} bytes, over the limit of {self.max_frame}")
            start = position + 4
            end = start + length
            if end > size:
                wanted = 4 + length
                break
            bodies.append(data[start:end])
            position = end
        if position < size:
            buffer += data[position:]
        self._wanted = wanted
        return bodies


class Received(NamedTuple):
    """A frame that came: the control message, and the payload as it stands on the wire, from its 131 on.

    The payload is not decoded, since what cannot be decoded is its receiver's loss and not the link's.
    """

    control: ControlMessage
    payload: bytes | None

    def reason(self, limits: Limits = LIMITS) -> Term:
        """The reason of an Exit, Exit2 or MonitorPExit, from the tuple or from the payload; the latter within limits.

        Raises: DecodeError when it is in the payload and cannot be decoded; TypeError for other messages.
        """
        if not isinstance(self.control, (Exit, Exit2, MonitorPExit)):
            raise TypeError(f"{type(self.control).__name__} has no reason")
        if self.control.reason is not IN_PAYLOAD:
            return self.control.reason
        return decode(self.payload or b"", limits=limits)


def decode_body(body: bytes) -> Received:
    """What a frame body that is no tick holds: 112, 131, control[, 131, payload].

    Raises: ProtocolViolation.
    """
    if len(body) < 3 or not body.startswith(_HEAD):
        raise ProtocolViolation(f"frame that begins with {body[:3].hex() or 'nothing'}")
    try:
        end = scan(body, 2)
    except DecodeError as error:
        raise ProtocolViolation(f"control message: {error}") from error
    control = decode_control(body[2:end])
    if not control.has_payload:
        return Received(control, None)
    if not body.startswith(VERSION, end):
        raise ProtocolViolation(f"{control.op.name} without a payload")
    return Received(control, body[end:])


class Bodies:
    """Decodes the frame bodies of one link.

    The same processes send again and again: a body that begins as one before did, up to its payload, has the same
    control message, since no term is the beginning of another one.
    """

    __slots__ = ("_ends", "_known")

    def __init__(self) -> None:
        self._known: dict[bytes, ControlMessage] = {}
        self._ends: tuple[int, ...] = ()  # where payloads began

    def decode(self, body: bytes) -> Received:
        """See decode_body."""
        for end in self._ends:
            control = self._known.get(body[:end])
            if control is not None and body.startswith(VERSION, end):
                return Received(control, body[end:])
        received = decode_body(body)
        control, payload = received
        if payload is not None and not isinstance(control, SpawnRequest):  # each of those has a reference of its own
            self._remember(body[: len(body) - len(payload)], control)
        return received

    def _remember(self, beginning: bytes, control: ControlMessage) -> None:
        end = len(beginning)
        if end > MAX_REMEMBERED:
            return
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[beginning] = control
        if end not in self._ends:
            self._ends = (end, *self._ends[: MAX_ENDS - 1])


class Frames(NamedTuple):
    """Frames in a row, as they are written to a stream. number: how many they are. size: of all, in bytes."""

    buffers: Sequence[bytes | memoryview]
    number: int
    size: int


def encode_frame(control: bytes, payload: bytes = b"") -> bytes:
    """A whole frame, its length included. control: without its 131; payload: with its 131, or empty."""
    return _LENGTH.pack(2 + len(control) + len(payload)) + _HEAD + control + payload


def encode_frames(control: bytes, payloads: Sequence[bytes], wrap: bytes = b"") -> Frames:
    """A frame for each payload, which is not copied. wrap: what stands before each of them, its 131 first."""
    head = _HEAD + control + wrap
    pack, rest = _LENGTH.pack, len(head)
    buffers: list[bytes] = []
    for payload in payloads:
        buffers += (pack(rest + len(payload)) + head, payload)
    return Frames(buffers, len(payloads), sum(map(len, buffers)))
