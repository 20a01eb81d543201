"""The facts of one running switch."""

from __future__ import annotations

import socket
import time
import uuid
from dataclasses import dataclass, field

VERSION = "1.11.1-simulated"
"""The FreeSWITCH whose answers are imitated, and that this is not it."""

MAX_SESSIONS = 4000
"""Channels at a time; more are refused. FreeSWITCH's default is 1000."""

SESSIONS_PER_SECOND = 1000
"""What is told as the limit of sessions-per-second; nothing is limited by it. FreeSWITCH's default is 30."""

IDLE_CPU = 100.0
"""Per cent. Not measured."""


@dataclass(frozen=True, slots=True)
class Core:
    uuid: str
    """Another one for every switch that is started (Core-UUID)."""
    hostname: str
    switchname: str
    ipv4: str
    ipv6: str
    started: int = field(default_factory=time.monotonic_ns)
    """time.monotonic_ns() at the start."""

    @classmethod
    def of_this_machine(cls) -> Core:
        name = socket.gethostname()
        return cls(str(uuid.uuid4()), name, name, _local_ipv4(), _local_ipv6())

    def uptime(self) -> int:
        """Microseconds since the start (switch_core_uptime)."""
        return (time.monotonic_ns() - self.started) // 1000


def duration(microseconds: int) -> str:
    """For people, as "0 years, 1 day, 0 hours, 0 minutes, ..." down to microseconds; years of 365 days."""
    parts: list[str] = []
    rest = microseconds
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return ", ".join(parts)


_SECOND = 1_000_000
_DAY = 86400 * _SECOND
_UNITS = (
    ("year", 365 * _DAY),
    ("day", _DAY),
    ("hour", 3600 * _SECOND),
    ("minute", 60 * _SECOND),
    ("second", _SECOND),
    ("millisecond", 1000),
    ("microsecond", 1),
)


def _local_ipv4() -> str:
    return _source_address(socket.AF_INET, "192.0.2.1") or "127.0.0.1"


def _local_ipv6() -> str:
    return _source_address(socket.AF_INET6, "2001:db8::1") or "::1"


def _source_address(family: socket.AddressFamily, destination: str) -> str | None:
    """The address this machine would send from; connecting a datagram socket sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((destination, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None
