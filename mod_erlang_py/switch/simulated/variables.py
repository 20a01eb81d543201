"""Variables whose names are compared without regard to case: the switch's own, and each channel's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from mod_erlang_py.switch.simulated.words import c_string

_REFERENCE = re.compile(rb"\$\$?\{([^{}()\s:]+)(?:\}|\Z)")


class Variables:
    """In the order they were set last. Not locked."""

    def __init__(self, values: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._values: dict[bytes, tuple[bytes, bytes]] = {}
        for name, value in values:
            self.set(name, value)

    def get(self, name: bytes) -> bytes | None:
        found = self._values.get(name.lower())
        return found[1] if found else None

    def set(self, name: bytes, value: bytes | None) -> None:
        """None, or nothing at all, takes the variable away. Texts end at a zero byte, as in C."""
        name, value = c_string(name), c_string(value or b"")
        self._values.pop(name.lower(), None)
        if name and value:
            self._values[name.lower()] = (name, value)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Name and value of each."""
        return iter(self._values.values())


def expand(text: bytes, variable: Callable[[bytes], bytes | None]) -> bytes:
    """The text with the values of ${name} and $${name}; what has none becomes nothing. The last brace may be missing.

    What else FreeSWITCH understands there, parts of a value and commands, is left as it is.
    """
    return _REFERENCE.sub(lambda found: variable(found.group(1)) or b"", text)
