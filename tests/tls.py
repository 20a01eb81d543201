"""Certificates and TLS settings for tests."""

from __future__ import annotations

import _ssl
import ctypes
import ssl
from pathlib import Path

from mod_erlang_py.config.tls import Tls, Verify, Version
from scripts.certs import make_ca, make_certificate

STRANGER = "stranger-ca"


def make_all(folder: Path) -> Path:
    """A CA, `ca`, and its certificates: `localhost`; `expired`, `elsewhere` (for another host), `server-only`; and
    `stranger`, for localhost, of a CA that nobody knows."""
    make_ca(folder)
    make_ca(folder, STRANGER)
    make_certificate(folder, "localhost")
    make_certificate(folder, "localhost", name="expired", days=-1)
    make_certificate(folder, "elsewhere.example")
    (folder / "elsewhere.example.pem").rename(folder / "elsewhere.pem")
    (folder / "elsewhere.example.key").rename(folder / "elsewhere.key")
    make_certificate(folder, "localhost", name="server-only", purposes=["serverAuth"])
    make_certificate(folder, "localhost", name="stranger", ca=STRANGER)
    return folder


def tls(
    folder: Path,
    name: str = "localhost",
    port: int = 8032,
    *,
    only: bool = True,
    verify: Verify = Verify.NAME,
    version: Version = Version.TLS_1_2,
) -> Tls:
    """The settings of a node with that certificate."""
    return Tls(
        tls_listen_port=port,
        tls_only=only,
        tls_cert=str(folder / f"{name}.pem"),
        tls_key=str(folder / f"{name}.key"),
        tls_ca=str(folder / "ca.pem"),
        tls_verify=verify,
        tls_min_version=version,
    )


def client_context(
    folder: Path, name: str | None = "localhost", version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Of a peer that connects. name: of its certificate; None: it has none. version: the only one that it speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(folder / "ca.pem")
    return _with(context, folder, name, version)


def server_context(folder: Path, name: str = "localhost", version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Of a peer that is connected to, and wants a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    return _with(context, folder, name, version)


def _with(context: ssl.SSLContext, folder: Path, name: str | None, version: ssl.TLSVersion | None) -> ssl.SSLContext:
    if name is not None:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def ask_for_new_keys(connection: ssl.SSLObject, times: int) -> None:
    """As whoever speaks TLS 1.3 may at any time; Python's ssl has no function for it. What is to be sent is then
    in its BIO."""
    openssl = ctypes.CDLL(_ssl.__file__)  # by which it is found, too
    openssl.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    openssl.SSL_do_handshake.argtypes = [ctypes.c_void_p]
    *_, its_ssl = (ctypes.c_void_p * 4).from_address(id(connection._sslobj))  # type: ignore[attr-defined]  # PySSLSocket
    for _ in range(times):
        assert openssl.SSL_key_update(its_ssl, _UPDATE_REQUESTED) == 1
        assert openssl.SSL_do_handshake(its_ssl) == 1


_UPDATE_REQUESTED = 1
"""SSL_KEY_UPDATE_REQUESTED."""
