"""What a source gives, event by event."""

from __future__ import annotations

from mod_erlang_py.switch.port import EventSource, Received


def take(source: EventSource, timeout: float, most: int = 64) -> list[Received]:
    return [event for batch in source.take(timeout, most) for event in batch.events()]
