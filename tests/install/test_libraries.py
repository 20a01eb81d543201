"""The libraries that `make install` brings: what is pinned, and pip, where there is one."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import install, libraries, preflight
from scripts.folders import InstallError
from tests.install.target import Target


def locked(name: str) -> dict[str, tuple[str, int]]:
    """project -> (version, number of hashes) in a file of requirements/; each line is of that kind."""
    text = (libraries.LOCKS / f"{name}.txt").read_text().replace("\\\n", "")
    found = {}
    for line in text.splitlines():
        project, version, hashes = re.fullmatch(
            r"([\w-]+)==([\w.]+)((?: +--hash=sha256:[0-9a-f]{64})+) *", line
        ).groups()  # type: ignore[union-attr]
        found[project] = (version, hashes.count("--hash"))
    return found


def test_what_is_pinned_is_what_the_package_asks_for() -> None:
    """In its ranges, with hashes; lxml's of all wheels."""
    asked = {
        match["name"]: (match["extra"] or "runtime", Requirement(line.partition(";")[0]).specifier)
        for line in importlib.metadata.requires("mod-erlang-py") or []
        if (match := re.match(r"(?P<name>[\w-]+)[^;]*(?:; extra == \"(?P<extra>\w+)\")?", line))
        and match["extra"] not in ("dev", "bench", "fuzz")
    }
    assert {name: lock for name, (lock, _) in asked.items()} == {
        "erlang-py": "runtime",
        "lxml": "runtime",
        "prometheus-client": "prometheus",
    }
    for lock in ("runtime", *libraries.EXTRAS):
        pinned = locked(lock)
        assert sorted(pinned) == sorted(name for name, (where, _) in asked.items() if where == lock)
        for name, (version, _) in pinned.items():
            assert version in asked[name][1]
    assert locked("runtime")["lxml"][1] > 50
    assert list(locked("build")) == ["setuptools"]


def test_packages_for_the_systems_python(tmp_path: Path, umask: None) -> None:
    """With pip: /usr/bin/python3, which may have none itself, can import what was installed for it."""
    python = "/usr/bin/python3"
    try:
        preflight.check_python(python, None)
    except InstallError as error:
        pytest.skip(str(error))
    assert len(list(install.install_scripts(tmp_path, python))) == 4
    code = "import sys; sys.path.insert(0, sys.argv[1]); import erlang, lxml.etree, mod_erlang_py"
    subprocess.run([python, "-I", "-B", "-c", code, str(tmp_path / install.PACKAGES)], check=True)
    refused = [path for path in (tmp_path / install.PACKAGES).rglob("*") if path.stat().st_mode & 0o044 != 0o044]
    assert refused == []


def test_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WHEELS=DIR. What is not there, or is not what was pinned, is one line."""
    wheels = tmp_path / "wheels"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--dest",
        str(wheels),
    ]
    locks = [word for name in ("build", "runtime") for word in ("-r", str(libraries.LOCKS / f"{name}.txt"))]
    subprocess.run([*command, *locks], check=True, capture_output=True)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/")
    libraries.fetch(sys.executable, tmp_path / "one", wheels=wheels)
    assert {"erlang.py", "lxml"} <= {path.name for path in (tmp_path / "one").iterdir()}
    with pytest.raises(InstallError, match=r"^pip: ERROR: No matching distribution found for prometheus-client=="):
        libraries.fetch(sys.executable, tmp_path / "two", ["prometheus"], wheels)
    (sdist,) = wheels.glob("erlang_py-*")
    sdist.write_bytes(sdist.read_bytes() + b"\0")
    with pytest.raises(InstallError, match="nothing was installed"):
        libraries.fetch(sys.executable, tmp_path / "three", wheels=wheels)
    assert not (tmp_path / "three").exists()


def test_libraries_that_are_here_already(target: Target, tmp_path: Path) -> None:
    """As `make run` has them from its first time: no pip."""
    here = tmp_path / "libraries"
    (here / "lxml").mkdir(parents=True)
    (here / "lxml" / "__init__.py").write_text("# of before")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(libraries, "fetch", lambda *_: pytest.fail("pip was run"))
        lines = list(install.install_scripts(target.scripts, sys.executable, fetched=here))
    assert len(lines) == 4
    packages = target.scripts / "erlang_py_packages"
    assert (packages / "lxml" / "__init__.py").read_text() == "# of before"
    assert (packages / "mod_erlang_py" / "entry.py").is_file()


def test_a_python_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A venv lends one; where that cannot be made either, it is said what to install."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in "-m pip"*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    pip = libraries._pip(str(python), tmp_path / "venv")
    assert pip == [str(tmp_path / "venv" / "bin" / "python"), "-m", "pip"]
    subprocess.run([*pip, "--version"], check=True, capture_output=True)
    with pytest.raises(InstallError, match=r"^/bin/false has neither pip nor venv: apt-get install python3-venv$"):
        libraries._pip("/bin/false", tmp_path / "other")
