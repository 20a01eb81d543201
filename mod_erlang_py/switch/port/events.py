"""Events: as they are fired, and as they are received."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeAlias, TypeVar

ALL = "ALL"
"""In the place of an event type: every one."""

CUSTOM = "CUSTOM"
"""The event type that has subclasses."""

Header: TypeAlias = "tuple[bytes, bytes]"


class Headers(Sequence[Header]):
    """Names and values of a received event, kept apart: so they arrive fast, and leave fast.

    uuid: the value of Unique-ID, or None.
    """

    __slots__ = ("names", "uuid", "values")

    def __init__(self, names: Sequence[bytes], values: Sequence[bytes], uuid: bytes | None) -> None:
        self.names = names
        self.values = values
        self.uuid = uuid

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Header]:
        return zip(self.names, self.values, strict=True)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]


@dataclass(frozen=True, slots=True)
class Event:
    """A switch_event_t: its type's name ("CUSTOM", "HEARTBEAT"), its headers in order, repeated ones too, its body.

    An event to be fired holds only the headers its maker adds (and Event-Subclass for CUSTOM); one that was received
    holds them all, Event-Name and the like included, in FreeSWITCH's order. Values are not URL-encoded.
    """

    name: str
    headers: Sequence[Header] = ()
    body: bytes | None = None

    @property
    def subclass(self) -> bytes | None:
        return self.header(b"Event-Subclass") if self.name == "CUSTOM" else None

    @property
    def uuid(self) -> bytes | None:
        return self.headers.uuid if isinstance(self.headers, Headers) else self.header(b"Unique-ID")

    @property
    def sequence(self) -> int:
        return sequence_number(self.header(b"Event-Sequence"))

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name, compared without regard to case, as switch_event_get_header does."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


def sequence_number(value: bytes | None) -> int:
    """What a header Event-Sequence says; 0 where it is not there, or no number: anybody may fire such an event."""
    return int(value) if value is not None and len(value) < 20 and value.isdigit() else 0


class Form(Enum):
    """What the texts of an encoded event are."""

    STRING = "string"
    BINARY = "binary"


class Implementation(Enum):
    """Of a real switch's EventSource. AUTO: the best that is to be had."""

    AUTO = "auto"
    COMPILED = "compiled"
    PYTHON = "python"


Encoder: TypeAlias = Callable[[Sequence[bytes], Sequence[bytes], "bytes | None", "bytes | None"], bytes]
"""Encodes an event: the names of its headers, their values, its body, the value of Unique-ID."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a source delivers to everybody; plain data, which C can read too.

    types: names as in Event.name, or ALL. subclasses: of CUSTOM; one without a subclass is wanted with the type.
    With ALL they do not count. forms: those in which events will be asked for.
    """

    types: frozenset[str] = frozenset()
    subclasses: frozenset[bytes] = frozenset()
    forms: frozenset[Form] = frozenset()

    def has(self, event_type: str, subclass: bytes | None) -> bool:
        """Whether an event of that type and subclass is wanted."""
        if ALL in self.types:
            return True
        if event_type not in self.types:
            return False
        return event_type != CUSTOM or not subclass or subclass in self.subclasses


class Received(Protocol):
    """An event that was received, as it lies in the switch's memory: valid until the next `take` of its source.

    Nothing of it raises, whatever its bytes are.
    """

    @property
    def name(self) -> str:
        """Its type's name."""

    @property
    def subclass(self) -> bytes | None:
        """Of a CUSTOM event."""

    @property
    def uuid(self) -> bytes | None:
        """The value of Unique-ID: the call it is about."""

    @property
    def sequence(self) -> int:
        """The switch's number of it (Event-Sequence); 0 where it has none, or something else than a number."""

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of that name, in any case."""

    def headers(self) -> Sequence[Header]:
        """All of them, in order, repeated ones too; the body is none."""

    @property
    def body(self) -> bytes | None: ...

    def encoded(self, form: Form) -> bytes:
        """The whole event, as the encoder for that form makes it; made once."""


class Batch(Protocol):
    """Events in a row that go the same way; valid as long as they are. What is done for a batch is done once for all.

    An event of a watched call is in a batch of its own.
    """

    @property
    def name(self) -> str:
        """Their type's name."""

    @property
    def subclass(self) -> bytes | None:
        """Of CUSTOM events."""

    @property
    def uuid(self) -> bytes | None:
        """The Unique-ID of an event that is alone; of several, nobody's call is watched."""

    @property
    def count(self) -> int:
        """How many they are, one at least."""

    def events(self) -> Sequence[Received]:
        """Each of them."""

    def payloads(self, form: Form) -> Sequence[bytes]:
        """Each of them, encoded."""


R = TypeVar("R", bound=Received)


class BatchOfOne:
    """What makes a Received a Batch too: of itself."""

    __slots__ = ()
    count = 1

    def events(self: R) -> Sequence[R]:
        return (self,)

    def payloads(self: R, form: Form) -> Sequence[bytes]:
        return (self.encoded(form),)


class EventSource(Protocol):
    """The wanted events, and those of the watched calls, in the order in which the switch delivers them, through a
    bounded queue. An event counts once, however many reasons there are to deliver it."""

    implementation: str
    """For people: "simulated", "compiled", "python"."""
    reason: str
    """Why AUTO has this one, where a better could not be had; else empty."""

    def want(self, wanted: Wanted) -> None:
        """From now on exactly these, beside those of the watched calls.

        What was wanted before and after loses no event in the change, and an event that is fired once this has
        returned is not missed. What waits already may still come.
        """

    def watch(self, uuid: bytes) -> None:
        """Also every event whose Unique-ID this is; one that is fired once this has returned is not missed."""

    def unwatch(self, uuid: bytes) -> None:
        """No longer. What is watched is a set: once is enough."""

    def take(self, timeout: float, most: int) -> Sequence[Batch]:
        """The next events, `most` of them at most; waits for the first, `timeout` seconds at most.

        Nothing after `timeout` seconds without an event, after `wake`, and now and then when all that came was
        unwanted: then call again. By one thread only.
        """

    def lost(self) -> int:
        """How many events were given up since the last call, because they were not taken in time."""

    def wake(self) -> None:
        """A take that waits returns; when none does, the next one does not wait. From any thread."""

    def close(self) -> None:
        """Unbind, and forget what waits. By the thread that takes, or when none does; what is called later does
        nothing."""
