"""What all turns of a run share: epmd, Erlang nodes, and what is compiled or installed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from scripts.bench import inside
from scripts.bench.errors import BenchError
from scripts.bench.peers import thin
from scripts.bench.peers.erlang import ErlangPeer
from scripts.certs import make_ca, make_certificate
from scripts.epmd import Epmd
from scripts.scratch import FreeSwitch, find_freeswitch, free_port

COOKIE = "ClueCon"


@dataclass
class Shared:
    """folder: temporary, for all. library: bench_inside.c, compiled. thin: the C nodes' program; else what it lacks."""

    found: FreeSwitch
    folder: Path
    epmd_port: int
    library: Path
    thin: Path | str
    _erlang: dict[tuple[int, bool], ErlangPeer] = field(default_factory=dict)

    def erlang(self, number: int = 0, tls: bool = False) -> ErlangPeer:
        """That Erlang node; started when first asked for. tls: of those that connect by TLS. Raises BenchError."""
        key = number, tls
        if key not in self._erlang:
            self._erlang[key] = ErlangPeer(self.folder, self.epmd_port, COOKIE, certs=self.certs if tls else None)
        return self._erlang[key]

    def forget_erlang(self) -> None:
        """End those nodes: one that was left in the middle of a measurement is no good for another."""
        while self._erlang:
            self._erlang.popitem()[1].close()

    @cached_property
    def certs(self) -> Path:
        """The folder with a CA and a certificate for localhost. Raises CertsError."""
        folder = self.folder / "certs"
        make_ca(folder)
        make_certificate(folder, "localhost")
        return folder

    def tls_settings(self, port: int) -> dict[str, str]:
        """Of erlang_event.conf."""
        return {
            "tls-listen-port": str(port),
            "tls-cert": str(self.certs / "localhost.pem"),
            "tls-key": str(self.certs / "localhost.key"),
            "tls-ca": str(self.certs / "ca.pem"),
        }


@contextmanager
def shared(folder: Path) -> Iterator[Shared]:
    """Raises BenchError where nothing can be measured."""
    found = find_freeswitch()
    if not isinstance(found, FreeSwitch):
        raise BenchError(found)
    library = inside.library(folder)
    if not isinstance(library, Path):
        raise BenchError(library)
    epmd = Epmd(free_port())
    try:
        made = Shared(found, folder, epmd.port, library, thin.compiled(folder))
        try:
            yield made
        finally:
            made.forget_erlang()
    finally:
        epmd.stop()
