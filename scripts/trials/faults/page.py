"""docs/trials/faults.md: the table of a run."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone

from scripts.bench.page import replaced
from scripts.install import ROOT
from scripts.trials.faults.row import Row, table

PAGE = ROOT / "docs" / "trials" / "faults.md"


def publish(rows: Sequence[Row], seconds: int) -> None:
    """Between the markers of the page. Raises OSError, NoMarkers."""
    text = replaced(PAGE.read_text(), "faults", f"{_run(rows, seconds)}\n\n{table(rows)}")
    PAGE.write_text(text)


def _run(rows: Sequence[Row], seconds: int) -> str:
    """In a sentence."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    failed = sum(bool(row.wrong) for row in rows)
    day = datetime.now(timezone.utc).date().isoformat()
    return (
        f"{day}, commit {commit}, Linux {platform.release()}, {seconds // 60} minutes: {len(rows)} faults, "
        f"{failed} failed."
    )
