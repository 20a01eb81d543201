"""A FreeSWITCH's folders into which is installed, and an fs_cli that answers for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import install, uninstall
from scripts.fs_cli import FsCli, NoAnswer

EVENT = "autoload_configs/erlang_event.conf.xml"
PYTHON = "autoload_configs/python.conf.xml"
MODULES = "autoload_configs/modules.conf.xml"
DIALPLAN = "dialplan/default/erlang.xml"
OURS = f"libpython3.{sys.version_info.minor}.so.1.0".encode()


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


def write_event(file: Path, ip: str, port: int | str) -> Path:
    params = f'<param name="listen-ip" value="{ip}"/><param name="listen-port" value="{port}"/>'
    file.write_text(f"<configuration><settings>{params}</settings></configuration>")
    return file
