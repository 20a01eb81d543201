"""What a handshake tells its owner, and what it is told: the two nodes, the status, the events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

from mod_erlang_py.distribution.flags import DistFlags


class Status(Enum):
    """What the accepting side says to a name."""

    OK = "ok"
    OK_SIMULTANEOUS = "ok_simultaneous"  # it was dialling too, and gives up its own attempt
    NOK = "nok"  # it is dialling too, and its attempt goes on
    NOT_ALLOWED = "not_allowed"
    ALIVE = "alive"  # it has a link to that name: is the old one dead?


@dataclass(frozen=True, slots=True)
class LocalNode:
    """We, as we present ourselves. name: full, `name@host`."""

    name: str
    flags: DistFlags
    creation: int


@dataclass(frozen=True, slots=True)
class PeerNode:
    """The other side once it is authenticated. flags: what both sides have."""

    name: str
    flags: DistFlags
    creation: int


@dataclass(frozen=True, slots=True)
class NameReceived:
    """A peer presents itself, unproven; the owner decides and calls send_status.

    flags: what both sides have. In version 5 their upper 32 bits and the creation are still to come.
    """

    name: str
    flags: DistFlags
    creation: int | None
    version: Literal[5, 6]


@dataclass(frozen=True, slots=True)
class AliveAnswered:
    """The peer's answer to Status.ALIVE: does this link replace the old one?"""

    replace: bool


@dataclass(frozen=True, slots=True)
class StatusReceived:
    """The peer's status; on ALIVE the owner calls answer_alive."""

    status: Status


@dataclass(frozen=True, slots=True)
class Established:
    """Both sides know the cookie; frames follow."""

    peer: PeerNode


Event: TypeAlias = NameReceived | AliveAnswered | StatusReceived | Established
