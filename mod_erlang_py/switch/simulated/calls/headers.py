"""The headers that tell of a channel. Source: switch_channel_event_set_data and what it calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mod_erlang_py.switch.port import Header
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.profile import Profile
from mod_erlang_py.switch.simulated.calls.states import CallState, State

CODEC = b"L16"
RATE = b"8000"
BIT_RATE = b"128000"
"""Of all channels, as of FreeSWITCH's loopback channels. Nothing is encoded here."""

WITH_VARIABLES = frozenset({
    "CHANNEL_CREATE", "CHANNEL_ORIGINATE", "CHANNEL_UUID", "CHANNEL_ANSWER", "CHANNEL_PARK", "CHANNEL_UNPARK",
    "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DATA", "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_DESTROY",
    "API", "PLAYBACK_START", "PLAYBACK_STOP", "CUSTOM",
})  # fmt: skip
"""The events that hold the variables too (switch_channel_event_set_extended_data)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A channel as an event shows it. other: (originator or originatee, its profile), of a bridge."""

    name: bytes
    uuid: bytes
    call_uuid: bytes
    outbound: bool
    hit_dialplan: bool
    running: State
    state: State
    call_state: CallState
    answered: bool
    early: bool
    cause: Cause
    profile: Profile
    other: tuple[bytes, Profile] | None


_STATE_NAMES = {state: state.text.encode() for state in State}
_CALL_STATE_NAMES = {state: state.name.encode() for state in CallState}


def channel_headers(now: Snapshot) -> list[Header]:
    direction = b"outbound" if now.outbound else b"inbound"
    found = [
        (b"Channel-State", _STATE_NAMES[now.running]),
        (b"Channel-Call-State", _CALL_STATE_NAMES[now.call_state]),
        (b"Channel-State-Number", b"%d" % now.state),
        (b"Channel-Name", now.name),
        (b"Unique-ID", now.uuid),
        (b"Call-Direction", direction),
        (b"Presence-Call-Direction", direction),
        (b"Channel-HIT-Dialplan", b"true" if now.hit_dialplan else b"false"),
        (b"Channel-Call-UUID", now.call_uuid),
        (b"Answer-State", _answer_state(now)),
    ]
    if now.cause:
        found.append((b"Hangup-Cause", now.cause.name.encode()))
    for way in (b"Read", b"Write"):
        found.append((b"Channel-%s-Codec-Name" % way, CODEC))
        found.append((b"Channel-%s-Codec-Rate" % way, RATE))
        found.append((b"Channel-%s-Codec-Bit-Rate" % way, BIT_RATE))
    found += now.profile.headers(b"Caller")
    if now.other is not None:
        role, profile = now.other
        found.append((b"Other-Type", role))
        found += profile.headers(b"Other-Leg")
    return found


def variable_headers(variables: Iterable[tuple[bytes, bytes]]) -> list[Header]:
    return [(b"variable_" + name, value) for name, value in variables]


def _answer_state(now: Snapshot) -> bytes:
    if now.state >= State.HANGUP:
        return b"hangup"
    if now.answered:
        return b"answered"
    return b"early" if now.early else b"ringing"
