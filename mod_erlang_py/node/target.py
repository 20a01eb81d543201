"""Where messages go: a process of a peer, by its pid or by the name that it is registered under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mod_erlang_py import etf
from mod_erlang_py.distribution.connection import Frames, encode_frame, encode_frames
from mod_erlang_py.etf import Pid, Term

from . import traffic
from .link import Link


@dataclass(frozen=True, slots=True)
class Target:
    """A process at the other end of a link; equal to another one of the same link, not of the same node.

    control: the control message of everything that is sent to it, encoded.
    """

    link: Link
    to: Pid | str
    control: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "control", self.link.send_control(self.to))

    def frames(self, payloads: Sequence[bytes], wrap: bytes = b"") -> Frames:
        """Frames to it. payloads: terms, or what is left of them behind `wrap`; the 131 first."""
        return encode_frames(self.control, payloads, wrap)

    def put(self, payload: bytes) -> None:
        """Send it an encoded term, its 131 first. Never lost while the link is up."""
        self.link.outbox.put(encode_frame(self.control, payload))

    def send(self, term: Term) -> None:
        """The same with a term. Raises EncodeError."""
        if traffic.is_shown():
            traffic.sent(self.link.name, self.to, term)
        self.put(etf.encode(term))
