"""The results as pictures, where matplotlib is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.contenders import CONTENDERS, Contender
from scripts.bench.peers.receivers import Receiver
from scripts.bench.summary import Row, find
from scripts.bench.workloads import api, calls, events, growth, latency, rtp

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_COLOURS = (
    "#9a9a9a",  # FreeSWITCH alone
    *("#b0488c", "#d9a3c6"),  # OTP
    *("#1f6fb4", "#8dbbe0", "#2f9e94"),  # ours
    *("#d8b26a", "#c8781e"),  # theirs
    *("#7d9a52", "#b4c79a"),  # mod_event_socket
)
"""Of the contenders, in their order."""
_PANEL_INCHES = (5.2, 3.4)


class NoMatplotlib(Exception):
    """It is not installed: no charts."""


@dataclass(frozen=True)
class Bars:
    """Groups of bars, one for each contender. groups: what stands below each, and the figure that it is of."""

    title: str
    workload: str
    groups: tuple[tuple[str, str], ...]
    logarithmic: bool = False


@dataclass(frozen=True)
class Lines:
    """A figure over what it is a figure by: a line for each contender."""

    title: str
    workload: str
    what: str


@dataclass(frozen=True)
class Chart:
    """file: its name, without .svg."""

    file: str
    panels: tuple[Bars | Lines, ...]


def _by_nodes(figure: str, receiver: Receiver) -> Bars:
    of = {"delivered": events.delivered, "CPU": events.net_cpu}[figure]
    titles = {"delivered": "events a second to", "CPU": "µs of CPU, net, for an event to"}
    return Bars(
        f"{titles[figure]} {receiver.value}s",
        "events",
        tuple((f"{nodes} node{'s' if nodes > 1 else ''}", of(75, nodes, receiver)) for nodes in events.NODES),
    )


def _on_its_way(receiver: Receiver) -> Bars:
    return Bars(
        f"µs on its way to a {receiver.value}".replace("a erl", "an erl"),
        "latency",
        tuple(
            (f"{part},\n{rate:,}/s", latency.on_its_way(rate, receiver, part))
            for rate in latency.RATES
            for part in ("p50", "p99")
        ),
        logarithmic=True,
    )


CHARTS = (
    Chart(
        "api",
        (
            Bars(
                "requests a second",
                "api",
                tuple((f"{count} process{'es' if count > 1 else ''}", api.rate(count)) for count in api.PROCESSES),
                logarithmic=True,
            ),
            Bars(
                "µs from request to reply",
                "api",
                (("p50", api.P50), ("p99", api.P99), ("p99 beside\n10,000 events/s", api.FLOOD_P99)),
                logarithmic=True,
            ),
        ),
    ),
    Chart("events", (_by_nodes("delivered", Receiver.ERL), _by_nodes("delivered", Receiver.THIN))),
    Chart("cpu", (_by_nodes("CPU", Receiver.ERL), _by_nodes("CPU", Receiver.THIN))),
    Chart("latency", (_on_its_way(Receiver.ERL), _on_its_way(Receiver.THIN))),
    Chart(
        "calls",
        (
            Bars(
                "calls a second", "calls", tuple((f"{count} at a time", calls.rate(count)) for count in calls.AT_ONCE)
            ),
            Bars(
                "µs from dialled to handler, p50",
                "calls",
                tuple((f"{count} at a time", calls.to_handler(count, "p50")) for count in calls.AT_ONCE),
                logarithmic=True,
            ),
        ),
    ),
    Chart(
        "rtp",
        (
            Bars(
                "ms, RTP of a call beside 10,000 events a second",
                "rtp",
                tuple((label, f"{rtp.FLOODED}, {label}") for label in (rtp.JITTER, rtp.P99, rtp.LONGEST)),
            ),
        ),
    ),
    Chart(
        "growth", tuple(Lines(f"µs of the switch's CPU for an event\n{what}", "growth", what) for what in growth.SERIES)
    ),
)


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """An SVG for each chart of which there are figures. Raises NoMatplotlib, OSError."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise NoMatplotlib from None
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 8})
    made = []
    for chart in CHARTS:
        panels = [panel for panel in chart.panels if _has_figures(panel, rows)]
        if not panels:
            continue
        columns = min(2, len(panels))
        lines = -(-len(panels) // columns)
        width, height = _PANEL_INCHES
        figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False)
        for at, panel in enumerate(panels):
            ax: Axes = axes[at // columns][at % columns]
            _draw(ax, panel, rows)
        for at in range(len(panels), lines * columns):
            axes[at // columns][at % columns].set_axis_off()
        by_title = {title: handle for ax in figure.axes for handle, title in zip(*_shown(ax), strict=True)}
        figure.legend(by_title.values(), by_title.keys(), loc="outside lower center", ncols=4)
        file = folder / f"{chart.file}.svg"
        figure.savefig(file, metadata={"Date": None})
        made.append(file)
    return made


def _shown(ax: Axes) -> tuple[list[Artist], list[str]]:
    handles, titles = ax.get_legend_handles_labels()
    return list(handles), list(titles)


def _rows_of(panel: Bars | Lines, rows: Sequence[Row]) -> list[Row | None]:
    if isinstance(panel, Bars):
        return [find(rows, panel.workload, what) for _, what in panel.groups]
    own = [row for row in rows if (row.workload, row.what) == (panel.workload, panel.what)]
    return [*sorted(own, key=lambda row: row.at or 0)]


def _has_figures(panel: Bars | Lines, rows: Sequence[Row]) -> bool:
    return any(_rows_of(panel, rows))


def _draw(ax: Axes, panel: Bars | Lines, rows: Sequence[Row]) -> None:
    found = _rows_of(panel, rows)
    present = [one for one in CONTENDERS if any(row and one.name in row.spreads for row in found)]
    for place, contender in enumerate(present):
        if isinstance(panel, Bars):
            _bars(ax, found, contender, place, len(present))
        else:
            _line(ax, found, contender)
    if isinstance(panel, Bars):
        ax.set_xticks(range(len(found)), [label for label, _ in panel.groups])
        if panel.logarithmic:
            ax.set_yscale("log")
    else:
        at = sorted({row.at or 0 for row in found if row})
        ax.set_xscale("symlog")
        ax.set_xticks(at, [f"{number:,}" for number in at])
        ax.minorticks_off()
        ax.set_ylim(bottom=0)
    ax.set_title(panel.title)
    ax.grid(axis="y", alpha=0.3)


def _bars(ax: Axes, rows: Sequence[Row | None], contender: Contender, place: int, of: int) -> None:
    """Their medians; thin lines go from the least to the most of the rounds."""
    at = [
        (number, row.spreads[contender.name])
        for number, row in enumerate(rows)
        if row and contender.name in row.spreads
    ]
    width = 0.8 / of
    ax.bar(
        [number + (place - (of - 1) / 2) * width for number, _ in at],
        [spread.median for _, spread in at],
        width,
        yerr=[[spread.median - spread.least for _, spread in at], [spread.most - spread.median for _, spread in at]],
        error_kw={"elinewidth": 0.7, "alpha": 0.6},
        label=contender.title,
        color=_COLOURS[CONTENDERS.index(contender)],
    )


def _line(ax: Axes, rows: Sequence[Row | None], contender: Contender) -> None:
    own = [(row.at or 0, row.spreads[contender.name].median) for row in rows if row and contender.name in row.spreads]
    ax.plot(
        [at for at, _ in own],
        [value for _, value in own],
        marker="o",
        markersize=3,
        label=contender.title,
        color=_COLOURS[CONTENDERS.index(contender)],
    )
