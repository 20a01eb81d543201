"""What `make install` wrote: to tell an operator's change from an old version, and to take it away again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


class Manifest:
    """path -> sha256, kept in a file. One that cannot be read counts as empty, which overwrites and removes nothing."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._digests: dict[str, str] = {}
        try:
            content = json.loads(file.read_text())
        except (OSError, ValueError):
            return
        if isinstance(content, dict):
            self._digests = {str(path): str(digest) for path, digest in content.items()}

    def record(self, path: Path, content: bytes) -> None:
        """The file with that content is ours."""
        self._digests[str(path)] = _digest(content)

    def forget(self, path: Path) -> None:
        """That file, or everything in that folder."""
        for known in self.paths():
            if known == path or path in known.parents:
                del self._digests[str(known)]

    def paths(self) -> list[Path]:
        return sorted(map(Path, self._digests))

    def is_unchanged(self, path: Path) -> bool:
        """Whether the file is there, byte for byte as it was written."""
        digest = self._digests.get(str(path))
        return digest is not None and path.is_file() and digest == _digest(path.read_bytes())

    def save(self) -> None:
        """Whole or not at all."""
        temporary = self.file.with_name(f".{self.file.name}.part")
        temporary.write_text(json.dumps(self._digests, indent=2, sort_keys=True) + "\n")
        temporary.chmod(0o644)
        temporary.replace(self.file)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
