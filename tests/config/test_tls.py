"""The settings of TLS: what goes together, and what keeps the node from starting."""

from __future__ import annotations

import pytest

from mod_erlang_py.config.reload import compare
from mod_erlang_py.config.settings import read
from mod_erlang_py.config.tls import PARSERS, ProtoDist, Tls, Verify, Version
from mod_erlang_py.errors import ConfigError

GIVEN = {"tls-listen-port": "8032", "tls-cert": "/x/fs.pem", "tls-key": "/x/fs.key", "tls-ca": "/x/ca.pem"}


def parsed(**more: str) -> Tls:
    config, wrong = read((GIVEN | {name.replace("_", "-"): value for name, value in more.items()}).items())
    assert wrong == []
    return config.tls


def test_there_is_none_by_default() -> None:
    config, _ = read([])
    assert (config.tls.on, config.tls.plain, config.tls.first) == (False, True, False)


def test_a_port_puts_it_in_the_place_of_plain_tcp() -> None:
    found = parsed()
    assert found == Tls(
        8032, True, ProtoDist.TLS, "/x/fs.pem", "/x/fs.key", None, "/x/ca.pem", Verify.NAME, Version.TLS_1_2
    )
    assert (found.on, found.plain, found.first) == (True, False, True)


def test_both_ports() -> None:
    found = parsed(tls_only="false", proto_dist="inet_tcp")
    assert (found.on, found.plain, found.first) == (True, True, False)
    assert parsed(tls_only="false").first


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("tls-verify", "CA", "tls_verify", Verify.CA),
        ("tls-verify", "none", "tls_verify", Verify.NONE),
        ("tls-min-version", "1.3", "tls_min_version", Version.TLS_1_3),
        ("tls-min-version", "tlsv1.2", "tls_min_version", Version.TLS_1_2),
        ("tls-passphrase", "a b", "tls_passphrase", "a b"),
        ("tls-passphrase", "", "tls_passphrase", None),
    ],
)
def test_each(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(parsed(**{name: value}), field) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("tls-listen-port", "0", "a whole number from 1 to 65535"),
        ("tls-only", "perhaps", "true or false"),
        ("proto-dist", "tls", "inet_tls or inet_tcp"),
        ("tls-cert", "fs.pem", "the whole path of a PEM file"),
        ("tls-key", "", "the whole path of a PEM file"),
        ("tls-verify", "yes", "name, ca or none"),
        ("tls-min-version", "1.1", "1.2 or 1.3"),
        ("proto-dist", "inet_tcp", "inet_tls, or tls-only false"),
    ],
)
def test_a_wrong_one_keeps_the_node_from_starting(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        parsed(**{name: value})
    assert (error.value.param, error.value.value, error.value.expected) == (name, value, expected)


def test_the_pass_phrase_is_never_told() -> None:
    with pytest.raises(ConfigError) as alone:
        read([("tls-passphrase", "secret")])
    with pytest.raises(ConfigError) as long:
        parsed(tls_passphrase="secret" * 200)
    _, misspelt = read([("tls-passphrse", "secret")])
    changed = compare(read(GIVEN.items())[0], read([*GIVEN.items(), ("tls-passphrase", "secret")])[0])
    assert [str(one) for one in changed.changed] == ["tls-passphrase *** -> ***"]
    told = f"{alone.value} {long.value} {misspelt} {changed} {changed.config}"
    assert "secret" not in told
    assert "1023 bytes" in told


@pytest.mark.parametrize("missing", ["tls-cert", "tls-ca"])
def test_what_is_needed(missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        read((name, value) for name, value in GIVEN.items() if name != missing)


def test_nobody_is_verified_without_a_ca() -> None:
    config, _ = read([*((name, GIVEN[name]) for name in GIVEN if name != "tls-ca"), ("tls-verify", "none")])
    assert config.tls.tls_ca is None


@pytest.mark.parametrize("name", sorted(PARSERS.keys() - {"tls-listen-port"}))
def test_none_of_them_is_without_effect(name: str) -> None:
    """Whoever gives one means to be protected: a node that then speaks plain TCP would be a trap."""
    value = GIVEN.get(name) or {"tls-only": "true", "proto-dist": "inet_tls", "tls-verify": "name"}.get(name, "1.3")
    with pytest.raises(ConfigError, match="tls-listen-port beside it"):
        read([(name, value)])


def test_turned_on_or_off_it_waits_for_a_restart() -> None:
    """With all that belongs to it."""
    off, on = read([])[0], read(GIVEN.items())[0]
    for old, new in ((off, on), (on, off)):
        found = compare(old, new)
        assert (found.config, found.changed) == (old, ())
        assert {change.name for change in found.pending} == {*GIVEN}


def test_the_rest_counts_at_once() -> None:
    old = read(GIVEN.items())[0]
    new = read((GIVEN | {"tls-verify": "ca", "tls-ca": "/y", "tls-only": "false"}).items())[0]
    found = compare(old, new)
    assert list(map(str, found.changed)) == ["tls-ca /x/ca.pem -> /y", "tls-verify name -> ca"]
    assert list(map(str, found.pending)) == ["tls-only true -> false"]


def test_a_node_that_has_to_come_by_tls() -> None:
    nodes = [("safe@h", [("tls-required", "true")]), ("other@h", [("tls-required", "no")])]
    config, _ = read(GIVEN.items(), None, nodes)
    assert [(rule.tls_required, "tls-required" in str(rule)) for rule in config.nodes] == [(True, True), (False, False)]
    with pytest.raises(ConfigError, match=r"node safe@h: tls-required='true': expected tls-listen-port"):
        read([], None, nodes)
    with pytest.raises(ConfigError, match=r"node safe@h: tls-required='perhaps': expected true or false"):
        read(GIVEN.items(), None, [("safe@h", [("tls-required", "perhaps")])])
