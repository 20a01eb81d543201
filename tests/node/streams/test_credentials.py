"""The files of TLS: what can be used, and one line for each that cannot."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from mod_erlang_py.errors import ConfigError
from mod_erlang_py.node.carriers import TlsCarrier
from mod_erlang_py.node.streams.credentials import load
from scripts.certs import make_certificate
from tests.tls import make_all, tls


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_all(tmp_path_factory.mktemp("certs"))


def test_ours_is_known_even_when_it_has_ended(certs: Path) -> None:
    assert load(tls(certs)).own.names == ("localhost",)
    assert load(tls(certs, "expired")).own.names == ("localhost",)


def test_the_key_may_be_in_the_same_file(certs: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes((certs / "localhost.key").read_bytes() + (certs / "localhost.pem").read_bytes())
    assert load(replace(tls(certs), tls_cert=str(both), tls_key=None)).own.names == ("localhost",)


def encrypt(certs: Path) -> Path:
    """The key of `localhost` with a pass phrase, "x"."""
    secret = certs / "secret.key"
    command = ["openssl", "pkey", "-in", str(certs / "localhost.key"), "-aes256", "-passout", "pass:x"]
    subprocess.run([*command, "-out", str(secret)], check=True)
    return secret


def test_a_key_with_a_pass_phrase(certs: Path) -> None:
    encrypted = replace(tls(certs), tls_key=str(encrypt(certs)), tls_passphrase="x")
    assert load(encrypted).own.names == ("localhost",)
    with pytest.raises(ConfigError) as error:
        load(replace(encrypted, tls_passphrase="another"))
    assert (error.value.param, error.value.value) == ("tls-passphrase", "***")
    assert error.value.expected.startswith(f"the pass phrase of {certs / 'secret.key'}, if ")


def test_a_pass_phrase_for_a_key_that_needs_none(certs: Path) -> None:
    assert load(replace(tls(certs), tls_passphrase="x")).own.names == ("localhost",)


def test_a_key_that_everybody_can_read() -> None:
    with tempfile.TemporaryDirectory() as name:
        certs = make_all(Path(name))
        certs.chmod(0o755)
        carrier = TlsCarrier(tls(certs))
        assert carrier.warnings("localhost") == ()
        key = certs / "localhost.key"
        key.chmod(0o644)
        expected = f"tls-key: everybody on this machine can read {key}, and so be this node: chmod o-r {key}"
        assert carrier.warnings("localhost") == (expected,)
        certs.chmod(0o700)
        assert carrier.warnings("localhost") == ()


def test_other_files_are_noticed(certs: Path, tmp_path: Path) -> None:
    make_all(tmp_path)
    first = load(tls(tmp_path)).digest
    assert load(tls(tmp_path)).digest == first
    (tmp_path / "ca.pem").write_bytes((tmp_path / "ca.pem").read_bytes() + (certs / "ca.pem").read_bytes())
    assert load(tls(tmp_path)).digest != first


@pytest.mark.parametrize(
    ("field", "file", "expected"),
    [
        ("tls_cert", "missing.pem", "a file that can be read: No such file or directory"),
        ("tls_cert", "localhost.key", "a certificate in PEM"),
        ("tls_cert", "broken.pem", "a certificate and its key that OpenSSL takes: "),
        ("tls_key", "missing.key", "a file that can be read: No such file or directory"),
        ("tls_key", "localhost.pem", "a private key in PEM"),
        ("tls_key", "stranger.key", "the key of the certificate in "),
        ("tls_key", "secret.key", "a key without a pass phrase, or its pass phrase in tls-passphrase"),
        ("tls_ca", "missing.pem", "a file that can be read: No such file or directory"),
        ("tls_ca", "localhost.key", "certificates in PEM"),
        ("tls_ca", "broken.pem", "certificates that OpenSSL takes: "),
    ],
)
def test_files_that_cannot_be_used(certs: Path, field: str, file: str, expected: str) -> None:
    (certs / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    encrypt(certs)
    path = str(certs / file)
    with pytest.raises(ConfigError) as error:
        load(replace(tls(certs), **{field: path}))  # type: ignore[arg-type]
    assert (error.value.param, error.value.value) == (field.replace("_", "-"), path)
    assert error.value.expected.startswith(expected)


def test_a_certificate_that_is_for_no_server(certs: Path) -> None:
    make_certificate(certs, "localhost", name="client-only", purposes=["clientAuth"])
    with pytest.raises(ConfigError, match=r"certificate purpose.*serverAuth"):
        load(tls(certs, "client-only"))
