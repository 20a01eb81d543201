"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.bench.contenders import COMPILED, CONTENDERS, THEIRS, THEIRS_5000, Contender
from scripts.bench.results import Unit
from scripts.bench.summary import Row, Spread

AGAINST = (THEIRS, THEIRS_5000)
"""Whom ours is compared with: the better of these."""
NOTHING = "-"
"""Where a contender has no figure."""


def number(value: float) -> str:
    """With as many digits as it deserves."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(row: Row, contender: Contender) -> str:
    """The median, and between what the rounds were."""
    found = row.spreads.get(contender.name)
    if found is None:
        return NOTHING
    lost = f", **{found.lost:,} lost**" if found.lost else ""
    return f"{number(found.median)}{_between(found)}{lost}"


def _between(spread: Spread) -> str:
    return f" ({number(spread.least)} to {number(spread.most)})" if spread.rounds > 1 else ""


def ratio(row: Row) -> str:
    found = row.times_as_good(COMPILED.name, [contender.name for contender in AGAINST])
    return f"{found:.2f}" if found is not None else NOTHING


def label(row: Row) -> str:
    return f"{row.what}: {row.at:,}" if row.at is not None else row.what


def of_rows(rows: Sequence[Row]) -> str:
    """A table for each unit that they have."""
    units = dict.fromkeys(row.unit for row in rows)
    return "\n\n".join(_of_unit([row for row in rows if row.unit is unit], unit) for unit in units)


def _of_unit(rows: Sequence[Row], unit: Unit) -> str:
    """A column for each contender that has one of them, and one that says how many times as good ours is as
    mod_erlang_event at its best."""
    present = [contender for contender in CONTENDERS if any(contender.name in row.spreads for row in rows)]
    compared = any(ratio(row) != NOTHING for row in rows)
    head = [unit.value, *(contender.title for contender in present), *(["times as good"] if compared else [])]
    body = [
        [label(row), *(cell(row, contender) for contender in present), *([ratio(row)] if compared else [])]
        for row in rows
    ]
    return markdown([head, *body])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the head."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
