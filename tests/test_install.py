"""What `make install` does to a FreeSWITCH's folders. The packages are taken from pip once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import install
from scripts.install import ROOT, main

EVENT = "autoload_configs/erlang_event.conf.xml"
PYTHON = "autoload_configs/python.conf.xml"
MODULES = "autoload_configs/modules.conf.xml"


class Target:
    """A FreeSWITCH's conf_dir and script_dir, and `make install` into them, its pip replaced unless `pip` is set."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.conf = folder / "conf"
        self.scripts = folder / "scripts"
        self._capsys = capsys
        (self.conf / "autoload_configs").mkdir(parents=True)
        self.scripts.mkdir()
        (self.conf / "freeswitch.xml").write_text('<document type="freeswitch/xml"/>')

    def install(self, *more: str) -> tuple[int, list[str], str]:
        """(exit code, lines of stdout with paths inside the folder, stderr)"""
        arguments = ["--conf-dir", str(self.conf), "--script-dir", str(self.scripts), "--python", sys.executable]
        code = main([*arguments, *more])
        printed = self._capsys.readouterr()
        return code, printed.out.replace(f"{self.conf}/", "").splitlines(), printed.err


@pytest.fixture
def target(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Target:
    def no_pip(python: str, target: Path, requirements: list[str]) -> None:
        target.mkdir()

    monkeypatch.setattr(install, "_pip_install", no_pip)
    monkeypatch.setattr(install, "global_variable", lambda name: None)
    return Target(tmp_path, capsys)


def test_fresh(target: Target) -> None:
    code, lines, _ = target.install()
    assert code == 0
    assert lines[2:] == [f"installed {name}" for name in (EVENT, PYTHON, "dialplan/default/erlang.xml", MODULES)]
    assert (target.conf / EVENT).read_bytes() == (ROOT / "conf" / EVENT).read_bytes()
    assert (target.scripts / "erlang_py.py").read_bytes() == (ROOT / "scripts/erlang_py.py").read_bytes()
    assert (target.scripts / "erlang_py_packages/mod_erlang_py/__init__.py").is_file()
    assert sorted(path.name for path in target.scripts.iterdir()) == [
        "erlang_py.py",
        "erlang_py_manifest.json",
        "erlang_py_packages",
    ]


def test_second_time(target: Target) -> None:
    target.install()
    (target.scripts / "erlang_py_packages" / "left_over.py").touch()
    code, lines, _ = target.install()
    assert code == 0
    assert [line.split()[0] for line in lines] == ["updated", *["unchanged"] * 4]
    assert not (target.scripts / "erlang_py_packages" / "left_over.py").exists()


def test_upgrade_replaces_what_was_not_changed(target: Target) -> None:
    target.install()
    old = b"<configuration/>\n"
    (target.conf / EVENT).write_bytes(old)
    manifest = target.scripts / "erlang_py_manifest.json"
    ours = install._digest((ROOT / "conf" / EVENT).read_bytes())
    manifest.write_text(manifest.read_text().replace(ours, install._digest(old)))
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


@pytest.mark.parametrize("wrong", ["absent", "empty"])
def test_wrong_configuration_folder(target: Target, wrong: str) -> None:
    folder = target.conf.parent / wrong
    if wrong == "empty":
        folder.mkdir()
    code, lines, error = target.install("--conf-dir", str(folder))
    assert (code, lines) == (1, [])
    assert error == f"install: {folder} is no FreeSWITCH configuration: it has no freeswitch.xml\n"
    assert not any(target.scripts.iterdir())


def test_wrong_script_folder(target: Target, tmp_path: Path) -> None:
    code, lines, error = target.install("--script-dir", str(tmp_path / "no" / "scripts"))
    assert (code, lines) == (1, [])
    assert error.startswith("install: ")
    assert error.count("\n") == 1


def test_wrong_python(target: Target) -> None:
    code, lines, error = target.install("--python", "/bin/false")
    assert (code, lines, error) == (1, [], "install: PYTHON=/bin/false is no Python that runs\n")
    with pytest.raises(install.InstallError, match=r"is Python 3\.\d+, but mod_python3 embeds 3\.2"):
        install.check_python(sys.executable, "3.2")


def test_folders_are_asked_for(target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    both = [str(tmp_path / "conf"), str(tmp_path / "scripts")]
    with pytest.raises(install.InstallError, match=r"give FS_CONF_DIR=\.\.\.: .*, and 2 are possible"):
        install.find_folder("conf_dir", "FS_CONF_DIR", both)
    with pytest.raises(install.InstallError, match="none found"):
        install.find_folder("conf_dir", "FS_CONF_DIR", [str(tmp_path / "absent")])
    assert install.find_folder("conf_dir", "FS_CONF_DIR", [both[0], "/absent"]) == Path(both[0])
    monkeypatch.setattr(install, "global_variable", lambda name: f"/etc/{name}")
    assert install.find_folder("conf_dir", "FS_CONF_DIR", both) == Path("/etc/conf_dir")


def test_packages_for_the_systems_python(tmp_path: Path) -> None:
    """With pip: /usr/bin/python3, which may have none itself, can import what was installed for it."""
    python = "/usr/bin/python3"
    try:
        install.check_python(python, None)
    except install.InstallError as error:
        pytest.skip(str(error))
    assert len(list(install.install_scripts(tmp_path, python))) == 2
    code = "import sys; sys.path.insert(0, sys.argv[1]); import erlang, lxml.etree, mod_erlang_py"
    subprocess.run([python, "-I", "-c", code, str(tmp_path / install.PACKAGES)], check=True)
