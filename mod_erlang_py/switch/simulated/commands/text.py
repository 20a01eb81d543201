"""Commands that make one text out of another."""

from __future__ import annotations

import hashlib
import operator
import re
from collections.abc import Callable

from mod_erlang_py.switch.simulated.commands.registry import Context, command
from mod_erlang_py.switch.simulated.expand import Scope, expand
from mod_erlang_py.switch.simulated.urls import url_encoded
from mod_erlang_py.switch.simulated.words import separate

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


@command("echo", "Echo", "<data>")
def echo(_context: Context, argument: bytes) -> bytes:
    return argument


@command("eval", "eval (noop)", "[uuid:<uuid> ]<expression>")
def eval_(context: Context, argument: bytes) -> bytes:
    """With a channel's UUID in front, its variables too; nothing for one that is not there."""
    variable = context.variables.get
    if argument[:5].lower() == b"uuid:":
        uuid, _, argument = argument[5:].partition(b" ")
        channel = context.exchange.find(uuid.decode("utf-8", "replace"))
        if channel is None:
            return b""
        variable = channel.variable

    def run(name: bytes, inner: bytes) -> bytes | None:
        result = context.execute(name.decode("utf-8", "surrogateescape"), inner)
        return result.output if result.success else None

    return expand(argument, Scope(variable, run))


@command("url_encode", "Url encode a string", "<string>")
def url_encode(_context: Context, argument: bytes) -> bytes:
    """What is an escape already (%2F, in capitals) stays."""
    return url_encoded(argument)


@command("url_decode", "Url decode a string", "<string>")
def url_decode(_context: Context, argument: bytes) -> bytes:
    """What is no escape of two digits stays, and a plus sign is a plus sign."""
    return _ESCAPE.sub(lambda found: bytes([int(found.group(1), 16)]), argument)


@command("md5", "Return md5 hash", "<data>")
def md5(_context: Context, argument: bytes) -> bytes:
    if not argument:
        return b"!err!"
    return hashlib.md5(argument, usedforsecurity=False).hexdigest().encode()


@command("toupper", "Upper Case a string", "<string>")
def toupper(_context: Context, argument: bytes) -> bytes:
    return argument.upper()


@command("tolower", "Lower Case a string", "<string>")
def tolower(_context: Context, argument: bytes) -> bytes:
    return argument.lower()


_OPERAND = rb"(?:'(?P<%s_quoted>(?:\\[\\']|\\(?![\\'])|[^\\'])*)'(?=\s)|(?P<%s>[^\s'][^ ]*) )"
_OPERATOR = rb"\s*(?P<operator>==|!=|>=|<=|[<>](?!=)).\s*"
_CONDITION = re.compile(
    _OPERAND % (b"a", b"a") + _OPERATOR + _OPERAND % (b"b", b"b") + rb"\s*\?(?P<rest>.*)", re.DOTALL
)
_NUMBER = re.compile(rb"[-+]?[0-9.]+")

_OPERATORS: dict[bytes, Callable[[float, float], bool]] = {
    b"==": operator.eq,
    b"!=": operator.ne,
    b">": operator.gt,
    b">=": operator.ge,
    b"<": operator.lt,
    b"<=": operator.le,
}


@command("cond", "Evaluate a conditional", "<expr> ? <true val> : <false val>")
def cond(_context: Context, argument: bytes) -> bytes:
    """`a == b ? yes : no`. A text that is no number counts by its length, unless == or != has two of them."""
    found = _CONDITION.fullmatch(argument)
    if found is None:
        return b"-ERR"
    values = separate(b":" + found["rest"], b":", 3)[1:]
    if not values:
        return b"-ERR"
    chosen = 0 if _holds(found) else 1
    return values[chosen] if chosen < len(values) else b""


def _holds(found: re.Match[bytes]) -> bool:
    name = found["operator"]
    a, b = _operand(found, "a"), _operand(found, "b")
    if isinstance(a, bytes) and isinstance(b, bytes) and name in (b"==", b"!="):
        return (a == b) is (name == b"==")
    return _OPERATORS[name](_size(a), _size(b))


def _operand(found: re.Match[bytes], name: str) -> float | bytes:
    quoted: bytes | None = found[f"{name}_quoted"]
    if quoted is not None:
        return quoted
    plain: bytes = found[name]
    return _leading_number(plain) if _NUMBER.fullmatch(plain) else plain


def _leading_number(text: bytes) -> float:
    """As C's atof: "1.5.2" is 1.5, "." is 0."""
    found = re.match(rb"[-+]?(\d+\.?\d*|\.\d+)", text)
    return float(found.group()) if found else 0.0


def _size(operand: float | bytes) -> float:
    return float(len(operand)) if isinstance(operand, bytes) else operand
