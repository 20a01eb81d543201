"""Global variables: what $${name}, eval and global_getvar see. Source: switch_core_set_variable."""

from __future__ import annotations

import re
import threading

_EXPANSION = re.compile(rb"\$(?=\\*\{)")


class Variables:
    """Names are compared without regard to case; setting one moves it to the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[bytes, tuple[bytes, bytes]] = {}

    def get(self, name: bytes) -> bytes | None:
        with self._lock:
            found = self._values.get(name.lower())
        return found[1] if found else None

    def set(self, name: bytes, value: bytes) -> None:
        """An empty value removes the variable. "${" in a value becomes "%{", so that it is never expanded."""
        with self._lock:
            self._set(name, value)

    def set_if(self, name: bytes, value: bytes, present: bytes) -> None:
        """Set it if its value is `present`."""
        with self._lock:
            found = self._values.get(name.lower())
            if found and found[1] == present:
                self._set(name, value)

    def items(self) -> list[tuple[bytes, bytes]]:
        with self._lock:
            return list(self._values.values())

    def _set(self, name: bytes, value: bytes) -> None:
        self._values.pop(name.lower(), None)
        if value:
            self._values[name.lower()] = (name, _EXPANSION.sub(b"%", value))
