"""What `make uninstall` takes away, and what it leaves."""

from __future__ import annotations

import json

from tests.install.target import EVENT, MODULES, PYTHON, Target

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
