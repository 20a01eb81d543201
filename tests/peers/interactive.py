"""An interactive shell, `erl` or `iex`, typed into as a person does."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

from tests.waiting import wait_until

# (name@host)1>   iex(name@host)1>   ...(name@host)1>   and the same without a name
_PROMPT = r"(?:(?:\(\S+?\))?|(?:iex|\.\.\.)\((?:\S+?\))?)(\d+)\)?> ?"
_NUMBERS = re.compile(f"^{_PROMPT}", re.MULTILINE)
_PROMPTS = re.compile(f"^(?:{_PROMPT})+", re.MULTILINE)  # several in a row: of an expression of several lines
_SECONDS = 30.0


class Interactive:
    """A running shell, ready for what is typed first."""

    def __init__(self, command: str, *, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        )
        self._printed = ""
        self._number = 1
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._wait_for_prompt()
        assert self.alive, self._printed
        self.take()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def type(self, text: str) -> None:
        """One expression; returns when the shell is ready for the next, or has ended."""
        assert self._process.stdin is not None
        self._number += 1
        self._process.stdin.write(f"{text}\n".encode())
        self._process.stdin.flush()
        self._wait_for_prompt()

    def seen(self) -> str:
        """What was printed since take(), without the prompts."""
        return _PROMPTS.sub("", self._printed)

    def take(self) -> str:
        """seen(), which is then forgotten."""
        printed, self._printed = self._printed, ""
        return _PROMPTS.sub("", printed)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()
        self._process.stdin.close()

    def _wait_for_prompt(self) -> None:
        wait_until(lambda: self._prompts() or not self.alive, _SECONDS, lambda: self._printed)

    def _prompts(self) -> bool:
        return any(int(number) == self._number for number in _NUMBERS.findall(self._printed))

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := self._process.stdout.read1():  # type: ignore[attr-defined]
            self._printed += data.decode(errors="replace")
