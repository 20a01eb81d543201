"""Whom a certificate is for. Certificates are what SSLObject.getpeercert returns."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Certificate:
    """names: the hosts that it is for, as its subjectAltName has them. until: when it ends."""

    names: tuple[str, ...]
    until: datetime

    def __str__(self) -> str:
        return f"for {', '.join(self.names) or 'nobody'}, until {self.until:%Y-%m-%d %H:%M} UTC"

    def faults(self, host: str, now: datetime) -> tuple[str, ...]:
        """Why peers that verify it refuse whoever has it on that host, or soon will. now: with its time zone."""
        found = []
        if self.until <= now:
            found.append(f"it ended on {self.until:%Y-%m-%d %H:%M} UTC: nodes that verify it refuse it")
        elif self.until - now < SOON:
            found.append(f"it ends on {self.until:%Y-%m-%d %H:%M} UTC: replace it, and `erlang reload`")
        if not is_among(host, self.names):
            found.append(
                f"it is for {', '.join(self.names) or 'nobody'}, not for {host}: nodes that verify it refuse it"
            )
        return tuple(found)


def certificate(peercert: Mapping[str, Any]) -> Certificate:
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(peercert["notAfter"]), timezone.utc)
    return Certificate(names(peercert), until)


def names(peercert: Mapping[str, Any]) -> tuple[str, ...]:
    """The names and addresses in subjectAltName; the subject's common name does not count, as it does nowhere now."""
    found = peercert.get("subjectAltName", ())
    return tuple(dict.fromkeys(value for kind, value in found if kind in ("DNS", "IP Address")))


def is_among(host: str, names: Sequence[str]) -> bool:
    """Whether a certificate for these names is one for the host. `*` stands for a whole first label. An address may
    stand there as a name, too: OTP looks for it among these."""
    host = _plain(host)
    return any(_fits(host, _plain(name)) for name in names)


def is_usual(host: str, names: Sequence[str]) -> bool:
    """Whether a host that is among them is written as there, or in small letters and as short as can be. In what else a
    certificate takes for the same, Erlang sees another node, and a <node> in the settings none of its own."""
    return host in names or host == _plain(host)


def _fits(host: str, name: str) -> bool:
    if name.startswith("*."):
        first, dot, rest = host.partition(".")
        return bool(first and dot) and rest == name[2:] and "." in rest and not _is_address(host)
    return host == name


def _plain(name: str) -> str:
    if _is_address(name):
        return str(ipaddress.ip_address(name.strip()))
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip())  # OpenSSL ends some with a line feed
    except ValueError:
        return False
    return True
