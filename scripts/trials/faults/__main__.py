"""python -m scripts.trials.faults [FAULT ...] [--quick] [--publish]"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from scripts.trials.faults import page
from scripts.trials.faults.all import FAULTS, UnknownFault, named
from scripts.trials.faults.row import Row, table
from scripts.trials.faults.trying import attempt


def main() -> int:
    given = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        chosen = named(given.faults)
        began = time.monotonic()
        rows: list[Row] = []
        with tempfile.TemporaryDirectory(prefix="faults.") as folder:
            for fault in chosen:
                started = time.monotonic()
                row = attempt(fault, Path(folder) / fault.name, Path(folder) / "shared", given.quick)
                rows.append(row)
                _tell(f"{len(rows)}/{len(chosen)} {fault.name}: {_verdict(row)}, {time.monotonic() - started:.0f} s")
                for line in row.wrong:
                    _tell(f"    {line}")
    except KeyboardInterrupt:
        return 130
    except UnknownFault as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    print(f"\n{table(rows)}")
    if given.publish:
        page.publish(rows, round(time.monotonic() - began))
    return 1 if any(row.wrong for row in rows) else 0


def _verdict(row: Row) -> str:
    if row.skipped is not None:
        return f"not tried: {row.skipped}"
    return "FAILED" if row.wrong else "well"


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    """As Ctrl-C: what was started is ended."""
    raise KeyboardInterrupt


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description="Do to the node what may be done, in a FreeSWITCH.")
    names = ", ".join(fault.name for fault in FAULTS)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {names}; else all")
    parser.add_argument("--quick", action="store_true", help="a few tries each: whether it runs at all")
    parser.add_argument("--publish", action="store_true", help="write docs/trials/faults.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
