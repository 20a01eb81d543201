"""Questions to the FreeSWITCH that runs here, by its fs_cli."""

from __future__ import annotations

import shutil
import subprocess

_FOLDERS = "/usr/bin:/usr/local/bin:/opt/freeswitch/bin:/usr/local/freeswitch/bin"
_SECONDS = 10


def ask(command: str) -> str | None:
    """What the command printed; None when no FreeSWITCH answers."""
    program = shutil.which("fs_cli") or shutil.which("fs_cli", path=_FOLDERS)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-x", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def is_loaded(module: str) -> bool:
    return ask(f"module_exists {module}") == "true"
