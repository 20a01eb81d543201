"""Who is to have a call: what the dialplan writes after `erlang` (erlang_outbound_function)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from mod_erlang_py.etf.terms import MAX_ATOM_CHARACTERS

from .words import words

EXPECTED = (
    "expected NAME, NAME:!, MODULE:FUNCTION, spawn:MODULE:FUNCTION, pg:GROUP or pg:SCOPE:GROUP, and NODE or NODE|NODE…"
)
SPAWN = "spawn"
PG = "pg"
"""The scope of a group that names none, as in OTP."""


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


@dataclass(frozen=True, slots=True)
class Spawn:
    """A new process that executes a function. Ours."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{SPAWN}:{self.module}:{self.function}"


@dataclass(frozen=True, slots=True)
class Group:
    """A member of a process group, as the node knows it. Ours."""

    scope: str
    name: str

    def __str__(self) -> str:
        return f"pg:{self.name}" if self.scope == PG else f"pg:{self.scope}:{self.name}"


Wish: TypeAlias = Named | AskPid | Rpc | Spawn | Group


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
    if max(map(len, (first, *others, *nodes))) > MAX_ATOM_CHARACTERS:
        raise ValueError(f"a name has at most {MAX_ATOM_CHARACTERS} characters")
    if not nodes or not all(node.partition("@")[2] for node in nodes):
        raise ValueError(f"{EXPECTED}, each node a name@host")
    match others:
        case ["!"] if first:
            return AskPid(first), nodes
        case [module, function] if first == SPAWN and module and function:
            return Spawn(module, function), nodes
        case [group] if first == PG and group:
            return Group(PG, group), nodes
        case [scope, group] if first == PG and scope and group:
            return Group(scope, group), nodes
        case [function] if first and function:
            return Rpc(first, function), nodes
    if whom.startswith((f"{SPAWN}:", f"{PG}:")):
        raise ValueError(EXPECTED)
    return Named(whom), nodes
