"""What `make install` does to a FreeSWITCH's folders. The packages are taken from pip once."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mod_erlang_py.code import read as read_code
from scripts import extension, folders, fs_cli, install, libraries, preflight, uninstall
from scripts.folders import Folders, InstallError, find_folders
from scripts.fs_cli import FsCli, NoAnswer
from scripts.install import ROOT
from scripts.manifest import Manifest

EVENT = "autoload_configs/erlang_event.conf.xml"
PYTHON = "autoload_configs/python.conf.xml"
MODULES = "autoload_configs/modules.conf.xml"
DIALPLAN = "dialplan/default/erlang.xml"
LEFT_OUT = "left out  the compiled event source, so events cost more: no C compiler (cc)"
OURS = f"libpython3.{sys.version_info.minor}.so.1.0".encode()


BUILD = extension.build


class FakeFsCli(FsCli):
    """fs_cli of a FreeSWITCH that does not run, until it has answers."""

    answers: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "answers", {})

    def __call__(self, command: str) -> str:
        try:
            return self.answers[command]
        except KeyError:
            raise NoAnswer("Connection refused") from None


class Target:
    """A FreeSWITCH's folders, and `make install` into them, its pip replaced."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], switch: FakeFsCli) -> None:
        self.conf = folder / "conf"
        self.scripts = folder / "scripts"
        self.module = folder / "mod" / "mod_python3.so"
        self.switch = switch
        self._capsys = capsys
        (self.conf / "autoload_configs").mkdir(parents=True)
        self.scripts.mkdir()
        self.module.parent.mkdir()
        self.module.write_bytes(OURS)
        (self.conf / "freeswitch.xml").write_text('<document type="freeswitch/xml"/>')

    def install(self, *more: str) -> tuple[int, list[str], str]:
        """(exit code, lines of stdout with paths inside the folders, stderr)"""
        return self._run(install.main, *self._folders(), "--python", sys.executable, *more)

    def uninstall(self, *more: str) -> tuple[int, list[str], str]:
        return self._run(uninstall.main, *self._folders(), *more)

    def files(self) -> set[str]:
        """What there is, without what Python compiled."""
        base = self.conf.parent
        return {str(p.relative_to(base)) for p in base.rglob("*") if p.is_file() and "__pycache__" not in p.parts}

    def _folders(self) -> list[str]:
        return ["--conf-dir", str(self.conf), "--script-dir", str(self.scripts)]

    def _run(self, main: Callable[[list[str]], int], *arguments: str) -> tuple[int, list[str], str]:
        code = main(list(arguments))
        printed = self._capsys.readouterr()
        inside = printed.out.replace(f"{self.conf}/", "").replace(f"{self.scripts}/", "")
        return code, inside.splitlines(), printed.err


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


# --- what install writes ------------------------------------------------------------------------------------------


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


# --- the compiled event source ------------------------------------------------------------------------------------

SO = f"scripts/erlang_py_packages/mod_erlang_py/{extension.FOLDER}/{extension.NAME}"


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


def test_the_installed_doctor_is_a_program(target: Target) -> None:
    target.install()
    done = subprocess.run([target.scripts / "erlang_py_doctor", "--help"], capture_output=True, text=True, check=True)
    assert "usage: erlang_py_doctor" in done.stdout


def test_second_time(target: Target) -> None:
    target.install()
    (target.scripts / "erlang_py_packages" / "left_over.py").touch()
    code, lines, _ = target.install()
    assert code == 0
    assert [line.split()[0] for line in lines] == ["updated", "left", *["unchanged"] * 5]
    assert not (target.scripts / "erlang_py_packages" / "left_over.py").exists()


def test_upgrade_replaces_what_was_not_changed(target: Target) -> None:
    target.install()
    old = b"<configuration/>\n"
    (target.conf / EVENT).write_bytes(old)
    manifest = Manifest(target.scripts / "erlang_py_manifest.json")
    manifest.record(target.conf / EVENT, old)
    manifest.save()
    _, lines, _ = target.install()
    assert f"updated   {EVENT}" in lines
    assert (target.conf / EVENT).read_bytes() == (ROOT / "conf" / EVENT).read_bytes()


