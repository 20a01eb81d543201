"""The course of a soak: a warm-up, rest, the work, rest."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from scripts.bench.switch import environment
from scripts.trials.soak import growth
from scripts.trials.soak.configuration import NODES, Place, place
from scripts.trials.soak.counts import Counts, together
from scripts.trials.soak.growth import Rest
from scripts.trials.soak.nodes import Nodes
from scripts.trials.soak.result import Result, line
from scripts.trials.soak.series import Sample, Series, sample
from scripts.trials.switch import Switch, TrialError, started, wait_until
from scripts.trials.usage import Usage

OBJECTS = Path(__file__).with_name("soak_objects.py")
"""Runs inside FreeSWITCH."""
WARM_UP_SECONDS = 30.0
"""After which there is what is only made when it is first needed: threads, pools."""
_EVERY = 10.0
"""Seconds between two samples."""
_LINE_EVERY = 30.0
_CALM_SECONDS = 20.0
"""Longer than from one look of the node's ticker at its links to the next: until then it knows those that have gone."""
_REST_SECONDS = 180.0
"""That threads of FreeSWITCH may take to end."""


def switch_at(at: Place, shared: Path | None = None) -> AbstractContextManager[Switch]:
    """As switch.started, for a soak."""
    return started(
        at.folder, settings=at.settings(), nodes=NODES, files=at.files(), modules=["mod_sofia"], shared=shared
    )


def soak(minutes: float, tell: Callable[[str], None]) -> Result:
    """Raises TrialError, BenchError, CertsError, EpmdError, ScratchError, OSError."""
    with (
        tempfile.TemporaryDirectory(prefix="soak.") as folder,
        switch_at(at := place(Path(folder))) as switch,
    ):
        shutil.copy(OBJECTS, switch.scratch.script_dir)
        tell(f"FreeSWITCH runs as {switch.pid} with {environment()}; a warm-up of {WARM_UP_SECONDS:.0f} s")
        warm, _ = _work(switch, at, WARM_UP_SECONDS, tell)
        before = _rest(switch)
        tell(f"at rest: {before}")
        main, series = _work(switch, at, minutes * 60, tell)
        wait_until(lambda: not growth.more(before.usage, switch.usage()), _REST_SECONDS)
        after = _rest(switch)
        tell(f"at rest: {after}")
        return Result(
            minutes * 60,
            together([warm, main]),
            tuple(series.samples),
            before,
            after,
            switch.tracebacks(),
            switch.scratch.stop(),
        )


def _work(switch: Switch, at: Place, seconds: float, tell: Callable[[str], None]) -> tuple[Counts, Series]:
    series = Series()
    began = time.monotonic()
    told: Sample | None = None
    with Nodes(switch, at) as nodes:
        while (left := began + seconds - time.monotonic()) > 0:
            time.sleep(min(_EVERY, left))
            if not switch.scratch.alive:
                raise TrialError(f"FreeSWITCH has ended: {switch.scratch.log()[-1000:]}")
            now = sample(time.monotonic() - began, switch.usage(), nodes.counts())
            series.add(now)
            told = told or now
            if now.seconds - told.seconds >= _LINE_EVERY:
                tell(line(told, now))
                told = now
        last = nodes.rest()
        series.add(sample(time.monotonic() - began, switch.usage(), last))
        return last, series


def _rest(switch: Switch) -> Rest:
    return Rest(_calm(switch), int(switch.fs_cli(f"python {OBJECTS.stem}")))


def _calm(switch: Switch) -> Usage:
    """What it takes once that has not become less for a while."""
    deadline = time.monotonic() + _REST_SECONDS
    least, since = switch.usage(), time.monotonic()
    while time.monotonic() < min(deadline, since + _CALM_SECONDS):
        time.sleep(0.5)
        now = switch.usage()
        if growth.more(now, least):
            least, since = now, time.monotonic()
    return least
