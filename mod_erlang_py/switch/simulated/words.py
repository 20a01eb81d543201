"""Texts as FreeSWITCH reads them: words (switch_separate_string), numbers, what is true."""

from __future__ import annotations

import re

_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"s": b" "}
_TRUE = frozenset({b"yes", b"on", b"true", b"t", b"enabled", b"active", b"allow"})


def c_string(text: bytes) -> bytes:
    """Up to the first zero byte, where it ends in C."""
    return text.partition(b"\0")[0]


def whole_number(text: bytes) -> int:
    """As C's atol: the digits at the beginning, 0 where there are none."""
    found = re.match(rb"\s*([+-]?\d{1,18})", text)
    return int(found.group(1)) if found else 0


def is_true(text: bytes | None) -> bool:
    """switch_true: one of a few words in any case, or a number other than 0."""
    return text is not None and (text.lower() in _TRUE or whole_number(text) != 0)


def separate(text: bytes, delimiter: bytes, most: int) -> list[bytes]:
    """At most `most` words; the last one takes what is left. Text between single quotes is not cut.

    Around a word, spaces and the quotes are taken away, and a backslash before a quote, the delimiter, a
    backslash or one of n, r, t, s is undone. A text that begins with ^^ and another character is cut at that
    character instead.
    A delimiter at the very end begins no word; several blanks are one.
    """
    if text.startswith(b"^^") and len(text) > 3:
        text, delimiter = text[3:], text[2:3]
    words: list[bytes] = []
    if delimiter == b" ":
        text = text.lstrip(b" ")
    while text and len(words) < most:
        end = _end_of_word(text, delimiter) if len(words) < most - 1 else len(text)
        words.append(_clean(text[:end], delimiter))
        text = text[end + 1 :]
        if delimiter == b" ":
            text = text.lstrip(b" ")
    return words


def _end_of_word(text: bytes, delimiter: bytes) -> int:
    at, quoted = 0, False
    while at < len(text):
        one = text[at : at + 1]
        if one == b"\\":
            at += 1
        elif one == b"'" and (quoted or b"'" in text[at + 1 :]):
            quoted = not quoted
        elif one == delimiter and not quoted:
            return at
        at += 1
    return len(text)


def _clean(word: bytes, delimiter: bytes) -> bytes:
    word = word.lstrip(b" ")
    out = bytearray()
    keep = at = 0
    quoted = False
    while at < len(word):
        one, following = word[at : at + 1], word[at + 1 : at + 2]
        if one == b"\\" and following and (following in b"'\"\\" + delimiter or following in _ESCAPES):
            out += _ESCAPES.get(following, following)
            keep = len(out)
            at += 1
        elif one == b"'" and (quoted or b"'" in word[at + 1 :]):
            quoted = not quoted
            keep = max(keep, len(out)) if quoted else len(out)
        else:
            out += one
            if one != b" " or quoted:
                keep = len(out)
        at += 1
    return bytes(out[:keep])
