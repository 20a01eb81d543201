"""What went wrong in TLS, in an operator's words. OpenSSL's are about its own functions."""

from __future__ import annotations

import ssl

STEP = "TLS"
"""The step that HandshakeError names."""


class TlsError(OSError):
    """TLS ended the connection after its handshake; str() says why."""


def words(error: ssl.SSLError) -> str:
    """Which of the two sides refuses, and what it refuses the other for."""
    if isinstance(error, ssl.SSLCertVerificationError):
        message = error.verify_message
        return f"the peer's certificate is refused: {message}{_VERIFIED.get(message, '')}"
    reason: str = getattr(error, "reason", None) or ""
    _, is_alert, alert = reason.partition("_ALERT_")
    if is_alert:
        name = alert.lower().replace("_", " ")
        return f"the peer refuses us: alert {name}{_ALERTS.get(alert, '')}"
    return _REASONS.get(reason) or f"{reason.lower().replace('_', ' ') or error}"


_NOT_OURS = ", none of tls-ca"
_VERIFIED = {
    "unable to get local issuer certificate": ": its CA is not in tls-ca",
    "unable to get issuer certificate": ": its CA is not in tls-ca",
    "unable to verify the first certificate": ": its CA is not in tls-ca, or a certificate between the two is missing",
    "self-signed certificate": _NOT_OURS,
    "self signed certificate": _NOT_OURS,  # OpenSSL 1.1
    "self-signed certificate in certificate chain": ": its CA is not in tls-ca",
    "self signed certificate in certificate chain": ": its CA is not in tls-ca",
    "unsupported certificate purpose": ": whoever connects needs clientAuth in it, who is connected to serverAuth",
    "unsuitable certificate purpose": ": whoever connects needs clientAuth in it, who is connected to serverAuth",
}
_ALERTS = {
    "UNKNOWN_CA": ": it does not trust the CA of tls-cert",
    "BAD_CERTIFICATE": ": tls-cert is not good for it; its log says why",
    "CERTIFICATE_UNKNOWN": ": tls-cert is not good for it; its log says why",
    "CERTIFICATE_EXPIRED": ": tls-cert",
    "UNSUPPORTED_CERTIFICATE": ": tls-cert; does it have serverAuth and clientAuth?",
    "CERTIFICATE_REQUIRED": ": it wants a certificate",
    "PROTOCOL_VERSION": ": the two have no version of TLS in common; see tls-min-version",
    "HANDSHAKE_FAILURE": ": of the name in tls-cert, or of the ciphers; its log says why",
}
_REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer has no certificate, and tls-verify asks for one",
    "UNSUPPORTED_PROTOCOL": "the two have no version of TLS in common; see tls-min-version",
    "VERSION_TOO_LOW": "the two have no version of TLS in common; see tls-min-version",
    "NO_PROTOCOLS_AVAILABLE": "the two have no version of TLS in common; see tls-min-version",
    "NO_SHARED_CIPHER": "the two have no cipher in common",
    "WRONG_VERSION_NUMBER": "the peer does not speak TLS",
    "HTTP_REQUEST": "the peer does not speak TLS, but HTTP",
}
PLAIN = "the peer connects by plain TCP, and this port is for TLS: start it with -proto_dist inet_tls"
CLOSED = "closed by the peer: does it speak TLS (-proto_dist inet_tls)? its log may say why"
