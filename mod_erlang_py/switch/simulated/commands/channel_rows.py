"""Rows of `show channels` and `show calls`. Source: the tables of switch_core_sqldb.c."""

from __future__ import annotations

import time

from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.headers import BIT_RATE, CODEC, RATE
from mod_erlang_py.switch.simulated.calls.profile import Profile

Row = tuple[str, ...]

CHANNELS = (
    "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num", "ip_addr", "dest",
    "application", "application_data", "dialplan", "context", "read_codec", "read_rate", "read_bit_rate",
    "write_codec", "write_rate", "write_bit_rate", "secure", "hostname", "presence_id", "presence_data",
    "accountcode", "callstate", "callee_name", "callee_num", "callee_direction", "call_uuid", "sent_callee_name",
    "sent_callee_num", "initial_cid_name", "initial_cid_num", "initial_ip_addr", "initial_dest",
    "initial_dialplan", "initial_context",
)  # fmt: skip

_SHARED = (
    "uuid", "direction", "created", "created_epoch", "name", "state", "cid_name", "cid_num", "ip_addr", "dest",
    "presence_id", "presence_data", "accountcode", "callstate", "callee_name", "callee_num", "callee_direction",
)  # fmt: skip
_OWN = (*_SHARED, "call_uuid", "hostname", "sent_callee_name", "sent_callee_num")
_PEERS = (*_SHARED, "sent_callee_name", "sent_callee_num")
CALLS = (*_OWN, *(f"b_{name}" for name in _PEERS), "call_created_epoch")


def channel_row(channel: Channel, hostname: str) -> Row:
    values = _values(channel, hostname)
    return tuple(values[name] for name in CHANNELS)


def call_row(channel: Channel, peer: Channel | None, hostname: str) -> Row:
    """A channel that was bridged to a peer, or is alone."""
    own = _values(channel, hostname)
    other = {} if peer is None else _values(peer, hostname)
    return (
        *(own[name] for name in _OWN),
        *(other.get(name, "") for name in _PEERS),
        own["created_epoch"] if peer is not None else "",
    )


def _values(channel: Channel, hostname: str) -> dict[str, str]:
    """What the simulated switch has nothing for is empty."""
    with channel.changed:
        profile, first = channel.profile, channel.first_profile
        variables = channel.variables
        seconds = profile.times.created // 1_000_000
        known = {
            "uuid": channel.uuid,
            "direction": "outbound" if channel.outbound else "inbound",
            "created": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)),
            "created_epoch": str(seconds),
            "name": channel.name,
            "state": channel.running.text,
            "application": _shown(variables.get(b"current_application")),
            "application_data": _shown(variables.get(b"current_application_data")),
            "read_codec": _shown(CODEC),
            "read_rate": _shown(RATE),
            "read_bit_rate": _shown(BIT_RATE),
            "write_codec": _shown(CODEC),
            "write_rate": _shown(RATE),
            "write_bit_rate": _shown(BIT_RATE),
            "hostname": hostname,
            "callstate": channel.call_state.name,
            "call_uuid": _shown(variables.get(b"call_uuid")),
        }
    return dict.fromkeys([*CHANNELS, *CALLS], "") | _of_profile(first, "initial_") | _of_profile(profile, "") | known


def _of_profile(profile: Profile, prefix: str) -> dict[str, str]:
    return {
        f"{prefix}cid_name": _shown(profile.caller_id_name),
        f"{prefix}cid_num": _shown(profile.caller_id_number),
        f"{prefix}dest": _shown(profile.destination_number),
        f"{prefix}dialplan": _shown(profile.dialplan),
        f"{prefix}context": _shown(profile.context),
        "callee_name": _shown(profile.callee_id_name),
        "callee_num": _shown(profile.callee_id_number),
    }


def _shown(text: bytes | None) -> str:
    return (text or b"").decode("utf-8", "replace")
