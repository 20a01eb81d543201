"""What all turns of a run share: epmd, Erlang nodes, and what is compiled or installed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench import inside
from scripts.bench.errors import BenchError
from scripts.bench.peers import thin
from scripts.bench.peers.erlang import ErlangPeer
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
    _erlang: list[ErlangPeer] = field(default_factory=list)

    def erlang(self, number: int = 0) -> ErlangPeer:
        """That Erlang node; started when first asked for. Raises BenchError."""
        while len(self._erlang) <= number:
            self._erlang.append(ErlangPeer(self.folder, self.epmd_port, COOKIE))
        return self._erlang[number]

    def forget_erlang(self) -> None:
        """End those nodes: one that was left in the middle of a measurement is no good for another."""
        while self._erlang:
            self._erlang.pop().close()


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
