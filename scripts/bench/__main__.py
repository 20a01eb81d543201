"""python -m scripts.bench [WORKLOAD ...] [--contenders NAME,NAME] [--rounds N] [--quick]"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from scripts.bench import contenders, machine, results, table, turns, workloads
from scripts.bench.errors import BenchError
from scripts.bench.results import Failure, Results, Sample
from scripts.bench.shared import shared
from scripts.bench.summary import rows
from scripts.epmd import EpmdError
from scripts.scratch import ScratchError

ROUNDS = 5


def main() -> int:
    given = _arguments()
    try:
        chosen = workloads.named(given.workloads)
        measured = contenders.named(given.contenders.split(",") if given.contenders else [])
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="bench.") as folder:
            found = _run(chosen, measured, 1 if given.quick else given.rounds, given.quick, Path(folder))
    except KeyboardInterrupt:
        return 130
    except (BenchError, EpmdError, ScratchError, OSError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"\n{machine.told(found.machine)}")
    for workload in chosen:
        of_it = [sample for sample in found.samples if sample.workload == workload.name]
        if of_it:
            print(f"\n{workload.title}\n\n{table.of_rows(rows(of_it))}")
    for failure in found.failures:
        print(f"failed: {failure.workload}, {failure.contender}, round {failure.round}: {failure.reason}")
    if given.json:
        given.json.write_text(results.to_json(found))
    return 1 if found.failures else 0


def _run(
    chosen: Sequence[turns.Workload],
    measured: Sequence[contenders.Contender],
    rounds: int,
    quick: bool,
    folder: Path,
) -> Results:
    began, moment, load = time.monotonic(), datetime.now(timezone.utc), machine.load()
    _warn_when_busy()
    with shared(folder) as made:
        skipped = {workload.name: why for workload in chosen if (why := workload.lacks(made))}
        for name, why in skipped.items():
            _tell(f"{name} is left out: {why}")
        places = turns.places([workload for workload in chosen if workload.name not in skipped], measured, rounds)
        found = list(turns.take(places, made, quick, _tell))
        return Results(
            command=shlex.join(["python", "-m", "scripts.bench", *sys.argv[1:]]),
            began=moment.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - began),
            machine=machine.described(made, load),
            samples=tuple(one for one in found if isinstance(one, Sample)),
            failures=tuple(one for one in found if isinstance(one, Failure)),
            skipped=tuple(skipped.items()),
        )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _warn_when_busy() -> None:
    if (load := machine.load()) > machine.BUSY:
        _tell(f"The machine is busy (load average {load:.1f}): expect worse figures than it can do.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure contenders in turns, each in a FreeSWITCH.")
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=", ".join(one.name for one in workloads.WORKLOADS)
    )
    parser.add_argument("--contenders", metavar="NAME,NAME", help=", ".join(one.name for one in contenders.CONTENDERS))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of turns; {ROUNDS} when not given")
    parser.add_argument("--quick", action="store_true", help="one round of little work: whether it runs at all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
