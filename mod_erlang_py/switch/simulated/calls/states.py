"""The states of a channel."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """switch_channel_state_t; the value is Channel-State-Number."""

    NEW = 0
    INIT = 1
    ROUTING = 2
    SOFT_EXECUTE = 3
    EXECUTE = 4
    EXCHANGE_MEDIA = 5
    PARK = 6
    CONSUME_MEDIA = 7
    HIBERNATE = 8
    RESET = 9
    HANGUP = 10
    REPORTING = 11
    DESTROY = 12
    NONE = 13

    @property
    def text(self) -> str:
        return f"CS_{self.name}"


class CallState(IntEnum):
    """switch_channel_callstate_t; the value is Channel-Call-State-Number."""

    DOWN = 0
    DIALING = 1
    RINGING = 2
    EARLY = 3
    ACTIVE = 4
    HELD = 5
    RING_WAIT = 6
    HANGUP = 7
    UNHELD = 8