def test_an_operators_change_is_kept(target: Target) -> None:
    target.install()
    changed = (target.conf / EVENT).read_text().replace("ClueCon", "secret")
    (target.conf / EVENT).write_text(changed)
    for _ in range(2):
        code, lines, _ = target.install()
        assert code == 0
        assert f"kept      {EVENT}, which is not as installed; the new one is erlang_event.conf.xml.new" in lines
        assert (target.conf / EVENT).read_text() == changed
        assert (target.conf / f"{EVENT}.new").read_bytes() == (ROOT / "conf" / EVENT).read_bytes()
    shutil.copy(target.conf / f"{EVENT}.new", target.conf / EVENT)
    target.install()
    assert not (target.conf / f"{EVENT}.new").exists()


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


def test_a_manifest_that_cannot_be_read(target: Target) -> None:
    """Nothing is overwritten on its word."""
    target.install()
    (target.conf / EVENT).write_text("<configuration/>")
    (target.scripts / "erlang_py_manifest.json").write_text("[]")
    code, lines, _ = target.install()
    assert code == 0
    assert f"kept      {EVENT}, which is not as installed; the new one is erlang_event.conf.xml.new" in lines


# --- who can read it ----------------------------------------------------------------------------------------------


@pytest.fixture
def umask() -> Iterator[None]:
    """As on a machine that is meant to be safe."""
    before = os.umask(0o027)
    yield
    os.umask(before)


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


# --- what was chosen stays chosen ---------------------------------------------------------------------------------


def test_extras_stay(target: Target) -> None:
    metrics = target.scripts / "erlang_py_packages" / "prometheus_client"
    assert not [line for line in target.install("--extra", "prometheus")[1] if line.startswith("kept")]
    _, lines, _ = target.install()
    assert "kept      prometheus, chosen before; EXTRAS=none takes it away" in lines
    assert metrics.is_dir()
    _, lines, _ = target.install("--extra", "none")
    assert not metrics.exists()
    assert not [line for line in [*lines, *target.install()[1]] if line.startswith("kept")]


def test_the_dialplan_only_when_asked_for(target: Target) -> None:
    target.install()
    assert not (target.conf / "dialplan").exists()
    assert f"installed {DIALPLAN}" in target.install("--dialplan")[1]
    assert f"unchanged {DIALPLAN}" in target.install()[1]
    (target.conf / DIALPLAN).unlink()
    assert not [line for line in target.install()[1] if DIALPLAN in line]
    target.install("--dialplan")
    assert f"removed   {DIALPLAN}" in target.uninstall()[1]


def test_an_upgrade_keeps_the_dialplan_of_before(target: Target) -> None:
    """As version 0.1 wrote it unasked; and changes of the operator's."""
    target.install("--dialplan")
    old = b"<include/>"
    (target.conf / DIALPLAN).write_bytes(old)
    manifest = Manifest(target.scripts / "erlang_py_manifest.json")
    manifest.record(target.conf / DIALPLAN, old)
    manifest.save()
    assert f"updated   {DIALPLAN}" in target.install()[1]
    (target.conf / DIALPLAN).write_text("<include><!-- mine --></include>")
    assert f"kept      {DIALPLAN}, which is not as installed; the new one is erlang.xml.new" in target.install()[1]


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


