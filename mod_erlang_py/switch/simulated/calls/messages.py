"""SEND_MESSAGE events: what a channel is told to do. Source: switch_ivr_parse_event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mod_erlang_py.switch.port import Event, Header
from mod_erlang_py.switch.simulated.words import is_true

QUEUE_LENGTH = 256
"""Messages that wait for a channel (SWITCH_EVENT_QUEUE_LEN)."""

MAX_DEPTH = 16
"""Messages obeyed within another's application (SWITCH_MAX_STACKS)."""


@dataclass(frozen=True, slots=True)
class Execute:
    """uuid: the Application-UUID, another one when empty. The header `loops` is not known here."""

    application: bytes
    argument: bytes
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
            order = Execute(header(b"execute-app-name"), header(b"execute-app-arg"), header(b"event-uuid"))
        elif command == b"hangup":
            order = Hangup(header(b"hangup-cause") or b"NORMAL_CLEARING")
        else:
            order = Unknown(command)
        return cls(order, is_true(event.header(b"event-lock")))
