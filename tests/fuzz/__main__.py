"""`make fuzz`: looks for what else the targets may be given, by atheris, for some minutes; what it found is written as
lines for corpus/."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

MAX_LENGTH = 512
"""Bytes of an input."""
SECONDS = 10
"""That one may take."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz what takes bytes of strangers.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all when not given")
    parser.add_argument("--minutes", type=float, default=5.0, help="for all of them together")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--keep", action="store_true", help="write to the corpora what reaches code that they do not")
    options = parser.parse_args()
    if unknown := [one for one in options.targets if one not in TARGETS]:
        parser.error(f"no target: {', '.join(unknown)}")
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (pip install 'atheris>=2.3,<4'): nothing is looked for", file=sys.stderr)
        return 2
    targets = options.targets or list(TARGETS)
    seconds = max(1, int(60 * options.minutes / len(targets)))
    return max([_fuzz(target, seconds, options.seed, options.keep) for target in targets])


def _fuzz(target: str, seconds: int, seed: int, keep: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="fuzz.") as temporary:
        found, known = (Path(temporary, name) for name in ("found", "known"))
        for folder in (found, known):
            folder.mkdir()
        for number, data in enumerate(corpus.read(target)):
            (known / str(number)).write_bytes(data)
        limits = [f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-max_len={MAX_LENGTH}", f"-seed={seed}"]
        said = _run(target, [*limits, f"-artifact_prefix={temporary}/", str(found), str(known)])
        failed = [one for one in Path(temporary).iterdir() if one.is_file()]
        print(f"{target}: {_count(said)} inputs in {seconds} s, {len(failed)} found", flush=True)
        for one in failed:
            print(f"{said[-3000:]}\n{one.name}: a line for {corpus.file_of(target)}:\n{one.read_bytes().hex()}")
        if keep:
            added = corpus.add(target, (one.read_bytes() for one in found.iterdir()))
            print(f"{target}: {added} more in the corpus", flush=True)
        return 1 if failed or "Done " not in said else 0


def _run(target: str, arguments: Sequence[str]) -> str:
    """What it printed. In a process of its own, since libFuzzer ends it."""
    command = [sys.executable, "-m", "tests.fuzz.look", target, *arguments]
    environment = os.environ | {"PYTHONPATH": str(corpus.FOLDER.parents[2])}
    return subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment).stderr


def _count(said: str) -> str:
    """Of `Done 12345 runs in 60 second(s)`."""
    return next((line.split()[1] for line in said.splitlines() if line.startswith("Done ")), "some")


if __name__ == "__main__":
    sys.exit(main())
