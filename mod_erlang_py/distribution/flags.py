"""Distribution flags: the word that both sides exchange in the handshake.

Source: ERTS "Distribution Protocol", section "Distribution Flags"; dist.h.
"""

from __future__ import annotations

from enum import IntFlag


class DistFlags(IntFlag):
    """The DFLAG_* bits of dist.h; bits without a name are kept."""

    PUBLISHED = 1 << 0
    ATOM_CACHE = 1 << 1
    EXTENDED_REFERENCES = 1 << 2
    DIST_MONITOR = 1 << 3
    FUN_TAGS = 1 << 4
    DIST_MONITOR_NAME = 1 << 5
    HIDDEN_ATOM_CACHE = 1 << 6
    NEW_FUN_TAGS = 1 << 7
    EXTENDED_PIDS_PORTS = 1 << 8
    EXPORT_PTR_TAG = 1 << 9
    BIT_BINARIES = 1 << 10
    NEW_FLOATS = 1 << 11
    UNICODE_IO = 1 << 12
    DIST_HDR_ATOM_CACHE = 1 << 13
    SMALL_ATOM_TAGS = 1 << 14
    UTF8_ATOMS = 1 << 16
    MAP_TAG = 1 << 17
    BIG_CREATION = 1 << 18
    SEND_SENDER = 1 << 19
    BIG_SEQTRACE_LABELS = 1 << 20
    EXIT_PAYLOAD = 1 << 22
    FRAGMENTS = 1 << 23
    HANDSHAKE_23 = 1 << 24
    UNLINK_ID = 1 << 25
    MANDATORY_25_DIGEST = 1 << 26
    SPAWN = 1 << 32
    NAME_ME = 1 << 33
    V4_NC = 1 << 34
    ALIAS = 1 << 35
    ALTACT_SIG = 1 << 37


_F = DistFlags

MANDATORY_23 = _F.EXTENDED_REFERENCES | _F.NEW_FUN_TAGS | _F.EXTENDED_PIDS_PORTS | _F.UTF8_ATOMS | _F.BIG_CREATION
MANDATORY_25 = (
    MANDATORY_23 | _F.FUN_TAGS | _F.EXPORT_PTR_TAG | _F.BIT_BINARIES | _F.NEW_FLOATS | _F.MAP_TAG | _F.HANDSHAKE_23
)
MANDATORY_26 = MANDATORY_25 | _F.UNLINK_ID | _F.V4_NC

# What we advertise. Hidden, since a published node must serve global. SPAWN: each request is answered, and rpc and
# erpc come by it. ALIAS, and ALTACT_SIG that takes its place from OTP 28 on: a late answer reaches nobody. No
# FRAGMENTS, no atom cache: either changes the framing. Both monitor flags: OTP needs both.
OURS = (
    MANDATORY_26
    | _F.MANDATORY_25_DIGEST
    | _F.SMALL_ATOM_TAGS
    | _F.DIST_MONITOR
    | _F.DIST_MONITOR_NAME
    | _F.SEND_SENDER
    | _F.EXIT_PAYLOAD
    | _F.BIG_SEQTRACE_LABELS
    | _F.SPAWN
    | _F.ALIAS
    | _F.ALTACT_SIG
)

# What a peer must have: what OTP 23 itself demands, the handshake we speak, and the tags of terms that we
# write without asking.
NEEDED = MANDATORY_23 | _F.HANDSHAKE_23 | _F.BIT_BINARIES | _F.NEW_FLOATS | _F.MAP_TAG


def expanded(word: int) -> int:
    """The flag word with the flags that MANDATORY_25_DIGEST stands for."""
    return word | MANDATORY_25.value if word & _F.MANDATORY_25_DIGEST.value else word


def missing(peer: int) -> DistFlags:
    """The flags we need that the peer's word lacks; DistFlags(0) when we can talk."""
    return DistFlags(NEEDED.value & ~expanded(peer))


def names(flags: DistFlags) -> str:
    """The flags by name, for an error: `UTF8_ATOMS, BIG_CREATION`."""
    return ", ".join(flag.name or hex(flag) for flag in DistFlags if flag in flags)
