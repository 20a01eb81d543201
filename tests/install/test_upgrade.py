"""`make install` where it was done before: what is replaced, what is kept, what was chosen."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from mod_erlang_py.code import read as read_code
from scripts import install, libraries
from scripts.install import ROOT
from scripts.manifest import Manifest
from tests.install.target import DIALPLAN, EVENT, Target


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


def test_a_manifest_that_cannot_be_read(target: Target) -> None:
    """Nothing is overwritten on its word."""
    target.install()
    (target.conf / EVENT).write_text("<configuration/>")
    (target.scripts / "erlang_py_manifest.json").write_text("[]")
    code, lines, _ = target.install()
    assert code == 0
    assert f"kept      {EVENT}, which is not as installed; the new one is erlang_event.conf.xml.new" in lines


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
