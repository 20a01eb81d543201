"""What `make install` does to a FreeSWITCH's folders. The packages are taken from pip once."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import folders, fs_cli, install, preflight, uninstall
from scripts.folders import Folders, InstallError, find_folders
from scripts.install import ROOT
from scripts.manifest import Manifest

EVENT = "autoload_configs/erlang_event.conf.xml"
PYTHON = "autoload_configs/python.conf.xml"
MODULES = "autoload_configs/modules.conf.xml"
DIALPLAN = "dialplan/default/erlang.xml"
OURS = f"libpython3.{sys.version_info.minor}.so.1.0".encode()


class FakeFsCli:
    """fs_cli of a FreeSWITCH that does not run, until it has answers."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}

    def __call__(self, command: str) -> str | None:
        return self.answers.get(command)


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

    def uninstall(self) -> tuple[int, list[str], str]:
        return self._run(uninstall.main, *self._folders())

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
    monkeypatch.setattr(fs_cli, "ask", switch)
    return switch


@pytest.fixture
def target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, switch: FakeFsCli
) -> Target:
    """Nobody has the port of the configuration."""

    def no_pip(python: str, target: Path, requirements: list[str]) -> None:
        target.mkdir()

    monkeypatch.setattr(install, "_pip_install", no_pip)
    monkeypatch.setattr(install, "_check", lambda python, packages: None)
    monkeypatch.setattr(preflight, "port_taken", lambda erlang_event: None)
    return Target(tmp_path, capsys, switch)


# --- what install writes ------------------------------------------------------------------------------------------


def test_fresh(target: Target) -> None:
    code, lines, _ = target.install()
    assert code == 0
    assert lines == [
        f"installed erlang_py_packages/ (for {sys.executable})",
        *(f"installed {name}" for name in ("erlang_py.py", "erlang_py_doctor", EVENT, PYTHON, DIALPLAN, MODULES)),
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


def test_what_pip_is_asked_for() -> None:
    plain = install.requirements([])
    assert sorted(line.partition("<")[0].partition(">")[0] for line in plain) == ["erlang-py", "lxml"]
    (prometheus,) = set(install.requirements(["prometheus"])) - set(plain)
    assert prometheus.startswith("prometheus-client")
    assert ";" not in prometheus


def test_the_installed_doctor_is_a_program(target: Target) -> None:
    target.install()
    done = subprocess.run([target.scripts / "erlang_py_doctor", "--help"], capture_output=True, text=True, check=True)
    assert "usage: erlang_py_doctor" in done.stdout


def test_second_time(target: Target) -> None:
    target.install()
    (target.scripts / "erlang_py_packages" / "left_over.py").touch()
    code, lines, _ = target.install()
    assert code == 0
    assert [line.split()[0] for line in lines] == ["updated", *["unchanged"] * 6]
    assert not (target.scripts / "erlang_py_packages" / "left_over.py").exists()


def test_upgrade_replaces_what_was_not_changed(target: Target) -> None:
    target.install()
    old = b"<configuration/>\n"
    (target.conf / EVENT).write_bytes(old)
    manifest = Manifest(target.scripts / "erlang_py_manifest.json")
    manifest.record(target.conf / EVENT)
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
        install._run([python, "-c", "import no_such_module"], f"{python} cannot use the packages")

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
    assert preflight.port_taken(write_event(file, "127.0.0.1", free_port())) is None
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for ip in ("127.0.0.1", "0.0.0.0", "*"):
            assert preflight.port_taken(write_event(file, ip, port)) == (
                f"{file}: choose another listen-port; {port} is taken, ss -ltnp 'sport = :{port}' says by whom"
            )
    assert preflight.port_taken(write_event(file, "192.0.2.1", free_port())) == (
        f"{file}: choose another listen-ip; 192.0.2.1 is no address of this machine"
    )
    for ip, unknown in (("$${local_ip_v4}", 8031), ("127.0.0.1", "$${port}"), ("127.0.0.1", 65536)):
        assert preflight.port_taken(write_event(file, ip, unknown)) is None


def test_a_taken_port_is_to_do(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Except when it is this very node that has it."""
    monkeypatch.setattr(preflight, "port_taken", lambda file: f"{file}: taken")
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
def test_the_only_freeswitch_is_found(machine: Machine, tmp_path: Path, layout: int) -> None:
    there = machine(layouts(tmp_path)[layout])
    assert find_folders() == there
    assert find_folders(conf=there.conf) == there
    assert find_folders(scripts=tmp_path / "mine") == Folders(there.conf, tmp_path / "mine", there.modules)


def test_none_or_several(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"give FS_CONF_DIR=\.\.\. FS_SCRIPT_DIR=\.\.\.: .*, and none is found"):
        find_folders()
    one, other = (machine(there) for there in layouts(tmp_path)[:2])
    with pytest.raises(InstallError, match=f"and these are there: {one.conf}, {other.conf}"):
        find_folders()
    assert find_folders(conf=other.conf) == other


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
    assert find_folders() == own
    assert find_folders(conf=own.conf, scripts=tmp_path) == Folders(own.conf, tmp_path, own.modules)
    assert find_folders(conf=folders.DEBIAN.conf) == folders.DEBIAN
    switch.answers["global_getvar conf_dir"] = "-ERR no reply"
    assert find_folders() == folders.DEBIAN


def test_folders_of_no_layout(machine: Machine, tmp_path: Path) -> None:
    conf = tmp_path / "srv" / "configuration"
    with pytest.raises(InstallError, match=r"give FS_SCRIPT_DIR=\.\.\. too: "):
        find_folders(conf=conf)
    assert find_folders(conf, tmp_path) == Folders(conf, tmp_path, None)


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
        *(f"removed   {name}" for name in (EVENT, MODULES, PYTHON, DIALPLAN)),
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


# --- with pip -----------------------------------------------------------------------------------------------------


def test_packages_for_the_systems_python(tmp_path: Path) -> None:
    """With pip: /usr/bin/python3, which may have none itself, can import what was installed for it."""
    python = "/usr/bin/python3"
    try:
        preflight.check_python(python, None)
    except InstallError as error:
        pytest.skip(str(error))
    assert len(list(install.install_scripts(tmp_path, python))) == 3
    code = "import sys; sys.path.insert(0, sys.argv[1]); import erlang, lxml.etree, mod_erlang_py"
    subprocess.run([python, "-I", "-c", code, str(tmp_path / install.PACKAGES)], check=True)
