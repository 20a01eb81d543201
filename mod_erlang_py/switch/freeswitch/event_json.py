"""Reads what switch_event_serialize_json writes, and nothing else that is JSON.

No JSON library will do: a header may occur twice, and its bytes need not be UTF-8. What cJSON prints without
formatting is regular enough to be cut at its quotes, which costs less than a parser that makes str of everything:
a `{`, then names and values in turn with `:` and `,` between them, where a value is a string or an array of strings.
"""

from __future__ import annotations

import re

# Escaped quotes and backslashes, put aside while the text is cut. Neither byte is in it: cJSON escapes control
# characters.
_QUOTE = b"\x01"
_BACKSLASH = b"\x02"


def parse(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """The names, and the values. An array is shown as the value that the header has, "ARRAY::a|:b"."""
    escaped = b"\\" in text
    if escaped:
        text = text.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE)
    pieces = text.split(b'"')
    strings, between = pieces[1::2], pieces[2::2]
    if b":[" in between:
        names, values = _with_arrays(strings, between)
    else:
        names, values = strings[::2], strings[1::2]
    if escaped:
        return list(map(_unescape, names)), list(map(_unescape, values))
    return names, values


def _with_arrays(strings: list[bytes], between: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """between[i] is what follows strings[i]."""
    names, values = [], []
    at = 0
    while at < len(strings):
        array = between[at] == b":["
        names.append(strings[at])
        items = [strings[at + 1]]
        at += 2
        while array and not between[at - 1].startswith(b"]"):
            items.append(strings[at])
            at += 1
        # switch_event_base_add_header: an array of one has that one's value
        values.append(b"ARRAY::" + b"|:".join(items) if len(items) > 1 else items[0])
    return names, values


def _unescape(text: bytes) -> bytes:
    if b"\\" in text:
        text = _ESCAPE.sub(_character, text)
    return text.replace(_QUOTE, b'"').replace(_BACKSLASH, b"\\")


_ESCAPE = re.compile(rb"\\(?:u00([0-9a-fA-F]{2})|([bfnrt/]))")
_CHARACTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"/": b"/"}


def _character(match: re.Match[bytes]) -> bytes:
    code, letter = match.groups()
    return bytes((int(code, 16),)) if code else _CHARACTERS[letter]
