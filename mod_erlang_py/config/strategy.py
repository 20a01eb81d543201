"""Which member of a process group gets a call: the setting pg-strategy, the variable erlang_pg_strategy.

str() of one is what `strategy` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

EXPECTED = "random, least_calls or hash VARIABLE"


@dataclass(frozen=True, slots=True)
class Random:
    def __str__(self) -> str:
        return "random"


@dataclass(frozen=True, slots=True)
class LeastCalls:
    """The one that has the fewest of this switch's calls."""

    def __str__(self) -> str:
        return "least_calls"


@dataclass(frozen=True, slots=True)
class Hash:
    """The same one for calls with the same value of a channel variable, as long as it is a member."""

    variable: str

    def __str__(self) -> str:
        return f"hash {self.variable}"


Strategy: TypeAlias = Random | LeastCalls | Hash


def strategy(text: str) -> Strategy:
    """Raises ValueError."""
    match text.split():
        case ["random"]:
            return Random()
        case ["least_calls"]:
            return LeastCalls()
        case ["hash", variable]:
            return Hash(variable)
    raise ValueError(EXPECTED)
