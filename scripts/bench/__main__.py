"""python -m scripts.bench [WORKLOAD ...] [--contenders NAME,NAME] [--rounds N] [--quick] [--publish]"""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NoReturn

from scripts.bench import contenders, machine, page, results, table, turns, workloads
from scripts.bench.errors import BenchError
from scripts.bench.results import Failure, Results, Sample
from scripts.bench.shared import Shared, shared
from scripts.bench.summary import rows
from scripts.epmd import EpmdError
from scripts.scratch import ScratchError

ROUNDS = 5


def main() -> int:
    given = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if given.draw:
            found = results.read(given.draw)
        else:
            chosen = workloads.named(given.workloads)
            measured = contenders.named(given.contenders.split(",") if given.contenders else [])
            rounds = 1 if given.quick else given.rounds
            with tempfile.TemporaryDirectory(prefix="bench.") as folder:
                found = _run(chosen, measured, rounds, given.quick, Path(folder))
    except KeyboardInterrupt:
        return 130
    except (BenchError, EpmdError, ScratchError, OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    _show(found)
    if given.json:
        given.json.write_text(results.to_json(found))
    if given.publish:
        for line in page.publish(found):
            _tell(line)
    return 1 if found.failures else 0


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    """As Ctrl-C: what was started is ended."""
    raise KeyboardInterrupt


def _show(found: Results) -> None:
    print(f"\n{machine.told(found.machine)}")
    for workload in workloads.WORKLOADS:
        of_it = [sample for sample in found.samples if sample.workload == workload.name]
        if of_it:
            print(f"\n{workload.title}\n\n{table.of_rows(rows(of_it))}")
    for failure in found.failures:
        print(f"failed: {failure.workload}, {failure.contender}, round {failure.round}: {failure.reason}")


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
        present = [one for one in measured if not _lacks_module(one, made)]
        skipped = {workload.name: why for workload in chosen if (why := workload.lacks(made))}
        for name, why in skipped.items():
            _tell(f"{name} is left out: {why}")
        places = turns.places([workload for workload in chosen if workload.name not in skipped], present, rounds)
        _tell(f"{len(places)} turns, about {len(places) * turns.SECONDS / 60:.0f} minutes")
        found = list(turns.take(places, made, quick, _tell))
        return Results(
            command=_command(),
            began=moment.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - began),
            machine=machine.described(made.found, load),
            samples=tuple(one for one in found if isinstance(one, Sample)),
            failures=tuple(one for one in found if isinstance(one, Failure)),
            skipped=tuple(skipped.items()),
        )


def _lacks_module(contender: contenders.Contender, made: Shared) -> bool:
    if contender.module is None or (made.found.mod_dir / f"{contender.module}.so").exists():
        return False
    _tell(f"{contender.name} is left out: no {contender.module}.so")
    return True


def _command() -> str:
    """That was given, as `make` has it."""
    arguments = shlex.join(sys.argv[1:])
    return f'make bench ARGS="{arguments}"' if arguments else "make bench"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _warn_when_busy() -> None:
    if (load := machine.load()) > machine.BUSY:
        _tell(f"The machine is busy (load average {load:.1f}): expect worse figures than it can do.")


def _arguments() -> argparse.Namespace:
    all_workloads = ", ".join(one.name for one in workloads.WORKLOADS)
    all_contenders = ", ".join(one.name for one in contenders.CONTENDERS)
    parser = argparse.ArgumentParser(prog="bench", description="Measure contenders in turns, each in a FreeSWITCH.")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {all_workloads}; else all")
    parser.add_argument("--contenders", metavar="NAME,NAME", help=f"of {all_contenders}; else all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"{ROUNDS} when not given")
    parser.add_argument("--quick", action="store_true", help="one round of little work: whether it runs at all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write there what was measured")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="measure nothing; take what --json wrote")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmarks and the table of the README")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
