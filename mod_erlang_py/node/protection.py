"""What the settings protect from, in one line: in the log at start, `erlang status` and the doctor."""

from __future__ import annotations

from dataclasses import dataclass

from mod_erlang_py.config.settings import Config
from mod_erlang_py.config.tls import ProtoDist, Verify

from .names import is_loopback


@dataclass(frozen=True, slots=True)
class Protection:
    """enough: whether nobody can get in, or read along, who is merely in the path."""

    text: str
    enough: bool


_LOOPBACK = "plain TCP on loopback: no other machine can connect, and nobody on this one without the cookie"
_PLAIN = (
    "plain TCP: the cookie keeps out who does not know it; it is no authentication against whoever is in the path, who "
    "reads everything and can take links over"
)
_TLS = {
    Verify.NAME: "TLS, mutual, names verified: nobody in the path can read or change anything, and nobody connects "
    "without the cookie and a certificate of tls-ca for his host",
    Verify.CA: "TLS, mutual: nobody in the path can read or change anything, and nobody connects without the cookie "
    "and a certificate of tls-ca, but whoever has one can pose as any node",
    Verify.NONE: "TLS, unverified: whoever only listens reads nothing; whoever is in the path can pose as either side, "
    "and take links over: the cookie is no authentication against him",
}


def protection(config: Config) -> Protection:
    loopback = is_loopback(config.listen_ip)
    plain = _LOOPBACK if loopback else _PLAIN
    if not config.tls.on:
        return Protection(plain, loopback)
    text = _TLS[config.tls.tls_verify]
    verified = config.tls.tls_verify is not Verify.NONE
    if not config.tls.plain:
        return Protection(text, verified)
    ours = "; our own connections are plain TCP" if config.tls.proto_dist is ProtoDist.TCP else ""
    beside = f"on port {config.tls.tls_listen_port} {text}. On port {config.listen_port} {plain}{ours}"
    return Protection(beside, verified and loopback)
