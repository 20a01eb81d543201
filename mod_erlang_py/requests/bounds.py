"""How much a request may have of what, and how big it may be: known before any work is done for it.

What a peer sends is work for Python, which all share, for FreeSWITCH, and for whoever gets it; much of that is the
square of a number of his.
"""

from __future__ import annotations

from collections.abc import Sized

from mod_erlang_py.errors import TooMuch

MAX_TEXT = 1024 * 1024
"""Bytes of a text: a command's arguments, an application's, an event's body."""
MAX_NAME = 256
"""Bytes of the name of an event, a subclass or a header to be chosen."""
MAX_NAMES = 1000
"""Names of events and subclasses in one request."""
MAX_HEADERS = 1000
"""Headers of an event or of a command: FreeSWITCH writes, finds and replaces them in their square."""
MAX_HEADER_BYTES = 1024 * 1024
"""Of all of their names and values, but for the body: to read escapes in them takes Python half a second."""
MAX_ELEMENTS = 1000
MAX_ELEMENT_BYTES = 64 * 1024
"""Of what becomes arrays: FreeSWITCH writes all of an array anew for each of its elements."""
MAX_FILTERS = 1000
"""Filter commands in one request."""
MAX_FILTER = 4096
"""Bytes of one, of its header and of its value."""
MAX_OPTIONS = 100
MAX_TAG = 16 * 1024
"""Bytes of memory of what goes back with an answer as it came: it is kept as long as the answer is waited for."""

ARRAY = b"ARRAY::"
BETWEEN = b"|:"
INDEX = b"["
"""What makes an array of a header: its value's beginning, and what is between two elements; a number in its name."""


def count(what: str, given: Sized, most: int) -> None:
    """Raises TooMuch."""
    if len(given) > most:
        raise TooMuch(what, f"up to {most}")


def size(what: str, given: bytes, most: int) -> bytes:
    """Raises TooMuch."""
    if len(given) > most:
        raise TooMuch(what, f"up to {most} bytes")
    return given


class Weighing:
    """Headers, one after the other. A body is as long as a text may be."""

    def __init__(self) -> None:
        self._bytes = self._elements = self._element_bytes = 0

    def add(self, key: bytes, value: bytes) -> None:
        """Raises TooMuch, if with this one they are too much."""
        self._bytes += len(key) + (len(value) if key != b"body" else 0)
        if self._bytes > MAX_HEADER_BYTES:
            raise TooMuch("headers", f"up to {MAX_HEADER_BYTES} bytes")
        if not value.startswith(ARRAY) and INDEX not in key:
            return
        self._elements += value.count(BETWEEN) + 1
        self._element_bytes += len(value)
        if self._elements > MAX_ELEMENTS or self._element_bytes > MAX_ELEMENT_BYTES:
            raise TooMuch("arrays", f"up to {MAX_ELEMENTS} elements of {MAX_ELEMENT_BYTES} bytes together")
