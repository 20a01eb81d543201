"""What becomes of the settings when their file is read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from mod_erlang_py.config import tls
from mod_erlang_py.config.limits import Limits
from mod_erlang_py.config.settings import SECRETS, Config, field_of, values_of, with_values
from mod_erlang_py.errors import ConfigError

CHANGEABLE = frozenset(
    {
        "cookie",
        "apply_inbound_acl",
        "rights",
        "nodes",
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
        "outbox_bytes_total",
        "outbox_messages",
        "net_ticktime",
        *(one.name for one in fields(Limits)),
        *tls.CHANGEABLE,
    }
)
"""The fields that can change while links are up."""


@dataclass(frozen=True, slots=True)
class Change:
    """name: as the file has it. old and new: for people; "***" for a secret."""

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
    before, after = values_of(old), values_of(new)
    kept = {field_of(error.param) for error in wrong}
    changeable = CHANGEABLE if old.tls.on and new.tls.on else CHANGEABLE - tls.CHANGEABLE
    changes = {
        name: Change(name.replace("_", "-"), _shown(name, before[name]), _shown(name, after[name]))
        for name in before
        if name not in kept and before[name] != after[name]
    }
    return Reloaded(
        with_values(old, {name: after[name] for name in changes if name in changeable}),
        tuple(change for name, change in changes.items() if name in changeable),
        tuple(change for name, change in changes.items() if name not in changeable),
        wrong,
    )


def _shown(name: str, value: Any) -> str:
    if name.replace("_", "-") in SECRETS:
        return "***"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(getattr(value, "value", value))
