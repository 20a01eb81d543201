"""The compiled event source, built for an interpreter: it needs a C compiler and Python's headers, and nothing of
FreeSWITCH's.

python -m scripts.extension [--python PYTHON] [FOLDER]     of the package; else the one beside scripts/
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.folders import InstallError

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("switch/freeswitch/source")
SOURCE = ROOT / "mod_erlang_py" / FOLDER / "_compiled.c"
HEADER = SOURCE.with_name("_events.h")
NAME = "_compiled.abi3.so"
IMPORT = """
import importlib.util, sys
sys.path.insert(0, sys.argv[1])
spec = importlib.util.spec_from_file_location("_compiled", sys.argv[2])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
"""
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-fPIC", "-fvisibility=hidden", "-pthread", "-shared")

AUTO, COMPILED, PYTHON = CHOICES = ("auto", "compiled", "python")


def told(python: str, package: Path, event_source: str) -> str:
    """Build it into a package that is being installed; the line that says what came of it. Raises InstallError when it
    was asked for, or event_source is none of CHOICES."""
    if event_source not in CHOICES:
        raise InstallError(f"EVENT_SOURCE={event_source!r}: expected {', '.join(CHOICES)}")
    if event_source == PYTHON:
        return "left out  the compiled event source"
    try:
        return f"compiled  {build(python, package).name}, the event source in C"
    except InstallError as error:
        if event_source == COMPILED:
            raise
        return f"left out  the compiled event source, so events cost more: {error}"


def is_fresh(package: Path) -> bool:
    """Whether it was built there, from what the source is now."""
    target = package / FOLDER / NAME
    return target.exists() and target.stat().st_mtime >= max(file.stat().st_mtime for file in (SOURCE, HEADER))


def build(python: str, package: Path, flags: Sequence[str] = ("-O2",), check: bool = True) -> Path:
    """Raises InstallError, which says why it could not be built or, with `check`, imported by that interpreter."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        raise InstallError(f"no C compiler ({compiler[0]})")
    include = _run([python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"], python).strip()
    if not (Path(include) / "Python.h").is_file():
        raise InstallError(f"no {include}/Python.h: apt-get install python3-dev")
    target = package / FOLDER / NAME
    with tempfile.TemporaryDirectory(prefix=".compiled.", dir=target.parent) as temporary:
        made = Path(temporary) / NAME
        digest = hashlib.sha256(SOURCE.read_bytes() + HEADER.read_bytes()).hexdigest()
        defined = [f'-DSOURCE="{digest}"', f"-I{include}"]
        _run([*compiler, *FLAGS, *flags, *defined, str(SOURCE), "-o", str(made)], compiler[0])
        made.replace(target)  # whole: another may be importing the one before
    if not check:
        return target
    try:
        _run([python, "-B", "-c", IMPORT, str(package.parent), str(target)], f"{python} cannot import it")
    except InstallError:
        target.unlink()
        raise
    return target


def _run(command: Sequence[str], what: str) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{what}: {error}") from None
    if done.returncode:
        raise InstallError(f"{what}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the compiled event source.")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "mod_erlang_py")
    options = parser.parse_args()
    try:
        print(build(options.python, options.folder))
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
