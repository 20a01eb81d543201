"""docs/trials/fuzz.md: the tables of a run."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone

from scripts.bench.page import replaced
from scripts.install import ROOT

PAGE = ROOT / "docs" / "trials" / "fuzz.md"


def publish(tables: str, faults: list[str], minutes: float, seed: int) -> None:
    """Between the markers of the page. Raises OSError, NoMarkers."""
    found = "\n".join(f"- {fault}" for fault in faults) or "Nothing failed."
    text = "\n\n".join((_run(minutes, seed), tables, found))
    PAGE.write_text(replaced(PAGE.read_text(), "fuzz", text))


def _run(minutes: float, seed: int) -> str:
    """In a sentence."""
    describe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True).stdout.strip()
    day = datetime.now(timezone.utc).date().isoformat()
    command = f"make fuzz TARGETS=switch MINUTES={minutes:g} SEED={seed}"
    machine = f"Linux {platform.release()}, {os.cpu_count()} processors, load average {os.getloadavg()[1]:.0f}"
    return f"`{command}`, {day}, commit {commit}; {machine}."
