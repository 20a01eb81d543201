"""What a process has taken of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """memory: of its own in RAM, KiB."""

    threads: int
    descriptors: int
    memory: int


def usage(pid: int) -> Usage:
    """Raises OSError when the process is gone."""
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return Usage(int(status["Threads"]), len(list((folder / "fd").iterdir())), int(status["RssAnon"].split()[0]))
