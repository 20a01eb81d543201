"""What runs inside the measured FreeSWITCH."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SCRIPT = "bench_inside"
_HERE = Path(__file__).parent


def library(folder: Path) -> Path | str:
    """bench_inside.c, compiled into the folder; else what it lacks, in a few words."""
    made = folder / f"{SCRIPT}.so"
    if made.exists():
        return made
    compiler = shutil.which("cc")
    if compiler is None:
        return "no C compiler (cc)"
    source = _HERE / f"{SCRIPT}.c"
    flags = ["-O2", "-D_GNU_SOURCE", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(made), str(source)], check=True)
    return made


def install(script_dir: Path) -> None:
    """The script that `pyrun` runs."""
    shutil.copy(_HERE / f"{SCRIPT}.py", script_dir)


def fire(
    library: Path,
    count: int,
    rate: int = 0,
    headers: int = 75,
    *,
    name: str = "CUSTOM",
    subclass: str = "erlang_py::bench",
    uuid: str = "-",
) -> str:
    """What has events fired, behind `pyrun` or `python`; see bench_inside.py."""
    return f"{SCRIPT} {library} bench_fire {name} {subclass} {uuid} {count} {rate} {headers}"


def log(library: Path, count: int, rate: int = 0) -> str:
    """What has log lines written."""
    return f"{SCRIPT} {library} bench_log {count} {rate}"
