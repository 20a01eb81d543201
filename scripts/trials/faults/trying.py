"""How a fault is tried: others' traffic before, while and after it; then whether everything works again by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from mod_erlang_py.errors import HandshakeError
from mod_erlang_py.etf import Atom
from scripts.bench.errors import BenchError
from scripts.epmd import EpmdError
from scripts.scratch import ScratchError
from scripts.trials.faults.fault import Fault, Trial
from scripts.trials.faults.row import Row
from scripts.trials.limits import NoLimit
from scripts.trials.switch import Switch, TrialError, started, wait_until
from scripts.trials.usage import Usage
from scripts.trials.watcher import TRAFFIC, Watched, Watcher

SECONDS = 180
"""That a fault may take, with its switch."""
AGAIN_SECONDS = 30.0
"""From the end of a fault until everything is to work."""
MORE = 5
"""Threads, and descriptors, that may be there afterwards: others have calls, which have threads and timers."""
_ROUNDS = 3
_JOBS = 64
"""At a time: more than any fault has. Their threads stay for the next ones."""


def attempt(fault: Fault, folder: Path, shared: Path, quick: bool) -> Row:
    """folder: of its own. shared: as for ScratchFreeSwitch. Raises nothing that the fault may bring about: that is a
    failure of its row. For the main thread."""
    folder.mkdir()
    try:
        with ExitStack() as stack, _deadline(SECONDS):
            files = stack.enter_context(fault.room(folder))
            switch = stack.enter_context(started(folder, settings=fault.settings, files=files, shared=shared))
            return _attempt(fault, Trial(switch, folder, stack, quick))
    except NoLimit as error:
        return _row(fault, skipped=str(error))
    except (
        TrialError,
        BenchError,
        EpmdError,
        ScratchError,
        HandshakeError,
        OSError,
        subprocess.CalledProcessError,
    ) as error:
        return _row(fault, failures=(f"{type(error).__name__}: {error}"[:300],))


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    """Raises TrialError in the block when it takes longer. For the main thread."""

    def over(_signal: int, _frame: object) -> NoReturn:
        raise TrialError(f"not over in {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _row(fault: Fault, failures: tuple[str, ...] = (), skipped: str | None = None) -> Row:
    return Row(fault.name, fault.title, 0, None, fault.allowed, fault.refuses, None, None, None, failures, skipped)


def _attempt(fault: Fault, trial: Trial) -> Row:
    switch = trial.switch
    with Watcher(switch, trial.folder) as watcher:
        _warm(trial)
        _until_each_did(watcher, _ROUNDS)
        watcher.take()
        before = switch.usage()
        tries = fault.inflict(trial)
        began = time.monotonic()
        seen, served = _until_each_did(watcher, _ROUNDS)
        again = time.monotonic() - began if served and _works(trial, watcher) else None
        after = _settled(switch, before)
        seen += watcher.finish()
    trial.check(switch.tracebacks() == 0, f"{switch.tracebacks()} tracebacks in the log")
    trial.check(switch.scratch.alive, "the switch is gone")
    trial.check(after.threads <= before.threads + MORE, f"{after.threads - before.threads} more threads")
    more = after.descriptors - before.descriptors
    trial.check(more <= MORE + fault.keeps, f"{more} more descriptors")
    return Row(
        fault.name,
        fault.title,
        tries,
        seen,
        fault.allowed,
        fault.refuses,
        again,
        before,
        after,
        tuple(trial.failures),
    )


def _warm(trial: Trial) -> None:
    """What is made once, and kept, is there before it is counted: threads for jobs, the victim's program."""
    with trial.victim() as victim:
        victim.busy(60)
        victim.hang_up()
    with trial.client("warm") as client:
        for _ in range(_JOBS):
            client.send((Atom("bgapi"), Atom("msleep"), b"500"))
        for _ in range(2 * _JOBS):
            client.receive()


def _until_each_did(watcher: Watcher, rounds: int) -> tuple[Watched, bool]:
    """What was seen until the others had done each kind of their work so often; whether they had."""
    before = watcher.take()
    fresh = watcher.take()
    deadline = time.monotonic() + AGAIN_SECONDS
    while any(fresh.seen[kind].done < rounds for kind in TRAFFIC):
        if time.monotonic() > deadline:
            return before + fresh, False
        time.sleep(0.02)
        fresh += watcher.take()
    return before + fresh, True


def _works(trial: Trial, watcher: Watcher) -> bool:
    """Whether all that a node does is done again: it stands in epmd, has its threads, can be reached and can reach."""
    switch = trial.switch
    return all(
        _told(trial, name, check)
        for name, check in (
            ("it does not stand in epmd", lambda: switch.wait_until_registered(AGAIN_SECONDS)),
            ("erlang status has a warning", lambda: wait_until(lambda: not _warnings(switch), AGAIN_SECONDS)),
            ("a new node is not answered", lambda: wait_until(lambda: _answers(trial), AGAIN_SECONDS)),
            ("it does not connect to a node", lambda: wait_until(lambda: _connects(trial), AGAIN_SECONDS)),
        )
    )


def _told(trial: Trial, name: str, check: Callable[[], bool]) -> bool:
    found = check()
    trial.check(found, name)
    return found


def _warnings(switch: Switch) -> list[str]:
    found: list[str] = json.loads(switch.fs_cli("erlang status json"))["warnings"]
    return found


def _answers(trial: Trial) -> bool:
    try:
        with trial.client("fresh") as client:
            client.send((Atom("api"), Atom("echo"), b"hello"))
            return bool(client.answer() == (Atom("ok"), b"hello"))
    except (HandshakeError, OSError):
        return False


def _connects(trial: Trial) -> bool:
    with trial.victim() as late:
        return trial.switch.fs_cli(f"erlang connect {late.name}").startswith("+OK")


def _settled(switch: Switch, before: Usage) -> Usage:
    """What it has when nothing more goes away, or when it has no more than before."""
    wait_until(
        lambda: switch.usage().threads <= before.threads and switch.usage().descriptors <= before.descriptors,
        AGAIN_SECONDS / 2,
    )
    return switch.usage()
