"""What becomes of the settings when their file is read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from mod_erlang_py.config.settings import Config, field_of
from mod_erlang_py.errors import ConfigError

CHANGEABLE = frozenset(
    {
        "cookie",
        "apply_inbound_acl",
        "on_handler_exit",
        "handler_timeout",
        "pg_strategy",
        "fetch_timeout",
        "max_xml_bytes",
        "max_xml_elements",
        "max_xml_siblings",
        "max_xml_entities",
        "expand_xml",
        "max_event_bulk",
        "max_log_bulk",
        "outbox_bytes",
        "outbox_messages",
        "net_ticktime",
    }
)
"""The fields that can change while links are up."""


@dataclass(frozen=True, slots=True)
class Change:
    """name: as the file has it. old and new: for people; "***" for a cookie."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name} {self.old} -> {self.new}"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """config: what is in force from now on. pending: what waits for a restart of the module. wrong: values that
    cannot be used; their settings stay as they are."""

    config: Config
    changed: tuple[Change, ...] = ()
    pending: tuple[Change, ...] = ()
    wrong: tuple[ConfigError, ...] = ()


def compare(old: Config, new: Config, wrong: Iterable[ConfigError] = ()) -> Reloaded:
    """old: in force now. new, wrong: as config.read returns them."""
    wrong = tuple(wrong)
    kept = {field_of(error.param) for error in wrong}
    differing = [
        one.name for one in fields(Config) if one.name not in kept and getattr(old, one.name) != getattr(new, one.name)
    ]
    change = [name for name in differing if name in CHANGEABLE]
    return Reloaded(
        replace(old, **{name: getattr(new, name) for name in change}),
        tuple(_change(name, old, new) for name in change),
        tuple(_change(name, old, new) for name in differing if name not in CHANGEABLE),
        wrong,
    )


def _change(name: str, old: Config, new: Config) -> Change:
    return Change(name.replace("_", "-"), *(_shown(name, getattr(config, name)) for config in (old, new)))


def _shown(name: str, value: Any) -> str:
    if name == "cookie":
        return "***"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "value", value))
