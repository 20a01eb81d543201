"""Whom a certificate is for."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from mod_erlang_py.node.streams.certificate import Certificate, certificate, is_among, is_usual, names

NOW = datetime(2026, 11, 26, tzinfo=timezone.utc)
PEERCERT = {
    "subject": ((("commonName", "cn.example.com"),),),
    "notAfter": "Nov 29 07:47:34 2026 GMT",
    "subjectAltName": (
        ("DNS", "fs.example.com"),
        ("DNS", "127.0.0.1"),
        ("IP Address", "127.0.0.1"),
        ("IP Address", "0:0:0:0:0:0:0:1\n"),
        ("email", "a@b"),
    ),
}


def test_names_are_those_of_the_alternative_ones() -> None:
    assert names(PEERCERT) == ("fs.example.com", "127.0.0.1", "0:0:0:0:0:0:0:1\n")
    assert names({"subject": PEERCERT["subject"]}) == ()


@pytest.mark.parametrize(
    ("host", "name", "fits"),
    [
        ("fs.example.com", "fs.example.com", True),
        ("FS.example.com", "fs.EXAMPLE.com.", True),
        ("fs", "fs.example.com", False),
        ("fs.example.com", "fs", False),
        ("fs.example.com", "*.example.com", True),
        ("a.fs.example.com", "*.example.com", False),
        ("example.com", "*.example.com", False),
        ("example.com", "*.com", False),
        ("fs.example.com", "*", False),
        ("fs.example.com", "f*.example.com", False),
        (".example.com", "*.example.com", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "*.0.0.1", False),
        ("::1", "0:0:0:0:0:0:0:1\n", True),
        ("", "", True),
        ("fs", "", False),
    ],
)
def test_hosts(host: str, name: str, fits: bool) -> None:
    assert is_among(host, [name]) is fits
    assert is_among(host, ["other", name]) is fits


@pytest.mark.parametrize(
    ("host", "name", "usual"),
    [
        ("fs.example.com", "fs.example.com", True),
        ("Fs.example.com", "Fs.example.com", True),
        ("fs.example.com", "FS.example.com", True),
        ("FS.example.com", "fs.example.com", False),
        ("fs.example.com.", "fs.example.com", False),
        ("FS.example.com", "*.example.com", False),
        ("f\u212a.example.com", "fk.example.com", False),  # the sign of kelvin, whose small letter is k
        ("127.0.0.1 ", "127.0.0.1", False),
        ("::1", "0:0:0:0:0:0:0:1\n", True),
        ("0::1", "0:0:0:0:0:0:0:1\n", False),
    ],
)
def test_one_host_has_one_spelling(host: str, name: str, usual: bool) -> None:
    assert is_among(host, [name])
    assert is_usual(host, [name]) is usual


def test_nobody() -> None:
    assert not is_among("fs", [])


def test_ours() -> None:
    found = certificate(PEERCERT)
    assert found.until == datetime(2026, 11, 29, 7, 47, 34, tzinfo=timezone.utc)
    assert str(Certificate(("a", "b"), NOW)) == "for a, b, until 2026-11-26 00:00 UTC"


@pytest.mark.parametrize(
    ("left", "host", "told"),
    [
        (timedelta(days=15), "a", []),
        (timedelta(days=13), "a", ["it ends on 2026-12-09 00:00 UTC"]),
        (timedelta(0), "a", ["it ended on 2026-11-26 00:00 UTC"]),
        (timedelta(days=15), "b", ["it is for a, not for b"]),
        (-timedelta(days=1), "b", ["it ended on", "it is for a"]),
    ],
)
def test_what_is_wrong_with_ours(left: timedelta, host: str, told: list[str]) -> None:
    found = Certificate(("a",), NOW + left).faults(host, NOW)
    assert len(found) == len(told)
    assert all(line.startswith(beginning) for line, beginning in zip(found, told, strict=True))
