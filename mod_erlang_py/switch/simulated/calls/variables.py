"""The variables of one channel."""

from __future__ import annotations

from collections.abc import Iterator

from mod_erlang_py.switch.simulated.events import c_string


class ChannelVariables:
    """In the order they were set last; names are compared without regard to case. Not locked: the channel does that."""

    def __init__(self) -> None:
        self._values: dict[bytes, tuple[bytes, bytes]] = {}

    def get(self, name: bytes) -> bytes | None:
        found = self._values.get(name.lower())
        return found[1] if found else None

    def set(self, name: bytes, value: bytes | None) -> None:
        """None, or nothing at all, takes the variable away."""
        name, value = c_string(name), c_string(value or b"")
        self._values.pop(name.lower(), None)
        if name and value:
            self._values[name.lower()] = (name, value)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self._values.values())
