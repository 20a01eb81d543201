"""C nodes that receive events without decoding them: thin.c."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from scripts.bench.errors import BenchError

SOURCE = Path(__file__).with_name("thin.c")
BENCH = "erlang_py::bench"
ABSENT = "bench::absent"
"""A subclass of events that do not come."""
_LIBRARY = """
case code:lib_dir(erl_interface) of {error, _} -> ok; Folder -> io:put_chars(Folder) end, halt().
"""


def compiled(folder: Path) -> Path | str:
    """The program; else what it lacks, in a few words."""
    program = folder / "thin"
    if program.exists():
        return program
    compiler = shutil.which("cc")
    if compiler is None:
        return "no C compiler (cc)"
    found = subprocess.run(["erl", "-noshell", "-eval", _LIBRARY], capture_output=True, text=True, check=True).stdout
    if not found or not (Path(found) / "include" / "ei.h").exists():
        return "no ei.h (erlang-dev)"
    library = [f"-I{found}/include", f"-L{found}/lib"]
    command = [compiler, "-O2", "-D_GNU_SOURCE", *library, str(SOURCE), "-o", str(program), "-lei", "-lpthread"]
    subprocess.run(command, check=True)
    return program


class ThinPeers:
    """Some of them in one process; connected, and with what they asked for, once this is made.

    events: how many each is to get; 0 when they are only to be there, until close().
    """

    def __init__(
        self,
        program: Path,
        node: str,
        cookie: str,
        epmd_port: int,
        *,
        links: int,
        events: int,
        idle: float,
        subclass: str,
    ) -> None:
        """Raises BenchError."""
        words = [node, cookie, links, events, int(idle * 1000), subclass]
        self._process = subprocess.Popen(
            [str(program), *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"ERL_EPMD_PORT": str(epmd_port)},
            text=True,
        )
        if (line := self._line()) != "listening":
            self.close()
            raise BenchError(f"{links} C nodes: {line or 'ended'}")

    def end(self) -> dict[str, float]:
        """What thin.c counted. Raises BenchError."""
        line = self._line()
        self.close()
        try:
            found: dict[str, float] = json.loads(line)
        except ValueError:
            raise BenchError(f"C nodes: {line or 'ended'}") from None
        return found

    def close(self) -> None:
        """May be called again."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
