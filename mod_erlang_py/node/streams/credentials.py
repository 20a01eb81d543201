"""What TLS needs: a context for each side, made from the files that the settings name."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from mod_erlang_py.config.tls import Tls, Verify, Version
from mod_erlang_py.errors import ConfigError

from .certificate import Certificate, certificate
from .tls_errors import words

_OP_ALLOW_CLIENT_RENEGOTIATION = 1 << 8
"""Of OpenSSL 3, whose number it is; ssl has no name for it. OTP renegotiates TLS 1.2 after 2^28 records, and would lose
the link."""
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """server, client: the contexts of whoever accepts and of whoever connects. own: our certificate. key: the file that
    has our key.

    checks_names: whether a peer must be on a host that its certificate is for. digest: of all files.
    """

    server: ssl.SSLContext
    client: ssl.SSLContext
    own: Certificate
    key: Path
    checks_names: bool
    digest: str


def load(tls: Tls) -> Credentials:
    """Read the files. tls: with a certificate. Raises ConfigError."""
    assert tls.tls_cert is not None
    cert, key = tls.tls_cert, tls.tls_key or tls.tls_cert
    digest = hashlib.sha256(_read("tls-cert", cert, b"-----BEGIN CERTIFICATE-----", "a certificate in PEM"))
    the_key = _read("tls-key", key, b"PRIVATE KEY-----", "a private key in PEM")
    if b"ENCRYPTED" in the_key and tls.tls_passphrase is None:
        raise ConfigError("tls-key", key, "a key without a pass phrase, or its pass phrase in tls-passphrase")
    digest.update(the_key)
    if tls.tls_ca is not None:
        digest.update(_read("tls-ca", tls.tls_ca, b"-----BEGIN CERTIFICATE-----", "certificates in PEM"))
    server = _context(ssl.PROTOCOL_TLS_SERVER, tls, cert, key)
    server.num_tickets = 0  # of no use: a link is not made anew often
    client = _context(ssl.PROTOCOL_TLS_CLIENT, tls, cert, key)
    return Credentials(server, client, _own(server, cert), Path(key), tls.tls_verify is Verify.NAME, digest.hexdigest())


def _read(param: str, path: str, mark: bytes, expected: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(param, path, f"a file that can be read: {error.strerror}") from None
    if mark not in content:
        raise ConfigError(param, path, expected)
    return content


def _context(protocol: int, tls: Tls, cert: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False  # certificate.is_among does it, for both sides
    context.minimum_version = {
        Version.TLS_1_2: ssl.TLSVersion.TLSv1_2,
        Version.TLS_1_3: ssl.TLSVersion.TLSv1_3,
    }[tls.tls_min_version]
    context.verify_mode = ssl.CERT_NONE if tls.tls_verify is Verify.NONE else ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET | _OP_ALLOW_CLIENT_RENEGOTIATION
    try:
        context.load_cert_chain(cert, key, tls.tls_passphrase or "")  # with None, OpenSSL would ask on a terminal
    except (ssl.SSLError, OSError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise ConfigError("tls-key", key, f"the key of the certificate in {cert}") from None
        if tls.tls_passphrase is not None:
            expected = f"the pass phrase of {key}, if {cert} is a certificate that OpenSSL takes: {_why(error)}"
            raise ConfigError("tls-passphrase", "***", expected) from None
        raise ConfigError("tls-cert", cert, f"a certificate and its key that OpenSSL takes: {_why(error)}") from None
    if tls.tls_ca is not None:
        try:
            context.load_verify_locations(tls.tls_ca)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError("tls-ca", tls.tls_ca, f"certificates that OpenSSL takes: {_why(error)}") from None
    return context


def _why(error: OSError) -> str:
    reason: str | None = getattr(error, "reason", None)
    return reason.lower().replace("_", " ") if reason else str(error)


def _own(server: ssl.SSLContext, path: str) -> Certificate:
    """Our certificate, as whoever connects sees it: ssl decodes none but a peer's. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(path)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer, us = context.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)
    try:
        for side in (peer, us, peer):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        return certificate(peer.getpeercert() or {})
    except (ssl.SSLError, LookupError, ValueError) as error:
        why = words(error) if isinstance(error, ssl.SSLError) else str(error)
        raise ConfigError("tls-cert", path, f"a certificate that can be served with: {why}") from None
