"""Questions to the FreeSWITCH that runs here, by its fs_cli."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_FOLDERS = "/usr/bin:/usr/local/bin:/opt/freeswitch/bin:/usr/local/freeswitch/bin"
_SECONDS = 10


class NoAnswer(Exception):
    """Why no FreeSWITCH answered, in a few words."""


@dataclass(frozen=True)
class FsCli:
    """program: in PATH, or the usual places, when not given. arguments: its own, -H, -P and -p; what is not among them
    it takes from ~/.fs_cli_conf."""

    program: str | None = None
    arguments: Sequence[str] = ()

    def __call__(self, command: str) -> str:
        """What the command printed. Raises NoAnswer."""
        program = self.program or shutil.which("fs_cli") or shutil.which("fs_cli", path=_FOLDERS)
        if program is None:
            raise NoAnswer("there is no fs_cli in PATH")
        try:
            done = subprocess.run(
                [program, *self.arguments, "-x", command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
            )
        except OSError as error:
            raise NoAnswer(f"{program}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"no answer in {_SECONDS} s") from None
        if done.returncode:
            lines = (done.stderr or done.stdout).decode(errors="replace").splitlines()
            told = [line.strip().rpartition(" main() ")[2] for line in lines if line.strip()]
            raise NoAnswer(told[-1] if told else f"exit code {done.returncode}")
        return done.stdout.decode(errors="replace").strip()

    def ask(self, command: str) -> str | None:
        """The same; None when no FreeSWITCH answers."""
        try:
            return self(command)
        except NoAnswer:
            return None

    def is_loaded(self, module: str) -> bool:
        return self.ask(f"module_exists {module}") == "true"

    def silence(self) -> str | None:
        """Why it does not answer; None when it does."""
        try:
            self("status")
        except NoAnswer as error:
            return str(error)
        return None


def add_options(parser: argparse.ArgumentParser) -> None:
    """As the doctor has them."""
    parser.add_argument("--fs-cli", metavar="PATH", help="FreeSWITCH's fs_cli; in PATH when not given")
    parser.add_argument("-H", dest="host", metavar="HOST", help="for fs_cli, as are -P and -p")
    parser.add_argument("-P", dest="port", metavar="PORT")
    parser.add_argument("-p", dest="password", metavar="PASSWORD")


def of(options: argparse.Namespace) -> FsCli:
    given = (("-H", options.host), ("-P", options.port), ("-p", options.password))
    return FsCli(options.fs_cli, [word for flag, value in given if value is not None for word in (flag, value)])
