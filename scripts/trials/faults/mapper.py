"""epmd is gone, hangs, or lies. Links that are up do without it."""

from __future__ import annotations

import os
import signal
import time

from scripts.trials.faults.fault import Fault, Trial
from scripts.trials.faults.lying_epmd import Lie, LyingEpmd
from scripts.trials.switch import wait_until

_CONNECT_SECONDS = 15.0
"""That `erlang connect` may take, whatever epmd does: twice 5 s, and a bit."""


def _connect_in_vain(trial: Trial) -> None:
    """It says within its time that it cannot."""
    began = time.monotonic()
    answer = trial.switch.fs_cli("erlang connect liar@localhost", timeout=60)
    trial.check(answer.startswith("-ERR"), f"a connection to nobody: {answer}")
    took = time.monotonic() - began
    trial.check(took < _CONNECT_SECONDS, f"erlang connect took {took:.0f} s")


def _gone(trial: Trial) -> int:
    tries = trial.tries(3)
    for _ in range(tries):
        trial.switch.epmd.stop()
        _connect_in_vain(trial)
        trial.others_for(2)
        trial.switch.epmd.start()
        trial.check(trial.switch.wait_until_registered(), "it does not register again")
    return tries


def _for_good(trial: Trial) -> int:
    """The node's own takes its place, and gives it back."""
    trial.switch.epmd.stop()
    trial.check(trial.switch.wait_until_registered(), "the built-in one does not take over")
    with trial.victim() as victim:
        trial.check(victim.busy(5) == 5, "a node that registers with the built-in one gets no calls")
        victim.hang_up()
        trial.all_came(victim.quiet())
    return 1


def _hangs(trial: Trial) -> int:
    tries = trial.tries(2)
    for _ in range(tries):
        os.kill(trial.switch.epmd.pid, signal.SIGSTOP)
        try:
            _connect_in_vain(trial)
        finally:
            os.kill(trial.switch.epmd.pid, signal.SIGCONT)
    return tries


def _lies(trial: Trial) -> int:
    for lie in Lie:
        trial.switch.epmd.stop()
        port = trial.switch.epmd_port
        if not wait_until(lambda: _lied(trial, port, lie), 10):  # noqa: B023
            trial.check(False, f"nobody could lie: {lie.value}")
        trial.switch.epmd.start()
        trial.check(trial.switch.wait_until_registered(), f"it does not register again: {lie.value}")
    return len(Lie)


def _lied(trial: Trial, port: int, lie: Lie) -> bool:
    """Whether the port was to be had."""
    try:
        with LyingEpmd(port, lie, trial.switch.port):
            _connect_in_vain(trial)
    except OSError:
        return False
    return True


_EXTERNAL, _BUILTIN = {"epmd": "external"}, {"epmd": "builtin"}

FAULTS = (
    Fault("epmd-gone", "epmd gone", _gone, settings=_EXTERNAL),
    Fault("epmd-for-good", "epmd gone for good, the built-in one in its place", _for_good, keeps=8, settings=_BUILTIN),
    Fault("epmd-hangs", "epmd hung (SIGSTOP)", _hangs, settings=_EXTERNAL),
    Fault("epmd-lies", "epmd lying, in nine ways", _lies, settings=_EXTERNAL),
)
