"""What `make install` writes into a FreeSWITCH's folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from scripts import extension, install
from scripts.folders import Folders
from scripts.install import ROOT
from scripts.manifest import Manifest
from tests.install.target import EVENT, MODULES, PYTHON, FakeFsCli, Target

LEFT_OUT = "left out  the compiled event source, so events cost more: no C compiler (cc)"
BUILD = extension.build
SO = f"scripts/erlang_py_packages/mod_erlang_py/{extension.FOLDER}/{extension.NAME}"


def test_fresh(target: Target) -> None:
    code, lines, _ = target.install()
    assert code == 0
    assert lines == [
        f"installed erlang_py_packages/ (for {sys.executable})",
        LEFT_OUT,
        *(f"installed {name}" for name in ("erlang_py.py", "erlang_py_doctor", EVENT, PYTHON, MODULES)),
    ]
    assert (target.conf / EVENT).read_bytes() == (ROOT / "conf" / EVENT).read_bytes()
    assert (target.scripts / "erlang_py.py").read_bytes() == (ROOT / "scripts/erlang_py.py").read_bytes()
    assert (target.scripts / "erlang_py_packages/mod_erlang_py/__init__.py").is_file()
    assert sorted(path.name for path in target.scripts.iterdir()) == [
        "erlang_py.py",
        "erlang_py_doctor",
        "erlang_py_manifest.json",
        "erlang_py_packages",
    ]


def test_the_simulated_switch_stays_behind(target: Target) -> None:
    target.install()
    packages = target.scripts / "erlang_py_packages"
    installed = {str(path.relative_to(packages)) for path in packages.rglob("*.py")}
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "mod_erlang_py").rglob("*.py")}
    left = {path for path in ours if path.startswith("mod_erlang_py/switch/simulated/")}
    assert len(left) > 20
    assert ours - installed == left | {"mod_erlang_py/__main__.py"}
    assert installed <= ours


def test_the_installed_doctor_is_a_program(target: Target) -> None:
    target.install()
    done = subprocess.run([target.scripts / "erlang_py_doctor", "--help"], capture_output=True, text=True, check=True)
    assert "usage: erlang_py_doctor" in done.stdout


def test_stock_configuration_is_kept_and_what_to_do_is_said(target: Target) -> None:
    stock = {
        EVENT: '<configuration name="erlang_event.conf"/>',
        PYTHON: '<configuration><settings><!--<param name="startup-script" value="erlang_py"/>--></settings>'
        "</configuration>",
        MODULES: '<configuration><modules><!-- <load module="mod_python3"/> -->'
        '<load module="mod_erlang_event"/></modules></configuration>',
    }
    for name, text in stock.items():
        (target.conf / name).write_text(text)
    code, lines, _ = target.install()
    assert code == 0
    assert {name: (target.conf / name).read_text() for name in stock} == stock
    assert [line.split(maxsplit=2)[2] for line in lines if line.startswith("to do")] == [
        f'{PYTHON}: add <param name="startup-script" value="erlang_py"/>',
        f'{MODULES}: add <load module="mod_python3"/>',
        f'{MODULES}: remove <load module="mod_erlang_event"/>, which wants the same port',
    ]


# --- the compiled event source ------------------------------------------------------------------------------------


@pytest.fixture
def compiler(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("cc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("no C compiler, or no headers of Python's")
    monkeypatch.setattr(extension, "build", BUILD)


@pytest.mark.usefixtures("compiler")
def test_it_is_built_and_taken_away(target: Target) -> None:
    code, lines, _ = target.install("--event-source", "compiled")
    assert (code, lines[1]) == (0, f"compiled  {extension.NAME}, the event source in C")
    assert SO in target.files()
    assert target.install("--event-source", "python")[1][1] == "left out  the compiled event source"
    assert SO not in target.files()
    target.install()
    target.uninstall()
    assert SO not in target.files()


@pytest.mark.parametrize("what", ["compiler", "headers", "source"])
@pytest.mark.usefixtures("compiler")
def test_where_it_cannot_be_built(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, what: str
) -> None:
    """All else is installed; unless it is a must, and then nothing is."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    if what == "compiler":
        monkeypatch.setenv("CC", "no-such-cc -O2")
        reason = "no C compiler (no-such-cc)"
    elif what == "headers":
        python = elsewhere / "python"
        python.write_text(f'#!/bin/sh\ncase "$*" in *get_path*) echo /nowhere;; *) exec {sys.executable} "$@";; esac\n')
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        reason = "no /nowhere/Python.h: apt-get install python3-dev"
    else:
        broken = elsewhere / "_compiled.c"
        broken.write_text("#error as it was told to\n")
        monkeypatch.setattr(extension, "SOURCE", broken)
        reason = "cc: "
    code, _, error = target.install("--event-source", "compiled")
    assert code == 1
    assert error.startswith(f"install: {reason}")
    assert target.files() == {"conf/freeswitch.xml", "mod/mod_python3.so"}
    code, lines, _ = target.install()
    assert code == 0
    assert lines[1].startswith(f"left out  the compiled event source, so events cost more: {reason}")
    assert SO not in target.files()


