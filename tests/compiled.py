"""The compiled event source for the tests: that of the tree, or the one that the environment names; and the stand-in of
FreeSWITCH (switch/stand_in.c) that it can be tried with."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from scripts import extension
from scripts.folders import InstallError

PACKAGE = extension.ROOT / "mod_erlang_py"
MODULE = "mod_erlang_py.switch.freeswitch.source._compiled"
FOLDER = "COMPILED_SOURCE"
"""In the environment: a folder with both, built in another way."""


@cache
def missing() -> str | None:
    """Why it could not be built, where it could not. Inside FreeSWITCH it is built already."""
    if FOLDER in os.environ:
        _import(Path(os.environ[FOLDER]) / extension.NAME)
    elif not extension.is_fresh(PACKAGE):
        try:
            extension.build(sys.executable, PACKAGE)
        except InstallError as error:
            return f"no compiled event source: {error}"
    return None


def _import(file: Path) -> None:
    spec = importlib.util.spec_from_file_location(MODULE, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[MODULE] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def build_stand_in(folder: Path, flags: Sequence[str] = ("-O2",)) -> Path:
    made = folder / "stand_in.so"
    source = Path(__file__).parent / "switch" / "stand_in.c"
    subprocess.run(["cc", "-Wall", "-fPIC", "-shared", "-pthread", *flags, str(source), "-o", str(made)], check=True)
    return made


@cache
def load_stand_in() -> ctypes.CDLL:
    """As FreeSWITCH's library is loaded: what is in it is found in the process. So there is one for all who want it."""
    if FOLDER in os.environ:
        return ctypes.CDLL(str(Path(os.environ[FOLDER]) / "stand_in.so"), ctypes.RTLD_GLOBAL)
    with tempfile.TemporaryDirectory() as folder:
        return ctypes.CDLL(str(build_stand_in(Path(folder))), ctypes.RTLD_GLOBAL)
