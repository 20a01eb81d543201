"""Nodes that are no Erlang: a C node (cnode.c, with erl_interface) and a Java node (JavaNode.java, with jinterface).

Both do nothing of their own: they say what they hear, term for term, and send what they are told.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from mod_erlang_py import etf
from mod_erlang_py.etf import Pid, Term

_HERE = Path(__file__).parent
SECONDS = 10.0


class Language(Enum):
    C = "c"
    JAVA = "java"


class NotInstalled(Exception):
    """What is missing, and the package that has it."""


def command(language: Language, folder: Path) -> list[str]:
    """How a node is started, but for its name and cookie; what must be compiled goes into the folder.
    Raises NotInstalled."""
    folder.mkdir(parents=True, exist_ok=True)
    return _c_node(folder) if language is Language.C else _java_node(folder)


def _c_node(folder: Path) -> list[str]:
    library = _library("erl_interface", "include/ei.h", "erlang-dev")
    if shutil.which("gcc") is None:
        raise NotInstalled("gcc")
    program = folder / "cnode"
    if not program.exists():
        found = [f"-I{library / 'include'}", f"-L{library / 'lib'}", "-lei", "-lpthread"]
        subprocess.run(["gcc", "-o", str(program), str(_HERE / "cnode.c"), *found], check=True, timeout=60)
    return [str(program)]


def _java_node(folder: Path) -> list[str]:
    jar = _library("jinterface", "priv/OtpErlang.jar", "erlang-jinterface") / "priv" / "OtpErlang.jar"
    if shutil.which("java") is None or shutil.which("javac") is None:
        raise NotInstalled("a JDK (default-jdk-headless)")
    if not (folder / "JavaNode.class").exists():
        source = str(_HERE / "JavaNode.java")
        subprocess.run(["javac", "-cp", str(jar), "-d", str(folder), source], check=True, timeout=120)
    return ["java", "-cp", f"{jar}:{folder}", "JavaNode"]


def _library(name: str, file: str, package: str) -> Path:
    """The folder of a library of OTP, which has the file."""
    program = f"case code:lib_dir({name}) of {{error, _}} -> ok; Folder -> io:put_chars(Folder) end, halt()."
    found = subprocess.check_output(["erl", "-noshell", "-eval", program], timeout=60, text=True)
    folder = Path(found)
    if not found or not (folder / file).exists():
        raise NotInstalled(f"{name}'s {file} ({package})")
    return folder


class Foreign:
    """A running node. program: what `command` gave. name: "c@localhost"."""

    def __init__(self, program: list[str], *, name: str, cookie: str, epmd_port: int) -> None:
        self.name = name
        self.pid: Pid | None = None
        """Its process, as it sends; once it has a link."""
        self._terms: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._node = ""
        self._process = subprocess.Popen(
            [*program, name, cookie],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"ERL_EPMD_PORT": str(epmd_port)},
        )
        self._reader = threading.Thread(target=self._read, name=name, daemon=True)
        self._reader.start()
        assert self.line(30) == "ready"

    def connect(self, node: str) -> None:
        """Have a link to a node, and send to that one from now on."""
        self._tell(f"connect {node}")
        self.up(node)

    def up(self, node: str) -> None:
        """Wait for the link to a node, whoever connects."""
        assert self.line() == f"up {node}"
        self._node = node

    def send(self, term: Term, name: str = "foo") -> None:
        """`{Name, Node} ! Term`"""
        self._tell(f"send {name} {etf.encode(term).hex()} {self._node}")

    def send_to(self, pid: Pid, term: Term) -> None:
        self._tell(f"to {etf.encode(pid).hex()} {etf.encode(term).hex()}")

    def ask(self, term: Term) -> Any:
        """The next message after a request."""
        self.send(term)
        return self.next()

    def next(self, which: Callable[[Any], bool] = lambda _: True) -> Any:
        """The next message, or the next such one, the others before it being dropped. Raises AssertionError."""
        seen: list[Term] = []
        while True:
            try:
                term = self._terms.get(timeout=SECONDS)
            except queue.Empty:
                raise AssertionError(f"{self.name} got nothing of that kind; but {seen}") from None
            if which(term):
                return term
            seen.append(term)

    def line(self, seconds: float = SECONDS) -> str:
        """The next of what it says besides: up, down, failed."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"{self.name} says nothing") from None

    def kill(self) -> None:
        """It dies; nobody is told."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._process.stdout.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            match word:
                case "got":
                    self._terms.put(etf.decode(bytes.fromhex(rest)))
                case "pid":
                    self.pid = Pid.of(etf.decode(bytes.fromhex(rest)))
                case "signal":
                    pass  # a link, which nobody asked it about
                case _:
                    self._lines.put(line.strip())
