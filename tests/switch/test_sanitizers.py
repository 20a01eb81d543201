"""The compiled source's tests, with its C watched by AddressSanitizer, by ThreadSanitizer and by valgrind.

Of what they find, that counts in which our C has a part: Python itself is not compiled for them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
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
IN_THREADS = "everywhere or everything_at_once or wish_changes or wake"
"""Tests of many threads: ThreadSanitizer's, of which valgrind would run one at a time, for minutes."""
OURS = ("_compiled.c", "_events.h", "stand_in.c")


@pytest.mark.parametrize("sanitizer", OPTIONS)
@pytest.mark.timeout(600)
def test_the_sanitizers_find_nothing(sanitizer: str, tmp_path: Path) -> None:
    runtime = Path(_said("cc", f"-print-file-name=lib{sanitizer[0]}san.so").strip())
    if not runtime.is_absolute():
        pytest.skip(f"no {runtime}")
    flags = ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={sanitizer}"]
    _build(tmp_path, flags)
    found = _run([], tmp_path, OPTIONS[sanitizer] | {"LD_PRELOAD": str(runtime)})
    reports = [report for report in found.split("\n\n") if any(f"{ours}:" in report for ours in OURS)]
    assert reports == [], "\n\n".join(reports)


@pytest.mark.timeout(600)
def test_valgrind_is_quiet(tmp_path: Path) -> None:
    """What is read before it was written or after it was freed, and what nobody can free any more."""
    if shutil.which("valgrind") is None:
        pytest.skip("no valgrind")
    _build(tmp_path, ["-O1", "-g"])
    log = tmp_path / "valgrind.xml"
    watched = ["valgrind", "--xml=yes", f"--xml-file={log}", "--leak-check=full", "--show-leak-kinds=definite"]
    _run([*watched, "--num-callers=40"], tmp_path, {"PYTHONMALLOC": "malloc"}, "-k", f"not ({IN_THREADS})")
    errors = [error for error in ET.parse(log).iter("error") if any(file.text in OURS for file in error.iter("file"))]
    assert errors == [], "\n\n".join(map(_told, errors))


def _told(error: ET.Element) -> str:
    """In lines."""
    frames = [[frame.findtext(part, "?") for part in ("fn", "file", "line")] for frame in error.iter("frame")]
    return "\n".join([error.findtext("kind", "?"), *(f"    {name} ({file}:{line})" for name, file, line in frames)])


def _build(folder: Path, flags: Sequence[str]) -> None:
    """Ours, and the stand-in."""
    (folder / "package" / extension.FOLDER).mkdir(parents=True)
    try:
        made = extension.build(sys.executable, folder / "package", flags, check=False)
    except InstallError as error:
        pytest.skip(str(error))
    made.rename(folder / made.name)
    build_stand_in(folder, flags)


def _run(watched: Sequence[str], built: Path, environment: Mapping[str, str], *chosen: str) -> str:
    """What was printed by the tests, which pass."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "--capture=sys", "--hypothesis-profile=few"]
    command = [*watched, sys.executable, "-m", "pytest", *options, *chosen, TESTS]
    with_ours = os.environ | environment | {FOLDER: str(built)}
    done = subprocess.run(command, cwd=ROOT, env=with_ours, capture_output=True, text=True, timeout=570)
    found = done.stdout + done.stderr
    assert done.returncode == 0, found[-4000:]
    return found


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except OSError as error:
        pytest.skip(str(error))
