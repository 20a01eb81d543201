"""What becomes of an event for a subscription that does not want all of it, or not as the list that it usually is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from weakref import WeakValueDictionary

from mod_erlang_py.switch.port import Encoder, Form, Received

BODY = b"body"
"""The name under which the body is chosen: it counts as a header."""


class Format(Enum):
    """LIST: `[UUID | Headers]`. MAP: `#{Name => Value}`."""

    LIST = "list"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Choice:
    """Of headers, in any case. patterns: each a name, or a prefix with `*` behind it."""

    patterns: tuple[bytes, ...]
    _names: frozenset[bytes] = field(init=False, compare=False, repr=False)
    _prefixes: tuple[bytes, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        lower = [one.lower() for one in self.patterns]
        object.__setattr__(self, "_names", frozenset(one for one in lower if not one.endswith(b"*")))
        object.__setattr__(self, "_prefixes", tuple(one[:-1] for one in lower if one.endswith(b"*")))

    def has(self, name: bytes) -> bool:
        name = name.lower()
        return name in self._names or name.startswith(self._prefixes)


class Shape:
    """encoder: makes the event of what is chosen. choice: None for all of it."""

    def __init__(self, encoder: Encoder, choice: Choice | None) -> None:
        self._encoder = encoder
        self._choice = choice

    def encoded(self, received: Received) -> bytes:
        """The event in this shape."""
        headers, body = received.headers(), received.body
        if self._choice is not None:
            has = self._choice.has
            headers = [header for header in headers if has(header[0])]
            body = body if has(BODY) else None
        names, values = zip(*headers, strict=True) if headers else ((), ())
        return self._encoder(names, values, body, received.uuid)


class Shapes:
    """Each shape once, so that an event is made once for all who want it so."""

    def __init__(self, encoders: Mapping[tuple[Format, Form], Encoder]) -> None:
        self._encoders = encoders
        self._known: WeakValueDictionary[tuple[Format, Form, Choice | None], Shape] = WeakValueDictionary()

    def of(self, format: Format, form: Form, choice: Choice | None) -> Shape | None:
        """None for what an event is without a shape."""
        if format is Format.LIST and choice is None:
            return None
        shape = Shape(self._encoders[format, form], choice)
        return self._known.setdefault((format, form, choice), shape)