def test_packages_that_cannot_be_moved(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of before are back in their place."""
    target.install()
    before = target.files()
    rename = Path.rename

    def once(self: Path, place: Path) -> Path:
        if place == target.scripts / "erlang_py_packages" and "before" not in self.parts:
            raise OSError(28, "No space left on device")
        return rename(self, place)

    monkeypatch.setattr(Path, "rename", once)
    assert target.install() == (1, [], "install: [Errno 28] No space left on device\n")
    assert target.files() == before


def copied_tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="erlang_py_test.") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        for name in ("scripts", "mod_erlang_py", "conf", "requirements"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        yield folder


tree_for_everybody = pytest.fixture(copied_tree)


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


# --- what it looks at before --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["absent", "empty"])
def test_wrong_configuration_folder(target: Target, wrong: str) -> None:
    folder = target.conf.parent / wrong
    if wrong == "empty":
        folder.mkdir()
    code, lines, error = target.install("--conf-dir", str(folder))
    assert (code, lines) == (1, [])
    assert error == (
        f"install: {folder} is no FreeSWITCH configuration: it has no freeswitch.xml; give FS_CONF_DIR=...\n"
    )
    assert not any(target.scripts.iterdir())


def test_wrong_script_folder(target: Target, tmp_path: Path) -> None:
    code, lines, error = target.install("--script-dir", str(tmp_path / "no" / "scripts"))
    assert (code, lines) == (1, [])
    assert error.startswith("install: ")
    assert error.endswith("give FS_SCRIPT_DIR=...\n")
    assert error.count("\n") == 1


def test_no_mod_python3(target: Target) -> None:
    target.module.unlink()
    before = target.files()
    code, lines, error = target.install()
    assert (code, lines) == (1, [])
    assert error == (
        f"install: {target.module.parent} has no mod_python3.so: install the package freeswitch-mod-python3, or build "
        "languages/mod_python3 with FreeSWITCH\n"
    )
    assert target.files() == before


def test_mod_python3_embeds_another_python(target: Target) -> None:
    target.module.write_bytes(b"\0libpython3.2.so.1.0\0")
    before = target.files()
    code, lines, error = target.install()
    assert (code, lines) == (1, [])
    assert error.endswith(", but mod_python3 embeds 3.2: give PYTHON=.../python3.2\n")
    assert target.files() == before


def test_what_cannot_be_looked_at_is_to_do(target: Target) -> None:
    target.module.write_bytes(b"")
    assert f"to do     {target.module}: see that it embeds the version of {sys.executable}" in target.install()[1][-1]
    target.module.unlink()
    target.module.parent.rmdir()
    code, lines, _ = target.install()
    assert code == 0
    assert lines[-1] == (
        f"to do     see that mod_python3.so is in FreeSWITCH's mod_dir, and embeds the version of {sys.executable}"
    )


def test_wrong_python(target: Target) -> None:
    code, lines, error = target.install("--python", "/bin/false")
    assert (code, lines, error) == (1, [], "install: PYTHON=/bin/false is no Python that runs\n")


def test_packages_that_cannot_be_used(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """As lxml for another Python: what was there stays."""
    target.install()

    def check(python: str, packages: Path) -> None:
        libraries.run([python, "-c", "import no_such_module"], f"{python} cannot use the packages")

    monkeypatch.setattr(install, "_check", check)
    before = target.files()
    code, lines, error = target.install()
    assert (code, lines) == (1, [])
    assert error == (
        f"install: {sys.executable} cannot use the packages: ModuleNotFoundError: No module named 'no_such_module'; "
        "nothing was installed\n"
    )
    assert target.files() == before


def test_mod_erlang_event_is_loaded(target: Target) -> None:
    target.switch.answers["module_exists mod_erlang_event"] = "true"
    code, lines, _ = target.install()
    assert code == 0
    assert lines[-1] == (
        "to do     fs_cli: unload mod_erlang_event, which has the API command erlang and perhaps the port"
    )


def write_event(file: Path, ip: str, port: int | str) -> Path:
    params = f'<param name="listen-ip" value="{ip}"/><param name="listen-port" value="{port}"/>'
    file.write_text(f"<configuration><settings>{params}</settings></configuration>")
    return file


def test_the_port(tmp_path: Path, free_port: Callable[[], int]) -> None:
    file = tmp_path / "erlang_event.conf.xml"
    assert preflight.port_taken(write_event(file, "127.0.0.1", free_port()), None) is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for ip in ("127.0.0.1", "0.0.0.0", "*"):
            assert preflight.port_taken(write_event(file, ip, port), None) == (
                f"{file}: choose another listen-port; {port} is taken, ss -ltnp 'sport = :{port}' says by whom"
            )
    assert preflight.port_taken(write_event(file, "192.0.2.1", free_port()), None) == (
        f"{file}: choose another listen-ip; 192.0.2.1 is no address of this machine"
    )
    for ip, unknown in (("$${local_ip_v4}", 8031), ("127.0.0.1", "$${port}"), ("127.0.0.1", 65536)):
        assert preflight.port_taken(write_event(file, ip, unknown), None) is None


def test_a_port_of_who_cannot_be_asked(tmp_path: Path) -> None:
    """fs_cli has another password, say: it may be FreeSWITCH itself."""
    file = tmp_path / "erlang_event.conf.xml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = preflight.port_taken(write_event(file, "127.0.0.1", port), "Error Connecting [Authentication Error]")
    assert told == (
        f"{file}: listen-port {port} is taken, ss -ltnp 'sport = :{port}' says by whom; if by FreeSWITCH, all may be "
        "well, but it cannot be asked (fs_cli: Error Connecting [Authentication Error]): give fs_cli's options, "
        'ARGS="-H HOST -P PORT -p PASSWORD"'
    )


FS_CLI = """#!/bin/sh
echo "$*" >> "$0.log"
case "$*" in
    "-H 127.0.0.2 -P 8022 -p secret -x module_exists mod_erlang_py") echo true;;
    "-H 127.0.0.2 -P 8022 -p secret -x module_exists mod_erlang_event") echo false;;
    "-H 127.0.0.2 -P 8022 -p secret -x global_getvar"*) echo "-ERR no reply";;
    *) echo "[ERROR] fs_cli.c:1699 main() Error Connecting [Authentication Error]" >&2; exit 255;;
