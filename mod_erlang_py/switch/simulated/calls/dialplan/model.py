"""What a context of the dialplan is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Break(Enum):
    """When a condition is the last one looked at."""

    ON_TRUE = "on-true"
    ON_FALSE = "on-false"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Action:
    """inline: run while the dialplan is read. loop: how often."""

    application: bytes
    data: bytes
    inline: bool
    loop: int


@dataclass(frozen=True, slots=True)
class Condition:
    """field: a field of the caller profile, or a text with variables; None: the condition holds.

    unknown: why it cannot be understood here, and so does not hold.
    require_nested: when no nested condition holds, neither does this one.
    """

    field: bytes | None
    expression: bytes
    break_: Break
    actions: tuple[Action, ...]
    anti_actions: tuple[Action, ...]
    nested: tuple[Condition, ...]
    require_nested: bool
    unknown: str


@dataclass(frozen=True, slots=True)
class Extension:
    """goes_on: the next ones are looked at even when it matches (continue)."""

    name: bytes
    goes_on: bool
    conditions: tuple[Condition, ...]
