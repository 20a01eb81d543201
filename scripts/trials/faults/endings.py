"""The switch, or the node in it, ends with calls, look-ups and requests under way, and begins again."""

from __future__ import annotations

import time
from collections.abc import Callable

from scripts.trials.faults.fault import Fault, Trial
from scripts.trials.faults.victim import Victim

CALLS = 20
_STOP_SECONDS = 25.0
_UNLOAD_SECONDS = 15.0

Stage = Callable[[Trial, Victim], None]
End = Callable[[Trial], None]


def _idle(_trial: Trial, _victim: Victim) -> None:
    pass


def _busy(trial: Trial, victim: Victim) -> None:
    trial.check(victim.busy(CALLS) == CALLS, "the victim did not get its calls")


def _coming(trial: Trial, victim: Victim) -> None:
    trial.check(victim.coming(CALLS) == CALLS, "the victim's calls were not dialled")


def _pending(_trial: Trial, victim: Victim) -> None:
    victim.pending()


def _connecting(_trial: Trial, victim: Victim) -> None:
    victim.reach()


STAGES: tuple[Stage, ...] = (_idle, _connecting, _busy, _coming, _pending)


def _at_each_stage(end: End) -> Callable[[Trial], int]:
    def inflict(trial: Trial) -> int:
        rounds = 1 if trial.quick else 2
        for _ in range(rounds):
            for stage in STAGES:
                with trial.victim() as victim:
                    stage(trial, victim)
                    end(trial)
                    victim.reach()
                    if stage is _coming:
                        victim.gone()
                    if stage in (_busy, _coming, _pending):
                        victim.quiet()
                        trial.all_came(victim.hang_up(), link_lost=True)
        return rounds * len(STAGES)

    return inflict


def _shutdown(trial: Trial) -> None:
    """Nobody dials in that moment: FreeSWITCH aborts when it hangs up a call that mod_loopback is making.

    docs/trials/faults.md has the particulars.
    """
    trial.switch.fs_cli("fsctl pause outbound")
    began = time.monotonic()
    code = trial.switch.scratch.stop()
    took = time.monotonic() - began
    said = (trial.switch.folder / "log" / "stdout").read_text(errors="replace")[-300:]
    trial.check(code == 0, f"FreeSWITCH ended with exit code {code}: {' '.join(said.split())}")
    trial.check(took < _STOP_SECONDS, f"the shutdown took {took:.0f} s")
    trial.switch.scratch.start()
    trial.switch.ready()


def _unload(trial: Trial) -> None:
    _within(trial, "unload mod_erlang_py", "+OK")
    _within(trial, "pyrun erlang_py", "")
    trial.check(trial.switch.wait_until_registered(), "it did not start again")


def _reload(trial: Trial) -> None:
    _within(trial, "reload mod_erlang_py", "")
    trial.check(trial.switch.wait_until_registered(), "it did not start again")


def _within(trial: Trial, command: str, expected: str) -> None:
    began = time.monotonic()
    answer = trial.switch.fs_cli(command, timeout=60)
    took = time.monotonic() - began
    trial.check(expected in answer, f"{command}: {answer}")
    trial.check(took < _UNLOAD_SECONDS, f"{command} took {took:.0f} s")


def _fault(name: str, title: str, end: End) -> Fault:
    """Who asks meanwhile waits for what still ends, and may be refused: FreeSWITCH unloads its modules one by one."""
    return Fault(name, title, _at_each_stage(end), allowed=5.0, refuses=True)


FAULTS = (
    _fault("shutdown", "FreeSWITCH shut down and started, at each stage", _shutdown),
    _fault("unload", "`unload mod_erlang_py`, `pyrun erlang_py`, at each stage", _unload),
    _fault("reload", "`reload mod_erlang_py`, at each stage", _reload),
)
