"""A soak as a picture, where matplotlib is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.bench.charts import NoMatplotlib
from scripts.trials.soak.counts import CALLS, Kind
from scripts.trials.soak.series import Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_INCHES = (5.2, 2.9)
_GROUPS = {
    "requests": (
        Kind.API,
        Kind.BGAPI,
        Kind.GEN_SERVER,
        Kind.RPC,
        Kind.EXECUTE,
        Kind.DENIED,
        Kind.LOOKUP,
        Kind.FETCH_REPLY,
    ),
    "events": (Kind.EVENT, Kind.SUBSCRIPTION, Kind.ACKNOWLEDGED, Kind.BURST),
    "log lines": (Kind.LINE,),
    "calls": CALLS,
    "nodes, subscriptions and certificates that come and go": (Kind.VISIT, Kind.SUBSCRIBE, Kind.RELOAD),
}
"""Lines of the rates."""
_BIN = 60.0
"""Seconds over which a rate is taken: some things are done once in fifteen seconds."""


def draw(samples: Sequence[Sample], file: Path) -> None:
    """An SVG. Raises NoMatplotlib, OSError."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise NoMatplotlib from None
    matplotlib.rcParams.update({"svg.hashsalt": "soak", "svg.fonttype": "none", "font.size": 8})
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * 2, height * 2), layout="constrained")
    axes = figure.subplots(2, 2)
    _rates(axes[0][0], samples)
    _over_time(
        axes[0][1],
        "doubled; under way, which at the end is lost",
        samples,
        {"doubled": lambda one: one.doubled, "under way": lambda one: one.open},
    )
    _over_time(axes[1][0], "MiB of the switch's own", samples, {"memory": lambda one: one.usage.memory / 1024})
    _over_time(
        axes[1][1],
        "threads and descriptors of the switch",
        samples,
        {"threads": lambda one: one.usage.threads, "descriptors": lambda one: one.usage.descriptors},
    )
    figure.savefig(file, metadata={"Date": None})


def _rates(ax: Axes, samples: Sequence[Sample]) -> None:
    for title, kinds in _GROUPS.items():
        found = [
            (
                now.seconds / 60,
                sum(now.done[kind] - before.done[kind] for kind in kinds) / (now.seconds - before.seconds),
            )
            for before, now in _pairs(samples)
        ]
        ax.plot([at for at, _ in found], [value for _, value in found], label=title)
    ax.set_yscale("log")
    ax.set_ylim(top=ax.get_ylim()[1] * 10)  # room for the legend
    _finish(ax, "done a second")


def _pairs(samples: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Neighbours, among those that are far enough from each other."""
    kept: list[Sample] = []
    for one in samples:
        if not kept or one.seconds - kept[-1].seconds >= _BIN:
            kept.append(one)
    if len(kept) < 2:
        kept = list(samples)
    return list(pairwise(kept))


def _over_time(ax: Axes, title: str, samples: Sequence[Sample], lines: Mapping[str, Callable[[Sample], float]]) -> None:
    for label, value in lines.items():
        ax.plot([one.seconds / 60 for one in samples], [value(one) for one in samples], label=label)
    ax.set_ylim(bottom=0)
    _finish(ax, title)


def _finish(ax: Axes, title: str) -> None:
    ax.set_title(title)
    ax.set_xlabel("minutes")
    ax.set_xlim(left=0)
    ax.grid(axis="y", alpha=0.3)
    ax.legend(fontsize=7)
