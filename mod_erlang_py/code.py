"""The package's code, told from another. Needs nothing but Python: `make install` asks it too."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

SOURCES = (".py", ".c", ".h")


@dataclass(frozen=True, slots=True)
class Code:
    """The package's code. digest: of all of its source files, the first 7 hexadecimal digits."""

    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.version} ({self.digest})"


def read(package: Path) -> Code:
    """What lies in that folder. Raises OSError."""
    digest = hashlib.sha256()
    for file in sorted(file for file in package.rglob("*") if file.suffix in SOURCES):
        digest.update(f"{file.relative_to(package)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    version = re.search(r'^__version__ = "(.*)"$', (package / "__init__.py").read_text(), re.MULTILINE)
    return Code(version[1] if version else "unknown", digest.hexdigest()[:7])
