"""Which FreeSWITCH `make install` installs into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import folders
from scripts.folders import Folders, InstallError, find_folders
from tests.install.target import FakeFsCli

Machine = Callable[[Folders], Folders]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: FakeFsCli) -> Machine:
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
