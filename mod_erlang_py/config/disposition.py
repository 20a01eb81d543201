"""What becomes of a call whose process is lost: the setting on-handler-exit, the variable erlang_on_handler_exit.

str() of one is what `disposition` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

EXPECTED = "continue, hangup [CAUSE], transfer EXTENSION [DIALPLAN [CONTEXT]] or park"


@dataclass(frozen=True, slots=True)
class Continue:
    """Its application returns, and the dialplan goes on."""

    def __str__(self) -> str:
        return "continue"


@dataclass(frozen=True, slots=True)
class Hangup:
    cause: str = "NORMAL_TEMPORARY_FAILURE"

    def __str__(self) -> str:
        return f"hangup {self.cause}"


@dataclass(frozen=True, slots=True)
class Transfer:
    extension: str
    dialplan: str | None = None
    context: str | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, ("transfer", self.extension, self.dialplan, self.context)))


@dataclass(frozen=True, slots=True)
class Park:
    """It stays as it is, for another process to take it by handlecall."""

    def __str__(self) -> str:
        return "park"


Disposition: TypeAlias = Continue | Hangup | Transfer | Park


def disposition(text: str) -> Disposition:
    """Raises ValueError."""
    match text.split():
        case ["continue"]:
            return Continue()
        case ["park"]:
            return Park()
        case ["hangup"]:
            return Hangup()
        case ["hangup", cause]:
            return Hangup(cause)
        case ["transfer", extension, *where] if len(where) <= 2:
            return Transfer(extension, *where)
    raise ValueError(EXPECTED)
