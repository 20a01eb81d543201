"""Dial strings: `{name=value,...}[name=value,...]loopback/EXTENSION[/CONTEXT[/DIALPLAN]]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.words import is_true, separate, whole_number

DEFAULT_TIMEOUT = 60
"""Seconds that a call may take to be answered."""

MAX_VARIABLES = 1024

_CLOSING = {b"{": b"}", b"[": b"]", b"<": b">"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom to call. last: what stands behind the last slash, which FreeSWITCH takes for the number that was called."""

    extension: bytes
    context: bytes
    dialplan: bytes
    last: bytes


@dataclass(frozen=True, slots=True)
class Dialed:
    """endpoint: None when the simulated switch has none of that type."""

    variables: tuple[tuple[bytes, bytes], ...]
    endpoint: Endpoint | None

    def variable(self, name: bytes) -> bytes | None:
        found = [value for key, value in self.variables if key.lower() == name]
        return found[-1] if found else None

    def patience(self, caller: bytes | None = None) -> tuple[int, Cause]:
        """How many seconds it may ring, and what for it is hung up then. caller: the caller's variable call_timeout."""
        whole = whole_number(self.variable(b"originate_timeout") or caller or b"")
        leg = whole_number(self.variable(b"leg_timeout") or b"")
        limits = [(whole if whole > 0 else DEFAULT_TIMEOUT, Cause.NO_ANSWER)]
        limits += [(leg, Cause.ALLOTTED_TIMEOUT)] if leg > 0 else []
        return min(limits)

    def waits_for_answer(self) -> bool:
        """Early media is not enough."""
        return is_true(self.variable(b"ignore_early_media"))


def dialed_by(dial_string: bytes) -> Dialed:
    variables: list[tuple[bytes, bytes]] = []
    rest = dial_string.lstrip(b" ")
    while (bracket := rest[:1]) in _CLOSING:
        inner, closing, behind = rest[1:].partition(_CLOSING[bracket])
        if not closing:
            break
        variables += _variables(inner)
        rest = behind.lstrip(b" ")
    return Dialed(tuple(variables), _endpoint(rest))


def _variables(inner: bytes) -> list[tuple[bytes, bytes]]:
    pairs = (word.partition(b"=") for word in separate(inner, b",", MAX_VARIABLES))
    return [(name.strip(), value) for name, equals, value in pairs if equals]


def _endpoint(text: bytes) -> Endpoint | None:
    found = re.match(rb"loopback/(.*)", text.rstrip(b" "), re.IGNORECASE | re.DOTALL)
    if found is None:
        return None
    extension, _, rest = found.group(1).partition(b"/")
    context, _, dialplan = rest.partition(b"/")
    last = found.group(1).rpartition(b"/")[2]
    return Endpoint(extension or b"service", context or b"default", dialplan or b"xml", last)
