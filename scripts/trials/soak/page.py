"""A soak as text, and what of docs/trials/soak.md is written here: between the markers of `measured: soak`."""

from __future__ import annotations

from scripts.bench import charts, table
from scripts.bench import machine as machines
from scripts.bench.page import replaced
from scripts.bench.results import Machine
from scripts.install import ROOT
from scripts.trials.soak import chart
from scripts.trials.soak.counts import Count
from scripts.trials.soak.result import Result

PAGE = ROOT / "docs" / "trials" / "soak.md"
PICTURE = PAGE.with_suffix(".svg")


def told(found: Result, machine: Machine) -> str:
    """As Markdown: what it ran on, a line for each kind, what the switch took, and whether all went well."""
    faults = found.faults()
    verdict = "\n".join(f"- **{fault}**" for fault in faults) if faults else "Nothing lost, nothing doubled, no growth."
    return "\n\n".join([_ran(found, machine), _kinds(found), _usage(found), verdict])


def publish(found: Result, machine: Machine) -> list[str]:
    """Write the page and its picture; what was left out, a line each. Raises NoMarkers, OSError."""
    PAGE.write_text(replaced(PAGE.read_text(), "soak", told(found, machine)))
    try:
        chart.draw(found.samples, PICTURE)
    except charts.NoMatplotlib:
        return ["no picture: matplotlib is missing"]
    return []


def _ran(found: Result, machine: Machine) -> str:
    before, after = machine.load
    loads = f"load average {before:.1f} before, {after:.1f} after"
    return f"{found.seconds / 60:.0f} minutes on {machines.told(machine)}; {loads}."


def _kinds(found: Result) -> str:
    rows = [
        [kind.value, f"{count.asked:,}", f"{count.open:,}", f"{count.doubled:,}", _milliseconds(count, 0.5),
         _milliseconds(count, 0.99), _milliseconds(count, 1.0)]
        for kind, count in found.counts.items()
    ]  # fmt: skip
    return table.markdown([["", "how many", "lost", "doubled", "p50, ms", "p99, ms", "worst, ms"], *rows])


def _milliseconds(count: Count, share: float) -> str:
    return table.number(count.within(share) * 1000) if count.worst else table.NOTHING


def _usage(found: Result) -> str:
    before, after = found.before.usage, found.after.usage
    risen = found.after.objects - found.before.objects
    memory = [one.usage.memory / 1024 for one in found.samples]
    trend = found.memory
    rise = f"{trend.rise / 1024:+.2f} in {trend.seconds / 60:.0f} minutes" if trend else "too short to tell"
    at_work = [
        f"{max(one.usage.threads for one in found.samples)}",
        f"{max(one.usage.descriptors for one in found.samples)}",
    ]
    rows = [
        ["threads", f"{before.threads}", f"at most {at_work[0]}", f"{after.threads}", ""],
        ["descriptors", f"{before.descriptors}", f"at most {at_work[1]}", f"{after.descriptors}", ""],
        [
            "memory, MiB",
            f"{before.memory / 1024:.1f}",
            f"{min(memory):.1f} to {max(memory):.1f}",
            f"{after.memory / 1024:.1f}",
            rise,
        ],
        ["objects of Python", f"{found.before.objects:,}", "", f"{found.after.objects:,}", f"{risen:+,} in all"],
    ]
    return table.markdown([["the switch", "at rest before", "at work", "at rest after", "rise"], *rows])
