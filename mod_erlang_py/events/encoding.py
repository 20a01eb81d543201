"""Events of the switch as Erlang terms."""

from __future__ import annotations

from mod_erlang_py.switch.port import Encoder, Event, Headers


def encode(encoder: Encoder, what: Event) -> bytes:
    """`[UUID | Headers]`, without a version byte; for an event that no source encodes."""
    headers = what.headers
    if isinstance(headers, Headers):
        return encoder(headers.names, headers.values, what.body, headers.uuid)
    return encoder([name for name, _ in headers], [value for _, value in headers], what.body, what.uuid)
