"""The compiled source's tests, with its C watched by AddressSanitizer and by ThreadSanitizer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import extension
from scripts.folders import InstallError
from tests.compiled import FOLDER, build_stand_in

ROOT = extension.ROOT
TESTS = "tests/switch/test_compiled_source.py"
OPTIONS = {
    "address": {"ASAN_OPTIONS": "detect_leaks=1:exitcode=0", "PYTHONMALLOC": "malloc"},
    "thread": {"TSAN_OPTIONS": "exitcode=0:report_signal_unsafe=0"},
}
OURS = ("_compiled.c", "_events.h", "stand_in.c")


@pytest.mark.parametrize("sanitizer", OPTIONS)
@pytest.mark.timeout(600)
def test_nothing_is_found(sanitizer: str, tmp_path: Path) -> None:
    """Of what the sanitizer finds, that in which our C has a part: Python itself is not compiled for it."""
    runtime = Path(_said("cc", f"-print-file-name=lib{sanitizer[0]}san.so").strip())
    if not runtime.is_absolute():
        pytest.skip(f"no {runtime}")
    flags = ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={sanitizer}"]
    (tmp_path / "package" / extension.FOLDER).mkdir(parents=True)
    try:
        made = extension.build(sys.executable, tmp_path / "package", flags, check=False)
    except InstallError as error:
        pytest.skip(str(error))
    made.rename(tmp_path / made.name)
    build_stand_in(tmp_path, flags)
    environment = os.environ | OPTIONS[sanitizer] | {"LD_PRELOAD": str(runtime), FOLDER: str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--capture=sys", TESTS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=570)
    found = done.stdout + done.stderr
    assert done.returncode == 0, found[-4000:]
    reports = [report for report in found.split("\n\n") if any(f"{ours}:" in report for ours in OURS)]
    assert reports == [], "\n\n".join(reports)


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except OSError as error:
        pytest.skip(str(error))
