"""Erlang nodes that run bench.erl, or another module that is asked in the same way."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from scripts.bench.errors import BenchError
from scripts.certs import optfile

SOURCE = Path(__file__).with_name("bench.erl")
_ASKED = Path(__file__).with_name("asked.erl")
_ARGUMENTS = ("-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}")
_QUIET = ("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")
"""Its schedulers do not spin while they wait: here they share the processors with the switch."""
_unique = count(1)


class ErlangPeer:
    """One node, which is asked for one measurement at a time."""

    def __init__(
        self,
        folder: Path,
        epmd_port: int,
        cookie: str,
        source: Path = SOURCE,
        *,
        certs: Path | None = None,
        name: str | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """folder: where the source is compiled to, its home too. certs: a folder with those for TLS. name: how its own
        begins; as the module's, if not given. arguments: more for erl. Raises BenchError, OSError."""
        module = source.stem
        if not (folder / f"{module}.beam").exists():
            subprocess.run(["erlc", "-o", str(folder), str(_ASKED), str(source)], check=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ERL_")}
        environment |= {"ERL_EPMD_PORT": str(epmd_port), "HOME": str(folder), "ERL_CRASH_DUMP_SECONDS": "0"}
        self.name = f"{name or module}{os.getpid()}_{next(_unique)}@localhost"
        node = ["-sname", self.name, "-setcookie", cookie, *_ARGUMENTS, *arguments]
        if certs is not None:
            options = folder / "inet_tls.conf"
            options.write_text(optfile(certs, "localhost"))
            node += ["-proto_dist", "inet_tls", "-ssl_dist_optfile", str(options)]
        self._process = subprocess.Popen(
            ["erl", "-noshell", "-hidden", *_QUIET, *node, "-pa", str(folder), "-s", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._expect("ready")

    @property
    def pid(self) -> int:
        """The operating system's."""
        return self._process.pid

    def measure(self, function: str, *arguments: object) -> list[float]:
        """The numbers that the function of the module returns. Raises BenchError."""
        self.begin(function, *arguments)
        return self.end()

    def begin(self, function: str, *arguments: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{{{function}, [{', '.join(map(str, arguments))}]}}.\n")
        self._process.stdin.flush()

    def wait_until_listening(self) -> None:
        """It has asked for what it is to receive. Raises BenchError."""
        self._expect("listening")

    def end(self) -> list[float]:
        """Raises BenchError."""
        text = self._line()
        try:
            found: list[float] = json.loads(text)
        except ValueError:
            raise BenchError(text[:200]) from None
        return found

    def _expect(self, word: str) -> None:
        if (line := self._line()) != word:
            raise BenchError(line[:200])

    def _line(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("=> "):
                return line[3:].strip()
        raise BenchError("the Erlang node ended")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
