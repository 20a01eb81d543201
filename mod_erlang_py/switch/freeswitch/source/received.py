"""An event as it lies in the switch's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch.events import contents, header
from mod_erlang_py.switch.port import BatchOfOne, Encoder, Form, Header, Headers, sequence_number

_UNREAD = b"\0"
"""In the place of a value that was not looked for yet: no text of C has a zero byte."""


class ReceivedEvent(BatchOfOne):
    """The Received of switch/port. It is looked at where it lies; and read, once, when all of it is asked for."""

    __slots__ = ("_contents", "_encoded", "_encoders", "_event", "_uuid", "name", "subclass")

    def __init__(self, event: int, name: str, subclass: bytes | None, encoders: Mapping[Form, Encoder]) -> None:
        """event: the switch_event_t."""
        self._event = event
        self.name = name
        self.subclass = subclass
        self._encoders = encoders
        self._uuid: bytes | None = _UNREAD
        self._contents: tuple[list[bytes], list[bytes], bytes | None] | None = None
        self._encoded: dict[Form, bytes] | None = None

    @property
    def uuid(self) -> bytes | None:
        if self._uuid is _UNREAD:
            self._uuid = header(self._event or self._gone(), b"Unique-ID")
        return self._uuid

    @property
    def sequence(self) -> int:
        return sequence_number(self.header(b"Event-Sequence"))

    def header(self, name: bytes) -> bytes | None:
        if b"\0" in name:  # which would end it for C
            return None
        value = header(self._event or self._gone(), name)
        if value is not None and name == b"_body":  # the header, or, as the switch has it, the body
            return next((value for other, value in self.headers() if other.lower() == name), None)
        return value

    def headers(self) -> Sequence[Header]:
        names, values, _ = self._contents or self._read()
        return Headers(names, values, self.uuid)

    @property
    def body(self) -> bytes | None:
        return (self._contents or self._read())[2]

    def encoded(self, form: Form) -> bytes:
        encoded = self._encoded
        if encoded is None:
            encoded = self._encoded = {}
        if form not in encoded:
            names, values, body = self._contents or self._read()
            encoded[form] = self._encoders[form](names, values, body, self.uuid)
        return encoded[form]

    def _read(self) -> tuple[list[bytes], list[bytes], bytes | None]:
        self._contents = contents(self._event or self._gone())
        return self._contents

    def end(self) -> int:
        """The switch_event_t, which its source destroys: what was not read by now cannot be read."""
        event, self._event = self._event, 0
        return event

    def _gone(self) -> int:
        raise SwitchError("switch_event_t", f"{self.name} is gone: another take has been")
