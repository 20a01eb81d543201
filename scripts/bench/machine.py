"""What it ran on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.bench.results import Machine
from scripts.bench.switch import environment
from scripts.install import ROOT
from scripts.scratch import FreeSwitch

BUSY = 0.7
"""The load average from which on the figures are not to be trusted."""
_OTP = "io:put_chars(erlang:system_info(otp_release)), halt()."


def load() -> float:
    return os.getloadavg()[0]


def described(found: FreeSwitch, load_before: float) -> Machine:
    switch = _output([str(found.binary), "-version"])
    return Machine(
        processors=os.cpu_count() or 1,
        model=_processor(),
        kernel=platform.release(),
        versions={
            "FreeSWITCH": (switch.split() + ["?"] * 3)[2].partition("+")[0],
            "Python": _output([found.python, "--version"]).removeprefix("Python "),
            "OTP": _output(["erl", "-noshell", "-eval", _OTP]),
        },
        preloaded=" ".join(map("=".join, environment().items())),
        commit=_output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"]),
        load=(load_before, load()),
    )


def told(machine: Machine) -> str:
    """In a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"{machine.processors} processors ({machine.model}), Linux {machine.kernel}, {versions}; "
        f"each FreeSWITCH with {machine.preloaded}; commit {machine.commit}"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _output(command: Sequence[str]) -> str:
    """Of a program that may be missing or fail: then "?"."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except OSError:
        return "?"
    return done.stdout.strip() if done.returncode == 0 else "?"
