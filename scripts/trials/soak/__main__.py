"""python -m scripts.trials.soak [MINUTES] [--publish]"""

from __future__ import annotations

import argparse
import signal
import sys
from typing import NoReturn

from scripts.bench import machine
from scripts.bench.errors import BenchError
from scripts.certs import CertsError
from scripts.epmd import EpmdError
from scripts.scratch import FreeSwitch, ScratchError, find_freeswitch
from scripts.trials.soak import page, phones
from scripts.trials.soak.run import soak
from scripts.trials.switch import TrialError


def main() -> int:
    given = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    load = machine.load()
    installed = find_freeswitch()
    if not isinstance(installed, FreeSwitch):
        _tell(f"soak: {installed}")
        return 1
    if (lacking := phones.lacks()) is not None:
        _tell(f"soak: {lacking}")
        return 1
    try:
        found = soak(given.minutes, _tell)
    except KeyboardInterrupt:
        return 130
    except (BenchError, CertsError, EpmdError, ScratchError, TrialError, OSError) as error:
        _tell(f"soak: {error}")
        return 1
    ran_on = machine.described(installed, load)
    print(page.told(found, ran_on))
    if given.publish:
        for line in page.publish(found, ran_on):
            _tell(line)
    return 1 if found.faults() else 0


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    """As Ctrl-C: what was started is ended."""
    raise KeyboardInterrupt


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="soak", description="Everything together in one FreeSWITCH, for so long.")
    parser.add_argument("minutes", type=float, nargs="?", default=2.0, metavar="MINUTES", help="2 when not given")
    parser.add_argument("--publish", action="store_true", help="write docs/trials/soak.md and its picture")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
