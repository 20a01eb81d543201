r"""Expanding ${variable}, ${variable:offset:length}, $${global}, ${command argument}, ${command(argument)}.

A backslash before $ or \ keeps it as it is. What has no value becomes nothing.
Source: the behaviour of switch_event_expand_headers, its oddities with unbalanced parentheses included.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_DEPTH = 100
"""Levels of expansions within expansions; deeper ones are left alone, as in FreeSWITCH."""

_WORTH_IT = re.compile(rb"\$\\*\{|\\[\\ns']")


@dataclass(frozen=True, slots=True)
class Scope:
    variable: Callable[[bytes], bytes | None]
    command: Callable[[bytes, bytes], bytes | None]
    """(name, argument) to the output; None when the command failed."""


def expand(text: bytes, scope: Scope, depth: int = 0) -> bytes:
    if depth > MAX_DEPTH or not _WORTH_IT.search(text):
        return text
    out = bytearray()
    at = 0
    while at < len(text):
        two = text[at : at + 2]
        if two == b"\\$":
            out += b"$"
            at += 3 if text[at + 2 : at + 3] == b"$" else 2
        elif two == b"\\'":
            at += 2
        elif two == b"\\\\":
            out += b"\\"
            at += 2
        elif two == b"${" or text.startswith(b"$${", at):
            begin = text.index(b"{", at) + 1
            end = _closing_brace(text, begin)
            out += _value(text[begin:end], scope, depth + 1)
            at = end + 1
        elif two == b"$$":
            out += b"$"
            at += 2
        else:
            out += text[at : at + 1]
            at += 1
    return bytes(out)


def _closing_brace(text: bytes, begin: int) -> int:
    """The place of the brace that ends what begins at `begin`, or the end of the text."""
    level = 1
    for at in range(begin, len(text)):
        if text[at : at + 1] == b"}":
            level -= 1
            if level == 0:
                return at
        elif text[at : at + 1] == b"{" and at > begin:
            level += 1
    return len(text)


def _value(inner: bytes, scope: Scope, depth: int) -> bytes:
    split = re.search(rb"[ (]", inner)
    if split is None:
        return _variable(expand(inner, scope, depth), scope, depth)
    name = inner[: split.start()].rstrip(b" ")
    argument = _up_to_parenthesis(inner[split.end() :], level=1 if split.group() == b"(" else 0)
    return scope.command(expand(name, scope, depth), expand(argument, scope, depth)) or b""


def _up_to_parenthesis(argument: bytes, level: int) -> bytes:
    for at in range(len(argument)):
        if argument[at : at + 1] == b"(":
            level += 1
        elif argument[at : at + 1] == b")":
            if level == 1:
                return argument[:at]
            level = max(0, level - 1)
    return argument


def _variable(name: bytes, scope: Scope, depth: int) -> bytes:
    name, _, rest = name.partition(b":")
    offset, _, length = rest.partition(b":")
    if b"]" in name.partition(b"[")[2]:
        name = name.partition(b"[")[0]
    value = scope.variable(name)
    if value is None:
        return b""
    value = expand(value, scope, depth)
    return _slice(value, whole_number(offset), whole_number(length))


def _slice(value: bytes, offset: int, length: int) -> bytes:
    """From the offset, counted from the end when negative; all of it when the length is none or too much."""
    if offset >= 0 or -offset <= len(value):
        value = value[offset:]
    return value[:length] if 0 < length < len(value) else value


def whole_number(text: bytes) -> int:
    """As C's atol: the digits at the beginning, 0 where there are none."""
    found = re.match(rb"\s*([+-]?\d{1,18})", text)
    return int(found.group(1)) if found else 0
