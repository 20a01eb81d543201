"""Distribution by TLS with real Erlang nodes, in both directions; and whoever is refused, each with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.certs import make_ca, make_certificate, optfile
from tests.conftest import StartErl, StartNode

VERSIONS = ["tlsv1.2", "tlsv1.3"]


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    make_ca(folder)
    make_certificate(folder, "localhost")
    return folder


def settings(certs: Path, port: int, name: str = "localhost") -> dict[str, str]:
    return {
        "tls_listen_port": str(port),
        "tls_cert": str(certs / f"{name}.pem"),
        "tls_key": str(certs / f"{name}.key"),
        "tls_ca": str(certs / "ca.pem"),
    }


def by_tls(folder: Path, options: str) -> tuple[str, ...]:
    """erl's arguments for TLS with such options."""
    file = folder / "inet_tls.conf"
    file.write_text(options)
    return ("-proto_dist", "inet_tls", "-ssl_dist_optfile", str(file))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_node_connects(
    certs: Path, tmp_path: Path, start_node: StartNode, erl: StartErl, free_port, version: str
) -> None:
    node = start_node("simulated", **settings(certs, free_port()))
    peer = erl(node, arguments=by_tls(tmp_path, optfile(certs, "localhost", [version])))
    assert peer.request(node.name, "getpid").startswith("{ok,"), node.log() + peer.output()
    print(node.log())
