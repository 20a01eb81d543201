"""`show` and `help`: tables of what there is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from mod_erlang_py.switch.simulated.calls.applications import built_in
from mod_erlang_py.switch.simulated.commands.channel_rows import CALLS, CHANNELS, call_row, channel_row
from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.loadable import OURS
from mod_erlang_py.switch.simulated.words import separate

_SHOW = (
    "codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|"
    "calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|"
    "interfaces|interface_types|tasks|limits|status"
)

_EMPTY_KINDS = ("codec", "dialplan", "file", "timer", "chat", "limit", "say", "management", "endpoint")
"""Kinds of interfaces that the simulated switch has none of; a word is compared with as much as is here."""

_EMPTY_LISTS = frozenset({
    "aliases", "complete", "tasks", "nat_map", "registrations",
    "detailed_calls", "bridged_calls", "detailed_bridged_calls",
})  # fmt: skip

_COUNTED = frozenset({"calls", "registrations", "channels"})


@dataclass(frozen=True, slots=True)
class Table:
    """counts: it tells a number of rows only."""

    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    counts: bool = False


@command("show", "Show various reports", _SHOW)
def show(context: Context, argument: bytes) -> bytes:
    words = [word.decode("utf-8", "replace") for word in separate(argument, b" ", 6)]
    if not words:
        return usage(_SHOW)
    what = words[0].lower()
    if what.startswith("status"):
        return context.execute(words[0], b"").output
    if what.startswith("help"):
        return _help(context)
    table = _table(context, what, words[1:])
    if table is None:
        return usage(_SHOW)
    return _written(table, words[1:])


@command("help", "Show help for all the api commands")
def help_(context: Context, argument: bytes) -> bytes:
    """All commands, whatever is asked for, in FreeSWITCH too; only the heading goes."""
    return (b"" if argument else b"\nValid Commands:\n\n") + _help(context)


def _help(context: Context) -> bytes:
    return "".join(
        f"{found.name},{found.syntax},{found.description},{found.module}\n"
        for _, found in sorted(context.commands().items())
    ).encode()


def _table(context: Context, what: str, words: list[str]) -> Table | None:
    name = words[0] if words and words[0].lower() != "as" else None
    columns = ("name", "description", "syntax", "ikey")
    commands = [(one.name, one.description, one.syntax, one.module) for _, one in sorted(context.commands().items())]
    interfaces = [("api", row[0], row[3]) for row in commands]
    interfaces += [("application", row[0], row[3]) for row in _applications(context)]
    if what.startswith("module"):
        files = ((*row, f"simulated {row[2]}") for row in interfaces)
        return Table(("type", "name", "ikey", "filename"), [row for row in files if name in (None, row[2])])
    if what == "interfaces":
        return Table(("type", "name", "ikey"), interfaces)
    if what == "interface_types":
        totals = Counter(row[0] for row in interfaces)
        return Table(("type", "total"), [(kind, str(total)) for kind, total in totals.items()])
    if what == "api":
        return Table(columns, [row for row in commands if name in (None, row[0])])
    if what == "application":
        return Table(columns, [row for row in _applications(context) if name in (None, row[0])])
    if what in ("channels", "calls"):
        table = _channels(context) if what == "channels" else _calls(context)
        if (name or "").lower() == "like" and len(words) > 1:
            return Table(table.columns, [row for row in table.rows if any(words[1] in cell for cell in row)])
        return Table(table.columns, table.rows, counts=(name or "").lower() == "count")
    if what in _EMPTY_LISTS or what.startswith(_EMPTY_KINDS):
        return Table(counts=what in _COUNTED and (name or "").lower() == "count")
    return None


def _applications(context: Context) -> list[tuple[str, str, str, str]]:
    rows = [(one.name, one.description, one.syntax, "mod_dptools") for one in built_in().values()]
    module = context.modules.module
    rows += [(one.name, one.description, one.syntax, OURS) for one in (module.applications if module else ())]
    return sorted(rows)


def _channels(context: Context) -> Table:
    hostname = context.core.hostname
    return Table(CHANNELS, [channel_row(channel, hostname) for channel in context.exchange.channels()])


def _calls(context: Context) -> Table:
    """A bridged pair is one call, and so is every other channel."""
    bridged = {
        channel: peer
        for channel in context.exchange.channels()
        if channel.other_leg is not None
        and channel.other_leg[0] == b"originatee"
        and (peer := context.exchange.find((channel.variables.get(b"signal_bond") or b"").decode())) is not None
    }
    peers = set(bridged.values())
    return Table(
        CALLS,
        [
            call_row(channel, bridged.get(channel), context.core.hostname)
            for channel in context.exchange.channels()
            if channel not in peers
        ],
    )


def _written(table: Table, words: list[str]) -> bytes:
    form, delimiter = _form(words)
    if form in ("delim", "csv"):
        lines = [table.columns, *table.rows] if table.rows and not table.counts else []
        text = "".join(delimiter.join(line) + "\n" for line in lines)
        return f"{text}\n{len(table.rows)} total.\n".encode()
    if form == "xml":
        return _as_xml(table).encode()
    if form == "json":
        return _as_json(table).encode()
    return f"-ERR Cannot find format {form}\n".encode()


def _form(words: list[str]) -> tuple[str, str]:
    """(format, delimiter) of `as <format> [<delimiter>]`, which may follow `count` or `like <text>`."""
    skip = {"count": 1, "like": 2}.get(words[0].lower(), 0) if words else 0
    rest = words[skip:]
    if len(rest) < 2 or rest[0].lower() != "as":
        return "delim", ","
    return rest[1].lower(), rest[2] if len(rest) > 2 else ","


def _as_xml(table: Table) -> str:
    if table.counts:
        return f'<result row_count="{len(table.rows)}"></result>\n'
    if not table.rows:
        return '<result row_count="0"/>\n'
    rows = (
        f'  <row row_id="{number}">\n'
        + "".join(f"    <{name}>{escape(value)}</{name}>\n" for name, value in _cells(table, row))
        + "  </row>\n"
        for number, row in enumerate(table.rows, 1)
    )
    return f'<result row_count="{len(table.rows)}">\n{"".join(rows)}</result>\n'


def _as_json(table: Table) -> str:
    if not table.rows and not table.counts:
        return '{"row_count": 0}\n'
    rows = [] if table.counts else [dict(_cells(table, row)) for row in table.rows]
    return json.dumps({"row_count": len(table.rows), "rows": rows}, separators=(",", ":"), ensure_ascii=False)


def _cells(table: Table, row: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    return zip(table.columns, row, strict=True)
