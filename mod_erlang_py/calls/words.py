"""Cutting what the dialplan writes into words, as FreeSWITCH does (switch_separate_string)."""

from __future__ import annotations

_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"s": b" "}


def words(text: bytes, delimiter: bytes = b" ", most: int = 80) -> list[bytes]:
    """At most so many, of which the last has all the rest.

    Single quotes keep together what is in them, and vanish; several blanks are one; a backslash takes the meaning from
    a quote, a backslash or the delimiter, and makes a control character of n, r, t, a blank of s. A text that begins
    with ^^ and another character is cut at that one.
    """
    if text.startswith(b"^^") and len(text) > 3:
        text, delimiter = text[3:], text[2:3]
    found: list[bytes] = []
    while text and len(found) < most:
        word, text = _first(text, delimiter) if len(found) < most - 1 else (text, b"")
        found.append(_clean(word, b"" if delimiter == b" " else delimiter))
    return found


def _first(text: bytes, delimiter: bytes) -> tuple[bytes, bytes]:
    """The first word, as it stands, and the rest. A quote at which no other follows quotes nothing; between words that
    are cut at blanks it quotes all the rest."""
    blanks = delimiter == b" "
    at = len(text) - len(text.lstrip(b" ")) if blanks else 0
    quoted = False
    while at < len(text):
        one = text[at : at + 1]
        if one == b"\\":
            at += 1
        elif one == b"'" and (blanks or quoted or b"'" in text[at + 1 :]):
            quoted = not quoted
        elif one == delimiter and not quoted:
            rest = text[at + 1 :]
            return text[:at], rest.lstrip(b" ") if blanks else rest
        at += 1
    return text, b""


def _clean(word: bytes, delimiter: bytes) -> bytes:
    """Without quotes, escapes, and blanks around it (cleanup_separated_string)."""
    word = word.lstrip(b" ")
    out = bytearray()
    keep = at = 0
    quoted = False
    while at < len(word):
        one, following = word[at : at + 1], word[at + 1 : at + 2]
        if one == b"\\" and following and (following in b"'\"\\" + delimiter or following in _ESCAPES):
            out += following if following == delimiter else _ESCAPES.get(following, following)
            keep = len(out)
            at += 1
        elif one == b"'" and (quoted or b"'" in word[at + 1 :]):
            quoted = not quoted
            if quoted:
                keep = len(out)
        else:
            out += one
            if one != b" " or quoted:
                keep = len(out)
        at += 1
    return bytes(out[:keep])
