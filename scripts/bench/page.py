"""What of docs/benchmarks and of the README is written here: the text between a pair of markers.

<!-- measured: api -->
...
<!-- end of measured -->
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from scripts.bench import charts, machine, table
from scripts.bench.contenders import ALONE, COMPILED, SOCKET, THEIRS, THEIRS_5000
from scripts.bench.peers.receivers import Receiver
from scripts.bench.results import Results, to_json
from scripts.bench.summary import Row, find, rows
from scripts.bench.turns import Workload
from scripts.bench.workloads import WORKLOADS, api, calls, events, foreign, latency, rtp
from scripts.install import ROOT

README = ROOT / "README.md"
FOLDER = ROOT / "docs" / "benchmarks"
PAGE = FOLDER / "README.md"
RESULTS = FOLDER / "results.json"
_END = "<!-- end of measured -->"

MATTERS = (
    ('`{api, echo, "hello"}`, p50', "api", api.P50),
    ("the same from 20 processes", "api", api.rate(20)),
    ("its p99 beside 10,000 events a second", "api", api.FLOOD_P99),
    ("a burst of events of 75 headers to an Erlang node", "events", events.delivered(75, 1, Receiver.ERL)),
    ("the same to 16 thin receivers, deliveries", "events", events.delivered(75, 16, Receiver.THIN)),
    ("the switch's CPU for such an event to a thin receiver, net", "events", events.net_cpu(75, 1, Receiver.THIN)),
    ("the same for an event of another call, with one attached", "foreign", foreign.COST),
    ("10,000 events a second, p99 on their way", "latency", latency.on_its_way(10_000, Receiver.ERL, "p99")),
    ("calls answered and hung up, 10 at a time", "calls", calls.rate(10)),
    ("RTP beside 10,000 events a second, jitter", "rtp", f"{rtp.FLOODED}, {rtp.JITTER}"),
)
"""The ten of the README: what it calls a figure, and which it is."""


class NoMarkers(Exception):
    """A page has no place for what is to be written."""


def publish(results: Results) -> list[str]:
    """Write all of it; what was left out, a line each. Raises NoMarkers, OSError."""
    found = rows(results.samples)
    RESULTS.write_text(to_json(results))
    page = replaced(PAGE.read_text(), "machine", _machine(results))
    for workload in WORKLOADS:
        page = replaced(page, workload.name, _of_workload(workload, results, found))
    PAGE.write_text(page)
    README.write_text(replaced(README.read_text(), "what matters", f"{_machine(results)}\n\n{what_matters(found)}"))
    try:
        charts.draw(found, FOLDER)
    except charts.NoMatplotlib:
        return ["no charts: matplotlib is missing"]
    return []


def replaced(text: str, name: str, content: str) -> str:
    """The text with that between the markers of that name. Raises NoMarkers."""
    begin = f"<!-- measured: {name} -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(_END)})", re.DOTALL)
    found, count = pattern.subn(lambda match: f"{match[1]}{content}\n{match[2]}", text)
    if count != 1:
        raise NoMarkers(f"{begin} ... {_END} stands there {count} times")
    return found


def what_matters(found: Sequence[Row]) -> str:
    """The ten figures as a table."""
    head = ["", COMPILED.title, THEIRS.title, "times as good", "mod_event_socket", "FreeSWITCH alone"]
    lines = []
    for label, workload, what in MATTERS:
        row = find(found, workload, what)
        if row is None:
            continue
        theirs = [row.spreads[one.name].median for one in (THEIRS, THEIRS_5000) if one.name in row.spreads]
        best = (max if row.unit.more_is_better else min)(theirs, default=None)
        lines.append(
            [
                f"{label}, {row.unit.value}",
                _median(row, COMPILED.name),
                table.number(best) if best is not None else table.NOTHING,
                table.ratio(row),
                _median(row, SOCKET.name),
                _median(row, ALONE.name),
            ]
        )
    return table.markdown([head, *lines])


def _median(row: Row, contender: str) -> str:
    spread = row.spreads.get(contender)
    return table.number(spread.median) if spread else table.NOTHING


def _machine(results: Results) -> str:
    rounds = max(sample.round for sample in results.samples)
    minutes = f"{rounds} round{'s' if rounds > 1 else ''} in {results.seconds / 60:.0f} minutes"
    return (
        f"{machine.told(results.machine)}. `{results.command}`, {results.began[:10]}, {minutes}; "
        f"load average {results.machine.load[0]:.1f} before."
    )


def _of_workload(workload: Workload, results: Results, found: Sequence[Row]) -> str:
    skipped = dict(results.skipped).get(workload.name)
    if skipped:
        return f"Not measured: {skipped}."
    failed = [
        f"Failed: {failure.contender}, round {failure.round}: {failure.reason}"
        for failure in results.failures
        if failure.workload == workload.name
    ]
    of_it = [row for row in found if row.workload == workload.name]
    return "\n\n".join([*([table.of_rows(of_it)] if of_it else ["Not measured."]), *failed])
