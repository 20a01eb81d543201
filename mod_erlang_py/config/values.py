"""How the values of settings are read. Each function raises ValueError that says what was expected."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TypeVar

E = TypeVar("E", bound=Enum)


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        expected = f"a whole number from {low} to {high}"
        try:
            number = int(value)
        except ValueError:
            raise ValueError(expected) from None
        if not low <= number <= high:
            raise ValueError(expected)
        return number

    return parse


def one_of(enum: type[E]) -> Callable[[str], E]:
    """A member by its value, in any case."""

    def parse(value: str) -> E:
        try:
            return enum(value.lower())
        except ValueError:
            *others, last = (str(one.value) for one in enum)
            raise ValueError(f"{', '.join(others)} or {last}") from None

    return parse


def flag(value: str) -> bool:
    """As switch_true and switch_false read it."""
    word = value.strip().lower()
    if word in {"yes", "on", "true", "t", "enabled", "active", "allow"} or (word.isdecimal() and int(word) != 0):
        return True
    if word in {"no", "off", "false", "f", "disabled", "inactive", "disallow", "0"}:
        return False
    raise ValueError("true or false")


def nodename(value: str) -> str:
    alive, at, host = value.partition("@")
    if not alive or (at and not host) or "@" in host or any(c.isspace() for c in value):
        raise ValueError("name or name@host")
    return value


def cookie(value: str) -> str:
    if not value or len(value) > 255 or any(ord(c) > 255 for c in value):
        raise ValueError("1 to 255 Latin-1 characters")
    return value


def cookie_file(value: str) -> str:
    """The first line of a file that only its owner may read (read_cookie_from_file)."""
    path = Path(value)
    try:
        if path.stat().st_mode & 0o077:
            raise ValueError("a file that only its owner may read and write")
        return cookie(path.read_text("latin-1").partition("\n")[0].rstrip("\r"))
    except OSError as error:
        raise ValueError(f"a file that can be read: {error.strerror}") from None


def acl(value: str) -> str:
    if not value.strip():
        raise ValueError("the name of an access control list")
    return value.strip()


def address(value: str) -> str:
    if not value:
        raise ValueError("an address, or *")
    return value
