"""Distribution by TLS, OTP's `-proto_dist inet_tls`: the settings. Ours; names as FreeSWITCH has them for SIP.

Whoever gives one of them means to be protected, so a wrong one keeps the node from starting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from mod_erlang_py.config.values import flag, one_of, whole
from mod_erlang_py.errors import ConfigError


class ProtoDist(Enum):
    """What erl's flag -proto_dist calls the two ways."""

    TLS = "inet_tls"
    TCP = "inet_tcp"


class Verify(Enum):
    """What a peer's certificate must be."""

    NAME = "name"  # of our CA, and for the host in the peer's name
    CA = "ca"  # of our CA
    NONE = "none"  # none is asked for


class Version(Enum):
    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


@dataclass(frozen=True, slots=True)
class Tls:
    tls_listen_port: int | None = None
    """Where nodes connect to by TLS. None: there is no TLS."""
    tls_only: bool = True
    """Whether TLS takes the place of plain TCP; else listen-port is open, too."""
    proto_dist: ProtoDist = ProtoDist.TLS
    """With both: whose port epmd has, and how nodes are dialled."""
    tls_cert: str | None = None
    """File with our certificate and those between it and its CA, in PEM."""
    tls_key: str | None = None
    """File with its key. None: it is in tls_cert too."""
    tls_passphrase: str | None = field(default=None, repr=False)
    """Of the key, where it is encrypted. (sofia.conf's name.)"""
    tls_ca: str | None = None
    """File with the certificates of those who may sign the peers'."""
    tls_verify: Verify = Verify.NAME
    tls_min_version: Version = Version.TLS_1_2

    @property
    def on(self) -> bool:
        return self.tls_listen_port is not None

    @property
    def plain(self) -> bool:
        """Whether nodes may connect by plain TCP."""
        return not (self.on and self.tls_only)

    @property
    def first(self) -> bool:
        """Whether TLS is what epmd has, and what nodes are dialled by."""
        return self.on and self.proto_dist is ProtoDist.TLS


def check(tls: Tls, given: Mapping[str, str]) -> None:
    """given: the settings of PARSERS that the file has. Raises ConfigError for those that cannot be together."""
    if not given:
        return
    if not tls.on:
        name, value = next(iter(given.items()))
        raise ConfigError(name, value, "tls-listen-port beside it, without which there is no TLS")
    if tls.tls_cert is None:
        raise ConfigError("tls-cert", "", "the file of our certificate, since there is a tls-listen-port")
    if tls.tls_ca is None and tls.tls_verify is not Verify.NONE:
        raise ConfigError("tls-ca", "", "the file of the CA that signs the nodes' certificates, or tls-verify none")
    if tls.tls_only and tls.proto_dist is ProtoDist.TCP:
        raise ConfigError("proto-dist", tls.proto_dist.value, "inet_tls, or tls-only false")


def _file(value: str) -> str:
    if not Path(value).is_absolute():
        raise ValueError("the whole path of a PEM file")
    return value


def _passphrase(value: str) -> str | None:
    if len(value.encode()) > 1023:
        raise ValueError("a pass phrase of up to 1023 bytes")
    return value or None


def _version(value: str) -> Version:
    return one_of(Version)(value.lower().removeprefix("tlsv"))


PARSERS: dict[str, Callable[[str], Any]] = {
    "tls-listen-port": whole(1, 65535),
    "tls-only": flag,
    "proto-dist": one_of(ProtoDist),
    "tls-cert": _file,
    "tls-key": _file,
    "tls-passphrase": _passphrase,
    "tls-ca": _file,
    "tls-verify": one_of(Verify),
    "tls-min-version": _version,
}
CHANGEABLE = frozenset({"tls_cert", "tls_key", "tls_passphrase", "tls_ca", "tls_verify", "tls_min_version"})
"""Those that count for new connections once they are read again; so do the files' contents."""