esac
"""


@pytest.mark.parametrize("given", [True, False])
def test_fs_clis_options(target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: bool) -> None:
    """With them it is this very node that has the port, and all is well; without, that is what is said."""
    monkeypatch.undo()
    monkeypatch.setattr(libraries, "fetch", lambda python, target, *_: target.mkdir())
    monkeypatch.setattr(install, "_check", lambda python, packages: None)
    program = tmp_path / "fs_cli"
    program.write_text(FS_CLI)
    program.chmod(0o755)
    options = ["-H", "127.0.0.2", "-P", "8022", "-p", "secret"] if given else []
    with socket.create_server(("127.0.0.1", 0)) as server:
        write_event(target.conf / EVENT, "127.0.0.1", server.getsockname()[1])
        _, lines, _ = target.install("--fs-cli", str(program), *options)
    taken = [line for line in lines if "is taken" in line]
    if given:
        assert taken == []
        assert (
            "to do     fs_cli: unload mod_erlang_py, which still runs"
            in target.uninstall("--fs-cli", str(program), *options)[1]
        )
    else:
        (line,) = taken
        assert "(fs_cli: Error Connecting [Authentication Error])" in line


def test_other_code_runs_than_is_installed(target: Target) -> None:
    """Of whatever version; told when it is the FreeSWITCH of that folder."""
    target.install()
    files = read_code(target.scripts / "erlang_py_packages" / "mod_erlang_py")

    def told(status: str) -> list[str]:
        target.switch.answers["erlang status json"] = status
        return [line for line in target.install()[1] if "running is" in line]

    target.switch.answers |= {"module_exists mod_erlang_py": "true", "global_getvar script_dir": str(target.scripts)}
    to_do = f"to do     fs_cli: unload mod_erlang_py, then pyrun erlang_py: files are {files}, running is"
    assert told("USAGE:") == [f"{to_do} another (not known)"]
    assert told('{"versions": {"mod_erlang_py": "0.1.0"}}') == [f"{to_do} 0.1.0 (not known)"]
    assert told('{"versions": {"mod_erlang_py": "0.1.0", "digest": "0000000"}}') == [f"{to_do} 0.1.0 (0000000)"]
    assert told(json.dumps({"versions": {"mod_erlang_py": files.version, "digest": files.digest}})) == []
    target.switch.answers["global_getvar script_dir"] = "/usr/share/freeswitch/scripts"
    assert told("USAGE:") == []


def test_a_taken_port_is_to_do(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Except when it is this very node that has it."""
    monkeypatch.setattr(preflight, "port_taken", lambda file, silence: f"{file}: taken")
    target.install()
    assert target.install()[1][-1] == f"to do     {EVENT}: taken"
    target.switch.answers["module_exists mod_erlang_py"] = "true"
    assert not [line for line in target.install()[1] if line.startswith("to do")]


