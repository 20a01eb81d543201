"""`make fuzz MINUTES=5 SEED=7`: see the package."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from mod_erlang_py.etf import Atom
from scripts.bench.errors import BenchError
from scripts.epmd import EpmdError
from scripts.scratch import ScratchError
from scripts.trials.client import Client
from scripts.trials.fuzz.log import Log
from scripts.trials.fuzz.page import publish
from scripts.trials.fuzz.report import Report
from scripts.trials.fuzz.rounds import Fault, Rounds
from scripts.trials.fuzz.terms import CALLS
from scripts.trials.fuzz.waits import Waits
from scripts.trials.switch import COOKIE, Switch, TrialError, started, wait_until
from scripts.trials.usage import Usage
from scripts.trials.watcher import Watcher

SETTLING = 30.0
"""Seconds in which what was taken for connections is to be given back."""
WORKERS = 128
"""As many as there are at most, for bgapi: docs/security.md."""
_SETTINGS = {"epmd": "builtin", "net-ticktime": "8"}
"""Its own epmd is tried too; a link that was left in the middle of a frame is not kept for a minute."""


def main() -> int:
    options = _options()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    rounds = "" if options.only is None else f" --only {options.only}"
    print(f"seed {seed}: make fuzz MINUTES={options.minutes:g} SEED={seed}{rounds}", flush=True)
    report = Report()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fuzz.") as folder,
            started(Path(folder), settings=_SETTINGS) as switch,
        ):
            switch.epmd.stop()
            if not switch.wait_until_registered():
                raise TrialError("the node's own epmd did not take over")
            with Watcher(switch, Path(folder) / "watcher") as watcher:
                before, after = _fuzz(switch, watcher, seed, options, report)
    except (TrialError, ScratchError, EpmdError, BenchError) as error:
        print(f"not tried to the end: {error}", file=sys.stderr)
        return 2
    tables = report.tables(before, after)
    print(tables)
    for fault in report.faults:
        print(f"FAILED: {fault}")
    if options.publish:
        publish(tables, report.faults, options.minutes, seed)
    return 1 if report.faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Broken bytes for a node in a real FreeSWITCH.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, help="what all that is sent is made of; one by chance when not given")
    parser.add_argument("--only", type=int, metavar="ROUND", help="repeat this one")
    parser.add_argument("--publish", action="store_true", help="write the tables to docs/trials/fuzz.md")
    return parser.parse_args()


def _fuzz(
    switch: Switch, watcher: Watcher, seed: int, options: argparse.Namespace, report: Report
) -> tuple[Usage, Usage | None]:
    """What the switch had taken before, and afterwards; None when it has ended."""
    os.nice(10)  # what is tried is the switch, not how little processor time it can do with
    rounds, log, waits = Rounds(switch, seed), Log(switch), Waits(switch.pid)
    if options.only is None:
        _warm_up(switch, seed)
    _keep_calls(switch)
    before = _settled(switch, None)
    watcher.take()
    end = time.monotonic() + 60 * options.minutes
    told = looked = time.monotonic()
    number = options.only or 0
    while time.monotonic() < end and switch.scratch.alive:
        _one(rounds, number, report)
        number += 1
        if options.only is not None:
            break
        now = time.monotonic()
        if now - looked > 1:
            looked = now
            slowest = report.see(watcher.take(), waits.take(), number)
            _look(log, number, report)
            if now - told > 10 and switch.scratch.alive:
                told = now
                _keep_calls(switch)
                print(f"round {number:,}: {report.frames:,} frames, others within {slowest * 1000:.0f} ms", flush=True)
    if not switch.scratch.alive:
        report.crashes += 1
        report.faults.append(f"FreeSWITCH ended around round {number}, exit code {switch.scratch.wait()}")
        return before, None
    report.see(watcher.finish(), waits.take(), number)
    after = _settled(switch, before)
    _look(log, number, report)
    report.judge(before, after)
    return before, after


def _look(log: Log, number: int, report: Report) -> None:
    found = log.faults()
    report.lines = log.lines
    report.tracebacks += len(found)
    report.faults += [f"around round {number}: {line}" for line in found]


def _warm_up(switch: Switch, seed: int) -> None:
    """What is made once, and remembered, is no growth: as many workers as there can be, names, code."""
    with Client(switch.port, to=switch.name, cookie=COOKIE) as client:
        for _ in range(WORKERS):
            client.send((Atom("bgapi"), Atom("msleep"), b"500"))
        for _ in range(2 * WORKERS):
            client.answer()
    for number in range(500):
        _one(Rounds(switch, seed + 1), number, Report())


def _one(rounds: Rounds, number: int, report: Report) -> None:
    try:
        report.add(rounds.run(number))
    except Fault as fault:
        report.faults.append(f"round {number}: {fault}")
    except OSError as error:
        report.faults.append(f"round {number}: {error!r}")


def _keep_calls(switch: Switch) -> None:
    """The calls that are asked for by name; some requests end them."""
    for uuid in CALLS:
        if switch.fs_cli(f"uuid_exists {uuid}") == "false":
            switch.fs_cli(f"originate {{origination_uuid={uuid}}}null/1 &park()")


def _settled(switch: Switch, before: Usage | None) -> Usage:
    """What it has taken, once no connection is left but the others', or, with before, no more than then."""
    wait_until(lambda: "fuzz" not in switch.fs_cli("erlang listeners"), SETTLING)
    if before is not None:
        wait_until(lambda: switch.usage().threads <= before.threads, SETTLING)
        wait_until(lambda: switch.usage().descriptors <= before.descriptors, SETTLING)
    return switch.usage()


if __name__ == "__main__":
    sys.exit(main())
