"""Who is to have a call: what the dialplan writes after `erlang` (erlang_outbound_function)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .words import words

EXPECTED = "expected NAME, NAME:! or MODULE:FUNCTION, and NODE or NODE|NODE…"


@dataclass(frozen=True, slots=True)
class Named:
    """The process registered under the name."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AskPid:
    """The process that the registered one names when it is asked."""

    name: str

    def __str__(self) -> str:
        return f"{self.name}:!"


@dataclass(frozen=True, slots=True)
class Rpc:
    """The process that a function returns."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


Wish: TypeAlias = Named | AskPid | Rpc


def destination(data: bytes) -> tuple[Wish, list[str]]:
    """The process that is wished for, and the nodes to try, in order. Raises ValueError."""
    try:
        whom, where, *_ = [*(word.decode() for word in words(data)), "", ""]
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if not whom:
        raise ValueError(EXPECTED)
    first, *others = (part.decode() for part in words(whom.encode(), b":"))
    nodes = [node for node in where.split("|") if node]
    if not nodes or not all(node.partition("@")[2] for node in nodes):
        raise ValueError(f"{EXPECTED}, each node a name@host")
    match others:
        case ["!"] if first:
            return AskPid(first), nodes
        case [function] if first and function:
            return Rpc(first, function), nodes
    return Named(whom), nodes