# --- where it installs --------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: FakeFsCli) -> Callable[[Folders], Folders]:
    """A machine without FreeSWITCH; machine(folders) puts one there, as far as it matters here."""
    debian = Folders(tmp_path / "etc/freeswitch", tmp_path / "usr/share/scripts", tmp_path / "usr/lib/mod")
    monkeypatch.setattr(folders, "DEBIAN", debian)
    monkeypatch.setattr(folders, "PREFIXES", (tmp_path / "opt", tmp_path / "local"))

    def put(there: Folders) -> Folders:
        assert there.modules
        for folder in (there.conf, there.scripts, there.modules):
            folder.mkdir(parents=True)
        (there.conf / "freeswitch.xml").touch()
        return there

    return put


def layouts(base: Path) -> list[Folders]:
    opt, local = base / "opt", base / "local"
    return [
        folders.DEBIAN,
        Folders(opt / "conf", opt / "scripts", opt / "mod"),
        Folders(local / "etc/freeswitch", local / "share/freeswitch/scripts", local / "lib/freeswitch/mod"),
    ]


Machine = Callable[[Folders], Folders]


@pytest.mark.parametrize("layout", range(3), ids=["Debian", "source", "source with --enable-fhs"])
def test_the_only_freeswitch_is_found(machine: Machine, tmp_path: Path, layout: int, switch: FakeFsCli) -> None:
    there = machine(layouts(tmp_path)[layout])
    assert find_folders(switch) == there
    assert find_folders(switch, conf=there.conf) == there
    assert find_folders(switch, scripts=tmp_path / "mine") == Folders(there.conf, tmp_path / "mine", there.modules)


def test_none_or_several(machine: Machine, tmp_path: Path, switch: FakeFsCli) -> None:
    with pytest.raises(InstallError, match=r"give FS_CONF_DIR=\.\.\. FS_SCRIPT_DIR=\.\.\.: .*, and none is found"):
        find_folders(switch)
    one, other = (machine(there) for there in layouts(tmp_path)[:2])
    with pytest.raises(InstallError, match=f"and these are there: {one.conf}, {other.conf}"):
        find_folders(switch)
    assert find_folders(switch, conf=other.conf) == other


def test_a_running_one_is_asked(machine: Machine, tmp_path: Path, switch: FakeFsCli) -> None:
    machine(layouts(tmp_path)[0])
    modules = tmp_path / "own" / "modules"
    modules.mkdir(parents=True)
    own = Folders(tmp_path / "own" / "configuration", tmp_path / "own" / "python", modules)
    switch.answers |= {
        "global_getvar conf_dir": str(own.conf),
        "global_getvar script_dir": str(own.scripts),
        "global_getvar mod_dir": str(own.modules),
    }
    assert find_folders(switch) == own
    assert find_folders(switch, conf=own.conf, scripts=tmp_path) == Folders(own.conf, tmp_path, own.modules)
    assert find_folders(switch, conf=folders.DEBIAN.conf) == folders.DEBIAN
    switch.answers["global_getvar conf_dir"] = "-ERR no reply"
    assert find_folders(switch) == folders.DEBIAN


