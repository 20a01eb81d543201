"""Whether a file with a secret in it is for everybody to read."""

from __future__ import annotations

import stat
from pathlib import Path


def is_for_everybody(path: Path) -> bool:
    """Whether every user of the machine may read the file: by its mode, and those of the folders that it is in. A group
    may be meant to (`ssl-cert`). False for one that is not there, or not for us to see."""
    try:
        whole = path.resolve(strict=True)
        through = all(folder.stat().st_mode & stat.S_IXOTH for folder in whole.parents)
        return through and bool(whole.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
