"""An event that C has encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mod_erlang_py.switch.port import Form, Header, sequence_number

if TYPE_CHECKING:
    from ._compiled import Batch


class CompiledEvent:
    """The Received of switch/port: one event of a batch. It is made by _compiled.c, once somebody looks at it."""

    __slots__ = ("_batch", "_encoded", "_number", "name", "subclass")

    def __init__(self, batch: Batch, number: int) -> None:
        self._batch = batch
        self._number = number
        self._encoded: dict[Form, bytes] = {}
        self.name = batch.name
        self.subclass = batch.subclass

    @property
    def uuid(self) -> bytes | None:
        return self._batch.uuid_of(self._number)

    @property
    def sequence(self) -> int:
        return sequence_number(self.header(b"Event-Sequence"))

    def header(self, name: bytes) -> bytes | None:
        return self._batch.header_of(self._number, name)

    def headers(self) -> Sequence[Header]:
        return self._batch.headers_of(self._number)

    @property
    def body(self) -> bytes | None:
        return self._batch.body_of(self._number)

    def encoded(self, form: Form) -> bytes:
        encoded = self._encoded.get(form)
        if encoded is None:
            encoded = self._encoded[form] = self._batch.encoded(self._number, form)
        return encoded
