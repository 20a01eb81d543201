"""Nodes that die, or are frozen, with calls, look-ups, log lines, events and requests under way."""

from __future__ import annotations

from mod_erlang_py.etf import Atom
from scripts.trials.faults.fault import Fault, Trial

CALLS = 30


def _killed(trial: Trial) -> int:
    """SIGKILL; its calls are let go."""
    tries = trial.tries(10)
    for _ in range(tries):
        with trial.victim() as victim:
            trial.check(victim.busy(CALLS) == CALLS, "the victim did not get its calls")
            victim.kill()
        trial.calls_let_go()
    return tries


def _stopped(trial: Trial) -> int:
    """SIGSTOP, for less than net-ticktime, while its calls end; all is told when it goes on."""
    tries = trial.tries(4)
    for _ in range(tries):
        with trial.victim() as victim:
            trial.check(victim.busy(CALLS) == CALLS, "the victim did not get its calls")
            victim.stop()
            for uuid in trial.calls_of(victim):
                trial.switch.fs_cli(f"uuid_kill {uuid}")
            trial.others_for(3)
            victim.resume()
            victim.hang_up()
            trial.all_came(victim.quiet())
    return tries


def _stopped_for_good(trial: Trial) -> int:
    """SIGSTOP for longer than net-ticktime: the link ends, its calls are let go; when it goes on it can come back."""
    tries = trial.tries(3)
    for _ in range(tries):
        with trial.victim() as victim:
            trial.check(victim.busy(CALLS) == CALLS, "the victim did not get its calls")
            victim.stop()
            gone = victim.name
            trial.until(lambda: gone not in trial.switch.fs_cli("erlang listeners"), 20, "the dead link stays")  # noqa: B023
            trial.calls_let_go()
            victim.resume()
            victim.reach()
            trial.check(victim.busy(CALLS) == CALLS, "the victim did not get calls when it was back")
            victim.hang_up()
            trial.all_came(victim.quiet())
    return tries


def _rounds(trial: Trial, count: int) -> None:
    """So many nodes, one after the other, each of which asks something, and goes: with its answer, without, or after it
    has wanted events."""
    for number in range(count):
        with trial.client(f"round{number}") as client:
            client.send((Atom("api"), Atom("echo"), b"hello"))
            if number % 3 == 0:
                trial.check(client.answer() == (Atom("ok"), b"hello"), f"no answer in round {number}")
            elif number % 3 == 1:
                client.send(Atom("register_event_handler"))
                client.send((Atom("event"), Atom("ALL")))


def _come_and_go(trial: Trial) -> int:
    """Links that ask something and close, by turns before and after the answer; and a node of OTP."""
    tries = trial.tries(1000)
    _rounds(trial, tries)
    with trial.victim() as victim:
        for _ in range(trial.tries(100)):
            victim.reach()
            victim.leave()
    return tries + trial.tries(100)


FAULTS = (
    Fault("kill", "kill -9 of a node with 30 calls and all else under way", _killed),
    Fault("stop", "SIGSTOP of such a node for 3 s, while its calls end", _stopped, allowed=6.0),
    Fault(
        "stop-for-good",
        "SIGSTOP of such a node until its link ends (net-ticktime)",
        _stopped_for_good,
        allowed=6.0,
        settings={"net-ticktime": "4"},
    ),
    Fault("come-and-go", "1,000 connects and disconnects, and 100 of a node of OTP", _come_and_go),
)
