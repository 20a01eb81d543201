"""What each target is tried with: a text file for each, corpus/TARGET.txt, with an input a line, in hexadecimal.

What stands behind a # says what it is; a line may have nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")


def file_of(target: str) -> Path:
    return FOLDER / f"{target}.txt"


def read(target: str) -> list[bytes]:
    lines = (line.partition("#")[0].strip() for line in file_of(target).read_text().splitlines())
    return [bytes.fromhex(line) for line in lines if line]


def add(target: str, inputs: Iterable[bytes]) -> int:
    """Those that it does not have yet, the shortest first; how many they were."""
    known = set(read(target))
    new = sorted({one for one in inputs if one and one not in known}, key=lambda one: (len(one), one))
    with file_of(target).open("a") as file:
        file.writelines(f"{one.hex()}\n" for one in new)
    return len(new)