def test_folders_of_no_layout(machine: Machine, tmp_path: Path, switch: FakeFsCli) -> None:
    conf = tmp_path / "srv" / "configuration"
    with pytest.raises(InstallError, match=r"give FS_SCRIPT_DIR=\.\.\. too: "):
        find_folders(switch, conf=conf)
    assert find_folders(switch, conf, tmp_path) == Folders(conf, tmp_path, None)


# --- uninstall ----------------------------------------------------------------------------------------------------


PYC = ("__pycache__/erlang_py.cpython-311.pyc", "__pycache__/mine.cpython-311.pyc")


def test_uninstall_leaves_nothing(target: Target) -> None:
    before = target.files()
    target.install()
    for compiled in ("erlang_py_packages/mod_erlang_py/__pycache__/config.cpython-311.pyc", *PYC):
        (target.scripts / compiled).parent.mkdir(exist_ok=True)
        (target.scripts / compiled).touch()
    code, lines, _ = target.uninstall()
    assert code == 0
    assert sorted(lines) == [
        *(f"removed   {name}" for name in (EVENT, MODULES, PYTHON)),
        *(f"removed   {name}" for name in ("erlang_py.py", "erlang_py_doctor", "erlang_py_packages/")),
    ]
    assert target.files() == before
    assert [path.name for path in target.scripts.rglob("*")] == ["__pycache__", "mine.cpython-311.pyc"]
    manifest = target.scripts / "erlang_py_manifest.json"
    assert target.uninstall() == (0, [f"nothing   to remove: {manifest.name} is not there"], "")


def test_uninstall_keeps_what_the_operator_changed(target: Target) -> None:
    (target.conf / MODULES).write_text('<configuration><modules><load module="mod_python3"/></modules></configuration>')
    target.install()
    changed = [target.conf / EVENT, target.conf / PYTHON, target.scripts / "erlang_py_packages/mod_erlang_py/errors.py"]
    for file in changed:
        file.write_text(file.read_text() + "\n")
    added = target.scripts / "erlang_py_packages" / "mod_erlang_py" / "mine.py"
    added.touch()
    target.switch.answers["module_exists mod_erlang_py"] = "true"
    code, lines, _ = target.uninstall()
    assert code == 0
    assert [line for line in lines if not line.startswith("removed")] == [
        f"kept      {EVENT}, which is not as installed",
        f"kept      {PYTHON}, which is not as installed",
        "kept      erlang_py_packages/mod_erlang_py/errors.py, which is not as installed",
        "kept      erlang_py_packages/mod_erlang_py/mine.py, which install did not write",
        f'to do     {PYTHON}: take out <param name="startup-script" value="erlang_py"/>',
        f'to do     {MODULES}: take out <load module="mod_python3"/>, unless other scripts need it',
        "to do     fs_cli: unload mod_erlang_py, which still runs",
    ]
    assert [file.exists() for file in [*changed, added, target.conf / MODULES]] == [True] * 5
    assert [path.name for path in target.scripts.iterdir()] == ["erlang_py_packages"]
    assert target.uninstall()[1][0].startswith("nothing   to remove")


def test_uninstall_removes_the_new_ones_beside(target: Target) -> None:
    (target.conf / EVENT).write_text("<configuration/>")
    target.install()
    assert (target.conf / f"{EVENT}.new").exists()
    _, lines, _ = target.uninstall()
    assert f"removed   {EVENT}.new" in lines
    assert (target.conf / EVENT).read_text() == "<configuration/>"


def test_a_broken_manifest_removes_nothing(target: Target) -> None:
    target.install()
    manifest = target.scripts / "erlang_py_manifest.json"
    manifest.write_text(json.dumps({str(target.conf / "freeswitch.xml"): "0" * 64}))
    _, lines, _ = target.uninstall()
    assert "kept      freeswitch.xml, which is not as installed" in lines
    assert (target.conf / "freeswitch.xml").exists()
    assert (target.conf / EVENT).exists()


# --- the libraries ------------------------------------------------------------------------------------------------


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
