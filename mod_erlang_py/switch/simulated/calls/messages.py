"""SEND_MESSAGE events: what a channel is told to do. Source: switch_ivr_parse_event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mod_erlang_py.switch.port import Event, Header
from mod_erlang_py.switch.simulated.expand import whole_number

QUEUE_LENGTH = 256
"""Messages that wait for a channel (SWITCH_EVENT_QUEUE_LEN)."""

MAX_DEPTH = 16
"""Messages obeyed within another's application (SWITCH_MAX_STACKS)."""

_TRUE = frozenset({b"yes", b"on", b"true", b"t", b"enabled", b"active", b"allow"})


def is_true(text: bytes | None) -> bool:
    """switch_true: one of a few words in any case, or a number other than 0."""
    return text is not None and (text.lower() in _TRUE or whole_number(text) != 0)


@dataclass(frozen=True, slots=True)
class Execute:
    """application: run `loops` times. uuid: its Application-UUID, another one when empty."""

    application: bytes
    argument: bytes
    loops: int
    uuid: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    cause: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    command: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """lock: no other message is obeyed meanwhile (event-lock)."""

    order: Execute | Hangup | Unknown
    lock: bool

    @classmethod
    def of(cls, headers: Sequence[Header]) -> Message:
        event = Event("SEND_MESSAGE", headers)

        def header(name: bytes) -> bytes:
            return event.header(name) or b""

        command = header(b"call-command").lower()
        order: Execute | Hangup | Unknown
        if command == b"execute" and header(b"execute-app-name"):
            loops = whole_number(header(b"loops") or b"1")
            order = Execute(header(b"execute-app-name"), header(b"execute-app-arg"), loops, header(b"event-uuid"))
        elif command == b"hangup":
            order = Hangup(header(b"hangup-cause") or b"NORMAL_CLEARING")
        else:
            order = Unknown(command)
        return cls(order, is_true(event.header(b"event-lock")))
