"""What was seen of a fault, and the table of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.trials.usage import Usage
from scripts.trials.watcher import Kind, Watched

COLUMNS = ("fault", "tries", "others' work", "lost", "doubled", "refused", "worst delay", "works again", "left over")


@dataclass(frozen=True)
class Row:
    """title: what was done. tries: how often. others: what everybody else saw. allowed: seconds that they may be
    delayed by it. refuses: their requests may be answered by an error meanwhile. again: seconds from its end until all
    worked as before, by itself; None when it never did. before, after: of the switch. failures: what else went wrong.
    skipped: why it could not be tried here."""

    name: str
    title: str
    tries: int
    others: Watched | None
    allowed: float
    refuses: bool
    again: float | None
    before: Usage | None
    after: Usage | None
    failures: tuple[str, ...] = ()
    skipped: str | None = None

    @property
    def wrong(self) -> list[str]:
        """Why it failed, a line each; nothing when all is well."""
        if self.skipped is not None:
            return []
        found = list(self.failures)
        if self.others is not None:
            seen = self.others.others
            found += [f"{seen.lost} lost"] if seen.lost else []
            found += [f"{seen.doubled} doubled"] if seen.doubled else []
            found += [f"{seen.refused} refused"] if seen.refused and not self.refuses else []
            if seen.slowest > self.allowed + self.machine:
                waited = {kind: one.slowest for kind, one in self.others.seen.items() if kind is not Kind.MACHINE}
                what = max(waited, key=lambda kind: waited[kind]).value
                found.append(f"others waited {seen.slowest:.2f} s for {what}, of {self.allowed:g} allowed")
        found += ["it does not work again"] if self.again is None else []
        return found

    @property
    def machine(self) -> float:
        """Seconds by which the machine itself delayed a process that only slept."""
        return self.others.seen[Kind.MACHINE].slowest if self.others else 0.0


def table(rows: Sequence[Row]) -> str:
    """As Markdown has it."""
    lines = [COLUMNS, tuple("---" if at == 0 else "---:" for at in range(len(COLUMNS))), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    if row.skipped is not None:
        return (row.title, f"not tried: {row.skipped}", *[""] * (len(COLUMNS) - 2))
    seen = row.others.others if row.others else None
    work = "" if row.others is None else f"{seen.done:,}" if seen else ""
    return (
        f"{row.title}{' **failed**' if row.wrong else ''}",
        f"{row.tries:,}",
        work,
        str(seen.lost) if seen else "?",
        str(seen.doubled) if seen else "?",
        str(seen.refused) if seen else "?",
        f"{_milliseconds(seen.slowest)} ({_milliseconds(row.machine)})" if seen else "?",
        f"{row.again:.1f} s" if row.again is not None else "never",
        _left_over(row.before, row.after),
    )


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _left_over(before: Usage | None, after: Usage | None) -> str:
    if before is None or after is None:
        return "?"
    threads, descriptors = after.threads - before.threads, after.descriptors - before.descriptors
    return f"{threads:+d}, {descriptors:+d}, {(after.memory - before.memory) / 1024:+.1f} MB"
