"""`show` and `help`: tables of what there is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.commands.words import separate

_SHOW = (
    "codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|"
    "calls|detailed_calls|bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|"
    "interfaces|interface_types|tasks|limits|status"
)

_EMPTY_KINDS = ("codec", "dialplan", "file", "timer", "chat", "limit", "say", "management", "endpoint")
"""Kinds of interfaces that the simulated switch has none of; a word is compared with as much as is here."""

_EMPTY_LISTS = frozenset({
    "application", "aliases", "complete", "tasks", "nat_map",
    "calls", "registrations", "channels", "detailed_calls", "bridged_calls", "detailed_bridged_calls",
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
    commands = [found for _, found in sorted(context.commands().items())]
    if what.startswith("module"):
        files = (("api", found.name, found.module, f"simulated {found.module}") for found in commands)
        return Table(("type", "name", "ikey", "filename"), [row for row in files if name in (None, row[2])])
    if what == "interfaces":
        return Table(("type", "name", "ikey"), [("api", found.name, found.module) for found in commands])
    if what == "interface_types":
        return Table(("type", "total"), [("api", str(len(commands)))])
    if what == "api":
        rows = ((found.name, found.description, found.syntax, found.module) for found in commands)
        columns = ("name", "description", "syntax", "ikey")
        return Table(columns, [row for row in rows if name in (None, row[0])])
    if what in _EMPTY_LISTS or what.startswith(_EMPTY_KINDS):
        return Table(counts=what in _COUNTED and (name or "").lower() == "count")
    return None


def _written(table: Table, words: list[str]) -> bytes:
    form, delimiter = _form(words)
    if form in ("delim", "csv"):
        lines = [table.columns, *table.rows] if table.rows else []
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
    if not table.rows:
        return '<result row_count="0"></result>\n' if table.counts else '<result row_count="0"/>\n'
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
    rows = [dict(_cells(table, row)) for row in table.rows]
    return json.dumps({"row_count": len(rows), "rows": rows}, separators=(",", ":"), ensure_ascii=False)


def _cells(table: Table, row: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    return zip(table.columns, row, strict=True)
