"""No pip is run, no compiler, and no fs_cli."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from scripts import extension, fs_cli, install, libraries, preflight
from scripts.folders import InstallError
from scripts.install import ROOT
from tests.install.target import FakeFsCli, Target


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> FakeFsCli:
    switch = FakeFsCli()
    monkeypatch.setattr(fs_cli, "of", lambda options: switch)
    return switch


@pytest.fixture
def target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, switch: FakeFsCli
) -> Target:
    """Nobody has the port of the configuration."""

    def no_pip(python: str, target: Path, extras: Sequence[str], wheels: Path | None) -> None:
        target.mkdir()
        for extra in extras:
            (target / libraries.EXTRAS[extra]).mkdir()
            (target / libraries.EXTRAS[extra] / "__init__.py").touch()

    def no_compiler(python: str, package: Path) -> Path:
        raise InstallError("no C compiler (cc)")

    monkeypatch.setattr(libraries, "fetch", no_pip)
    monkeypatch.setattr(extension, "build", no_compiler)
    monkeypatch.setattr(install, "_check", lambda python, packages: None)
    monkeypatch.setattr(preflight, "port_taken", lambda erlang_event, silence: None)
    return Target(tmp_path, capsys, switch)


@pytest.fixture
def umask() -> Iterator[None]:
    """As on a machine that is meant to be safe."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.fixture
def tree_for_everybody() -> Iterator[Path]:
    """A copy of what installs, which any user can read."""
    with tempfile.TemporaryDirectory(prefix="erlang_py_test.") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        for name in ("scripts", "mod_erlang_py", "conf", "requirements"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        yield folder
