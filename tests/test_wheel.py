"""The wheel, built by pip without a network: with the compiled event source, and without."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest

from scripts import extension
from scripts.epmd import Epmd, wait_until_registered
from scripts.install import PACKAGES, ROOT
from scripts.scratch import FreeSwitch, ScratchFreeSwitch, find_freeswitch, free_port
from tests.compiled import MODULE, missing

SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "mod_erlang_py", "scripts")
C = f"mod_erlang_py/{extension.FOLDER / extension.SOURCE.name}"
H = f"mod_erlang_py/{extension.FOLDER / extension.HEADER.name}"
SO = f"mod_erlang_py/{extension.FOLDER / extension.NAME}"
COMPILED = f"cp310-abi3-linux_{platform.machine()}.whl"
FOR_EVERY_MACHINE = "py3-none-any.whl"
NO_COMPILER = "no C compiler (none-such)"

installed = next(iter(metadata.distributions(name="setuptools")), None)
if installed is None or int(installed.version.partition(".")[0]) < 77:
    pytest.skip("no setuptools 77 to build with", allow_module_level=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, in which each build finds what the one before left."""
    folder = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the compiled event source."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("wheel")
    code, printed = build(sources, folder)
    assert code == 0, printed
    return only(folder)


def pip(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pip", *map(str, arguments)]
    settings = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        command, env=os.environ | settings | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def build(sources: Path, folder: Path, **environment: str) -> tuple[int, str]:
    return pip("wheel", "-v", "--no-build-isolation", "--no-deps", "-w", folder, sources, **environment)


def only(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_it_carries_the_compiled_source(wheel: Path, tmp_path: Path) -> None:
    assert wheel.name.endswith(f"-{COMPILED}")
    with ZipFile(wheel) as archive:
        assert {C, H, SO} <= {*archive.namelist()}
        digest = hashlib.sha256(archive.read(C) + archive.read(H)).hexdigest()
        archive.extractall(tmp_path)
    code = f"import sys; sys.path.insert(0, sys.argv[1]); from {MODULE} import SOURCE; print(SOURCE)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == digest, done.stderr


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"CC": "none-such"}, f"left out  the compiled event source, so events cost more: {NO_COMPILER}"),
        ({"EVENT_SOURCE": "python"}, "left out  the compiled event source\n"),
    ],
)
def test_without_it(wheel: Path, sources: Path, tmp_path: Path, environment: dict[str, str], told: str) -> None:
    """The wheel is for every machine, also where another was built before."""
    code, printed = build(sources, tmp_path, **environment)
    assert code == 0, printed
    assert told in printed
    assert only(tmp_path).name.endswith(f"-{FOR_EVERY_MACHINE}")
    with ZipFile(only(tmp_path)) as archive:
        assert C in archive.namelist()
        assert [name for name in archive.namelist() if name.endswith(".so")] == []


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({"CC": "none-such", "EVENT_SOURCE": "compiled"}, NO_COMPILER),
        ({"EVENT_SOURCE": "cython"}, "EVENT_SOURCE='cython': expected auto, compiled, python"),
    ],
)
def test_it_fails(sources: Path, tmp_path: Path, environment: dict[str, str], error: str) -> None:
    code, printed = build(sources, tmp_path, **environment)
    assert code != 0
    assert f"error: {error}\n" in printed
    assert "Traceback" not in printed


def test_the_source_distribution_is_enough(wheel: Path, sources: Path, tmp_path: Path) -> None:
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=sources, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = opened.getnames()
    assert {name for name in names if name.endswith((C, H, ".so"))} == {
        f"{archive.name[:-7]}/{file}" for file in (C, H)
    }
    code_, printed = build(archive, tmp_path / "wheels", EVENT_SOURCE="compiled")
    assert code_ == 0, printed
    assert only(tmp_path / "wheels").name == wheel.name


@pytest.mark.freeswitch
def test_in_a_real_switch(wheel: Path, tmp_path: Path, epmd: Epmd) -> None:
    """As docs/installing.md has it: over what make install put there without a compiler."""
    found = find_freeswitch()
    if not isinstance(found, FreeSwitch):
        pytest.skip(found)
    port = free_port()
    settings = {"listen-ip": "127.0.0.1", "listen-port": str(port), "event-source": "compiled"}
    switch = ScratchFreeSwitch(found, tmp_path, settings=settings, epmd_port=epmd.port)
    packages = switch.script_dir / PACKAGES
    (packages / SO).unlink(missing_ok=True)
    code, printed = pip("install", "--no-deps", "--upgrade", "--target", packages, wheel)
    assert code == 0, printed
    switch.start()
    try:
        assert wait_until_registered("freeswitch", port, epmd.port, lambda: switch.alive, 30), switch.log()[-4000:]
        assert json.loads(switch.fs_cli("erlang status json"))["event_source"] == "compiled"
    finally:
        switch.kill()
