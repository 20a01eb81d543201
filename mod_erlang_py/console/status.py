"""`erlang status`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from mod_erlang_py.figures.figures import Figures, gather
from mod_erlang_py.requests.context import Context

from .printout import Printout


def status(context: Context, _: Sequence[str]) -> Printout:
    """The node at a glance: a line for each matter. As JSON, all figures."""
    figures = gather(context)
    return Printout("".join(f"{name:<11}{value}\n" for name, value in _lines(figures)), asdict(figures))


def _lines(of: Figures) -> list[tuple[str, str]]:
    versions = of.versions
    return [
        ("node", of.node),
        ("listens on", ", ".join(of.addresses) or "nothing"),
        ("protection", of.protection.text),
        ("epmd", f"{of.epmd.state}, port {of.epmd.port}"),
        ("up", str(timedelta(seconds=int(of.up_seconds)))),
        ("versions", f"mod_erlang_py {versions.mod_erlang_py}, {versions.switch}, Python {versions.python}"),
        ("encoding", of.encoding),
        ("source", f"{of.event_source}, of events" + (f"; {of.event_source_reason}" if of.event_source_reason else "")),
        ("nodes", f"{len(of.listeners)} connected"),
        ("calls", f"{of.calls.attached} attached, {of.calls.ever} so far"),
        ("events", f"{of.events.sent} sent, {of.events.lost} lost"),
        ("log lines", f"{of.log_lines.sent} sent, {of.log_lines.lost} lost"),
        ("requests", str(of.requests)),
        ("fetches", f"{of.fetches.asked} asked, {of.fetches.answered} answered, {of.fetches.timed_out} timed out"),
        ("executes", f"{of.executes} waited for"),
        *(("warning", warning) for warning in of.warnings),
    ]
