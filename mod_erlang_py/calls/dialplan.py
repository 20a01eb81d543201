"""Who is to have a call: what the dialplan writes after `erlang` (erlang_outbound_function)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

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
        words = data.decode().split()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if len(words) < 2:
        raise ValueError(EXPECTED)
    nodes = [node for node in words[1].split("|") if node]
    if not nodes or not all(node.partition("@")[2] for node in nodes):
        raise ValueError(f"{EXPECTED}, each node a name@host")
    match words[0].split(":"):
        case [name, "!"] if name:
            return AskPid(name), nodes
        case [module, function] if module and function:
            return Rpc(module, function), nodes
    return Named(words[0]), nodes
