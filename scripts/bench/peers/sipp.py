"""Calls by sipp, which the other side answers and hangs up: sipp.xml."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.errors import BenchError
from scripts.bench.peers.received import percentile
from scripts.scratch import free_port

SCENARIO = Path(__file__).with_name("sipp.xml")
_SECONDS = 60
_STARTED_A_SECOND = 2000
"""At most; how many there are at a time holds it back."""


@dataclass(frozen=True)
class Calls:
    """seconds: that all took. p50, p99: milliseconds from the INVITE to its 200, which sipp sees every 4 ms."""

    seconds: float
    p50: float
    p99: float


def lacks() -> str | None:
    return None if shutil.which("sipp") else "no sipp (sip-tester)"


def call(port: int, extension: str, count: int, at_once: int) -> Calls:
    """Raises BenchError when not all of them were answered and hung up."""
    local = ["-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(free_port())]
    work = ["-s", extension, "-m", str(count), "-l", str(at_once), "-r", str(_STARTED_A_SECOND)]
    told = ["-trace_rtt", "-rtt_freq", "1", "-nostdin", "-timeout", str(_SECONDS), "-timeout_error"]
    with tempfile.TemporaryDirectory(prefix="sipp.") as folder:
        began = time.monotonic()
        done = subprocess.run(
            ["sipp", f"127.0.0.1:{port}", *local, "-sf", str(SCENARIO), *work, *told],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        seconds = time.monotonic() - began
        if done.returncode:
            raise BenchError(f"sipp ended with {done.returncode}: not all of {count} calls went well")
        (file,) = Path(folder).glob("*_rtt.csv")
        lines = file.read_text().splitlines()[1:]  # moment;milliseconds;which
    found = sorted(float(line.split(";")[1]) for line in lines)
    return Calls(seconds, percentile(found, 0.5), percentile(found, 0.99))
