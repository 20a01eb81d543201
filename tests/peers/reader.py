"""Somebody who reads a page of docs/ and does what it says, word for word, on a host of ours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from scripts.install import ROOT
from scripts.scratch import with_settings
from tests.pages import Kind, Step, check, matches
from tests.peers.interactive import Interactive
from tests.waiting import DEADLINE, wait_until

# Shell commands that want a machine of their own, or a terminal: that they look like this is all that is checked.
_NOT_RUN = (r"apt-get install( [\w.-]+)+", r"cd [\w/]+", r"fs_cli( -q)?", r"git pull")
# What fs_cli is asked again until it is as the page says: a person is slower than the switch.
_ASKED_AGAIN = ("erlang status", "erlang listeners", "erlang sessions", "uuid_exists")
_ERL_FLAGS = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"


@dataclass
class Reader:
    """What is there of the machine that the page supposes.

    fs_cli: executes a command of FreeSWITCH. folder: the working directory, empty. here: what is called otherwise in
    the page: its names -> ours. environment: in place of ours.
    """

    fs_cli: Callable[[str], str]
    folder: Path
    here: Mapping[str, str]
    environment: Mapping[str, str]
    _shell: Interactive | None = field(default=None, init=False)

    def do(self, step: Step) -> None:
        """Raises AssertionError, with the place in the page, when something else comes than the page says."""
        try:
            self._do(step)
        except AssertionError as error:
            raise error if str(error).startswith(step.place) else AssertionError(f"{step.place}: {error}") from None

    def close(self) -> None:
        if self._shell is not None:
            self._shell.close()

    def _do(self, step: Step) -> None:
        typed = _renamed(step.typed, self.here)
        if step.kind is Kind.FILE:
            assert step.file is not None
            self._write(self.folder / _renamed(step.file, self.here), typed)
        elif step.kind is Kind.FS_CLI:
            check(step, self._asked(step, typed))
        elif step.kind is Kind.SHELL and typed.startswith(("erl ", "iex ")):
            self.close()
            self._shell = Interactive(typed, folder=self.folder, environment=self._environment())
        elif step.kind is Kind.SHELL:
            if not any(re.fullmatch(form, typed) for form in _NOT_RUN):
                check(step, self._there(self._run(typed)))
        else:
            self._converse(step, typed)

    def _asked(self, step: Step, command: str) -> str:
        answers = [self._there(self.fs_cli(command))]

        def right() -> bool:
            if not matches(step, answers[-1]):
                answers.append(self._there(self.fs_cli(command)))
            return matches(step, answers[-1])

        if command.startswith(_ASKED_AGAIN):
            wait_until(right, told=lambda: f"{command}\n{answers[-1]}")
        return answers[-1]

    def _converse(self, step: Step, typed: str) -> None:
        """In the Erlang or Elixir shell."""
        shell = self._shell
        assert shell is not None, "no shell is open"
        if typed:
            assert shell.alive, "the shell has ended"
            shell.type(typed)
        try:
            wait_until(lambda: matches(step, self._there(shell.seen())), DEADLINE)
        except AssertionError:
            check(step, self._there(shell.seen()))
        shell.take()

    def _run(self, command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            cwd=self.folder,
            timeout=100,
        )
        return done.stdout.decode(errors="replace")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERL_", "PYTHON"))}
        own = {"ERL_FLAGS": _ERL_FLAGS, "ERL_CRASH_DUMP_SECONDS": "0", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        return {**kept, **own, **self.environment}

    def _there(self, text: str) -> str:
        return _renamed(text, {ours: theirs for theirs, ours in self.here.items()})

    def _write(self, file: Path, text: str) -> None:
        """A whole file; of one that is there, the lines that the page speaks of."""
        if file.suffix != ".xml" or text.lstrip().startswith(("<configuration", "<include")):
            file.write_text(text)
            return
        before = file.read_text()
        for element in etree.fromstring(f"<lines>{text}</lines>"):
            line = etree.tostring(element, encoding="unicode", with_tail=False)
            if element.tag == "param":
                before = with_settings(before, {str(element.get("name")): str(element.get("value"))})
            elif element.tag == "nodes":
                before = before.replace("</configuration>", f"  {line}\n</configuration>")
            elif element.tag == "load":
                before = before.replace("  </modules>", f"    {line}\n  </modules>")
            else:
                assert " ".join(line.split()) in " ".join(before.split()), f"{file} has no\n{line}"
        file.write_text(before)


def tools(folder: Path, fs_cli: str, python: str) -> dict[str, str]:
    """The environment of a machine where FreeSWITCH is the one that `fs_cli` reaches: its fs_cli and its make."""
    folder.mkdir()
    install = f"cd {ROOT} && exec {sys.executable} -m scripts.install --dialplan --python {python}"
    scripts = {
        "fs_cli": f'exec {fs_cli} "$@"\n',
        "make": f'[ "$*" = "install DIALPLAN=yes" ] || {{ echo "make $*: not tried here"; exit 2; }}\n{install}\n',
    }
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def _renamed(text: str, names: Mapping[str, str]) -> str:
    if not names:
        return text
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", lambda match: names[match[0]], text)
