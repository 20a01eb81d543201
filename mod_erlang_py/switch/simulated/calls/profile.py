"""A caller profile: who calls whom, and when what happened. Source: switch_caller_profile_event_set_data."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from mod_erlang_py.switch.port import Header


def microseconds() -> int:
    """Since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Times:
    """Microseconds since 1970; 0: not yet."""

    profile_created: int = field(default_factory=microseconds)
    created: int = field(default_factory=microseconds)
    answered: int = 0
    progress_media: int = 0
    hungup: int = 0
    transferred: int = 0
    bridged: int = 0

    @classmethod
    def never(cls) -> Times:
        return cls(profile_created=0, created=0)


@dataclass(frozen=True, slots=True)
class Profile:
    """caller_id_name and so on: as switch_caller_get_field_by_name calls them; b"": none."""

    uuid: bytes
    chan_name: bytes
    destination_number: bytes
    context: bytes
    direction: bytes
    """inbound or outbound, as logical_direction."""
    logical_direction: bytes
    dialplan: bytes = b"xml"
    caller_id_name: bytes = b""
    caller_id_number: bytes = b"0000000000"
    orig_caller_id_name: bytes = b""
    orig_caller_id_number: bytes = b"0000000000"
    callee_id_name: bytes = b""
    callee_id_number: bytes = b""
    ani: bytes = b"0000000000"
    source: bytes = b"mod_loopback"
    transfer_source: bytes = b""
    rdnis: bytes = b""
    profile_index: int = 1
    """0: that of another channel."""
    times: Times = field(default_factory=Times)

    def as_other(self, times: Times) -> Profile:
        """As the channel at the other side of a bridge has it (switch_caller_profile_clone)."""
        return replace(self, logical_direction=b"inbound", transfer_source=b"", profile_index=0, times=times)

    def field(self, name: bytes) -> bytes | None:
        """The field of that name in any case, "caller_id_number" for example; None for no name or no value."""
        text = name.decode("ascii", "replace").lower()
        if text not in _FIELDS:
            return None
        value = getattr(self, text)
        return (str(value).encode() if isinstance(value, int) else value) or None

    def headers(self, prefix: bytes) -> list[Header]:
        found = [(prefix + name, value) for name, value in self._texts() if value]
        found += [(prefix + name, b"%d" % value) for name, value in self._moments()]
        found.append((prefix + b"-Screen-Bit", b"true"))
        found.append((prefix + b"-Privacy-Hide-Name", b"false"))
        found.append((prefix + b"-Privacy-Hide-Number", b"false"))
        return found

    def _texts(self) -> tuple[Header, ...]:
        return (
            (b"-Direction", self.direction),
            (b"-Logical-Direction", self.logical_direction),
            (b"-Dialplan", self.dialplan),
            (b"-Caller-ID-Name", self.caller_id_name),
            (b"-Caller-ID-Number", self.caller_id_number),
            (b"-Orig-Caller-ID-Name", self.orig_caller_id_name),
            (b"-Orig-Caller-ID-Number", self.orig_caller_id_number),
            (b"-Callee-ID-Name", self.callee_id_name),
            (b"-Callee-ID-Number", self.callee_id_number),
            (b"-ANI", self.ani),
            (b"-Destination-Number", self.destination_number),
            (b"-Unique-ID", self.uuid),
            (b"-Source", self.source),
            (b"-Transfer-Source", self.transfer_source),
            (b"-Context", self.context),
            (b"-RDNIS", self.rdnis),
            (b"-Channel-Name", self.chan_name),
            (b"-Profile-Index", b"%d" % self.profile_index if self.profile_index else b""),
        )

    def _moments(self) -> tuple[tuple[bytes, int], ...]:
        times = self.times
        return (
            (b"-Profile-Created-Time", times.profile_created),
            (b"-Channel-Created-Time", times.created),
            (b"-Channel-Answered-Time", times.answered),
            (b"-Channel-Progress-Time", 0),
            (b"-Channel-Progress-Media-Time", times.progress_media),
            (b"-Channel-Hangup-Time", times.hungup),
            (b"-Channel-Transfer-Time", times.transferred),
            (b"-Channel-Resurrect-Time", 0),
            (b"-Channel-Bridged-Time", times.bridged),
            (b"-Channel-Last-Hold", 0),
            (b"-Channel-Hold-Accum", 0),
        )


_FIELDS = frozenset({
    "uuid", "chan_name", "destination_number", "context", "dialplan", "caller_id_name", "caller_id_number",
    "orig_caller_id_name", "orig_caller_id_number", "callee_id_name", "callee_id_number", "ani", "source",
    "transfer_source", "rdnis", "profile_index",
})  # fmt: skip
