"""Encoding texts as in URLs. Source: switch_url_encode."""

from __future__ import annotations

import re

_UNSAFE = frozenset(b'\r\n #%&+:;<=>?@[\\]^`{|}"')
_PART = re.compile(rb"%[0-9A-F]{2}|.", re.DOTALL)


def url_encoded(text: bytes) -> bytes:
    """What is an escape already (%2F, in capitals) stays."""
    return _PART.sub(_encoded, text)


def _encoded(found: re.Match[bytes]) -> bytes:
    text = found.group()
    if len(text) == 1 and (not 0x20 <= text[0] <= 0x7E or text[0] in _UNSAFE):
        return b"%%%02X" % text[0]
    return text