# --- who can read it ----------------------------------------------------------------------------------------------


def unreadable(target: Target) -> list[Path]:
    """What FreeSWITCH's user could not read."""
    wanted = {path: 0o555 if path.is_dir() else 0o444 for path in target.conf.parent.rglob("*")}
    return [path for path, mode in wanted.items() if path.stat().st_mode & mode != mode]


def test_everybody_can_read_it(target: Target, umask: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the umask is, and was when the sources were copied."""
    (target.conf / "dialplan").mkdir(mode=0o755)
    for path in [target.conf, target.conf / "dialplan", *target.conf.rglob("*"), target.scripts, target.module.parent]:
        path.chmod(0o755)
    sources = tmp_path.parent / f"{tmp_path.name}.sources"
    shutil.copytree(ROOT / "mod_erlang_py", sources / "mod_erlang_py", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conf", "scripts"):
        shutil.copytree(ROOT / name, sources / name)
    for path in sources.rglob("*"):
        path.chmod(0o750 if path.is_dir() or path.name == "erlang_py_doctor" else 0o640)
    monkeypatch.setattr(install, "ROOT", sources)
    target.module.chmod(0o644)
    (target.conf / "freeswitch.xml").chmod(0o644)
    target.install("--dialplan")
    assert unreadable(target) == []
    assert (target.scripts / "erlang_py_doctor").stat().st_mode & 0o777 == 0o755
    target.install("--dialplan")
    assert unreadable(target) == []


def test_what_an_earlier_install_left_unreadable_is_mended(target: Target) -> None:
    target.install()
    files = [target.scripts / "erlang_py.py", target.scripts / "erlang_py_doctor", target.conf / EVENT]
    for file in files:
        file.chmod(0o640)
    _, lines, _ = target.install()
    assert [line for line in lines if "mended" in line] == [
        f"mended    {name}, which not everybody could read" for name in ("erlang_py.py", "erlang_py_doctor", EVENT)
    ]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o644, 0o755, 0o644]
    assert not [line for line in target.install()[1] if "mended" in line]


# --- while it is done ---------------------------------------------------------------------------------------------


def test_nobody_reads_what_it_prints(target: Target) -> None:
    """`make install | head`: all is done, and the manifest is of what is there."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from scripts import install, libraries\n"
        "libraries.fetch = lambda python, target, *_: target.mkdir()\n"
        "install._check = lambda *_: None\n"
        "sys.exit(install.main(sys.argv[1:]))\n"
    )
    folders = ["--conf-dir", str(target.conf), "--script-dir", str(target.scripts), "--python", sys.executable]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", program, *folders, "--fs-cli", "/bin/false"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    manifest = Manifest(target.scripts / "erlang_py_manifest.json")
    assert target.conf / MODULES in manifest.paths()
    assert len(manifest.paths()) > 50
    assert [path for path in manifest.paths() if not manifest.is_unchanged(path)] == []


def test_the_manifest_is_of_what_is_there_at_every_line(target: Target, switch: FakeFsCli) -> None:
    """Whenever it is ended."""
    there = Folders(target.conf, target.scripts, target.module.parent)
    target.install()
    (target.scripts / "erlang_py_packages" / "mod_erlang_py" / "errors.py").write_text("older")
    for line in install.install(there, sys.executable, switch):
        manifest = Manifest(target.scripts / "erlang_py_manifest.json")
        assert [path for path in manifest.paths() if not manifest.is_unchanged(path)] == [], line


def test_install_and_uninstall_need_nothing_but_python(tree_for_everybody: Path) -> None:
    """No .venv, and no library."""
    for program in ("install", "uninstall", "run"):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); import scripts.{program}"],
            cwd=tree_for_everybody,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who can be another user")
@pytest.mark.parametrize("program", ["install", "uninstall"])
def test_not_as_root(tree_for_everybody: Path, program: str) -> None:
    """One line, which says what to do; and nothing is done."""
    tree = tree_for_everybody
    conf, scripts = tree / "fs" / "conf", tree / "fs" / "scripts"
    (conf / "autoload_configs").mkdir(parents=True)
    scripts.mkdir()
    (conf / "freeswitch.xml").touch()
    (scripts / "erlang_py_manifest.json").write_text(json.dumps({str(scripts / "erlang_py.py"): "0" * 64}))
    before = sorted((tree / "fs").rglob("*"))
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-m", f"scripts.{program}", "--conf-dir", str(conf), "--script-dir", str(scripts)],
        capture_output=True,
        text=True,
        cwd=tree,
        user=65534,
        group=65534,
        extra_groups=[],
        env={"PATH": os.environ["PATH"]},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"{program}: {scripts} is not for nobody to write: run it as root; nothing was changed\n")
    assert sorted((tree / "fs").rglob("*")) == before
