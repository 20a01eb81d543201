"""What the package needs, in the versions and with the hashes of requirements/: taken by pip into a folder.

python -m scripts.libraries [--python PYTHON] FOLDER
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.folders import InstallError

LOCKS = Path(__file__).resolve().parent.parent / "requirements"
"""Made by `make lock`: runtime.txt, a file for each extra, and build.txt: erlang-py has no wheel."""
EXTRAS = {"prometheus": "prometheus_client"}
"""Extras of the package -> what they bring."""


def fetch(python: str, target: Path, extras: Sequence[str] = (), wheels: Path | None = None) -> None:
    """Put them there, for that interpreter. Raises InstallError.

    wheels: a folder that has them, as `pip download` fills it; then no index is asked.
    """
    with tempfile.TemporaryDirectory(prefix="erlang_py_pip.") as temporary:
        install = [*_pip(python, Path(temporary) / "venv"), "install", "--quiet", "--disable-pip-version-check"]
        install += ["--no-input", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        install += ["--no-index", "--find-links", str(wheels)] if wheels else []
        tools = Path(temporary) / "build"
        run([*install, "--target", str(tools), "-r", str(LOCKS / "build.txt")], "pip")
        install += ["--no-binary", "erlang-py", "--use-pep517", "--no-build-isolation"]
        for lock in ("runtime", *extras):
            install += ["-r", str(LOCKS / f"{lock}.txt")]
        run([*install, "--target", str(target)], "pip", {"PYTHONPATH": str(tools)})


def _pip(python: str, venv: Path) -> list[str]:
    """A pip for that interpreter: its own, ours, or one in a venv that goes when this is done."""
    for pip in ([python, "-m", "pip"], [sys.executable, "-m", "pip", "--python", python]):
        if not subprocess.run([*pip, "--version"], stdin=subprocess.DEVNULL, capture_output=True).returncode:
            return pip
    try:
        run([python, "-m", "venv", str(venv)], python)
    except InstallError:
        raise InstallError(f"{python} has neither pip nor venv: apt-get install python3-venv") from None
    return [str(venv / "bin" / "python"), "-m", "pip"]


def run(command: list[str], what: str, environment: Mapping[str, str] | None = None) -> None:
    """Raises InstallError, with what the command said last."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            env=os.environ | (environment or {}),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{what}: {error}") from None
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or [f"exit {done.returncode}"]
        raise InstallError(f"{what}: {errors[-1]}; nothing was installed")


def main() -> int:
    parser = argparse.ArgumentParser(description="Put what mod_erlang_py needs into a folder.")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    try:
        fetch(options.python, options.folder)
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
