"""What the settings protect from, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mod_erlang_py.config.settings import Config
from mod_erlang_py.config.tls import ProtoDist, Tls, Verify
from mod_erlang_py.node.protection import protection
from tests.tls import tls

FILES = Path("/x")
PUBLIC, LOOPBACK = "0.0.0.0", "127.0.0.1"


@pytest.mark.parametrize(
    ("ip", "settings", "beginning", "enough"),
    [
        (LOOPBACK, Tls(), "plain TCP on loopback: no other machine", True),
        (PUBLIC, Tls(), "plain TCP: the cookie keeps out who does not know it; it is no authentication against", False),
        (PUBLIC, tls(FILES), "TLS, mutual, names verified: nobody in the path", True),
        (PUBLIC, tls(FILES, verify=Verify.CA), "TLS, mutual: nobody in the path", True),
        (PUBLIC, tls(FILES, verify=Verify.NONE), "TLS, unverified: whoever only listens reads nothing", False),
        (PUBLIC, tls(FILES, only=False), "on port 8032 TLS, mutual, names verified", False),
        (LOOPBACK, tls(FILES, only=False), "on port 8032 TLS, mutual, names verified", True),
    ],
)
def test_each(ip: str, settings: Tls, beginning: str, enough: bool) -> None:
    found = protection(Config(listen_ip=ip, tls=settings))
    assert found.text.startswith(beginning)
    assert found.enough is enough
    assert "\n" not in found.text


def test_plain_beside_it_is_told() -> None:
    both = Tls(8032, tls_only=False, proto_dist=ProtoDist.TCP, tls_cert="/x", tls_ca="/x")
    text = protection(Config(tls=both)).text
    assert ". On port 8031 plain TCP: the cookie keeps out" in text
    assert text.endswith("; our own connections are plain TCP")
