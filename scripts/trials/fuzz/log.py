"""What the switch's log says meanwhile."""

from __future__ import annotations

import re

from scripts.trials.switch import Switch

FAULT = re.compile(r"Traceback \(most recent call last\)|\[(?:ERR|CRIT|ALERT)\] \w+\.py:")
"""Of ours; what FreeSWITCH thinks of the commands that it is given is no fault."""


class Log:
    """lines: how many there were so far."""

    def __init__(self, switch: Switch) -> None:
        self._file = switch.folder / "log" / "freeswitch.log"
        self._at = self._file.stat().st_size if self._file.exists() else 0
        self._rest = b""
        self.lines = 0

    def faults(self) -> list[str]:
        """The lines that are not to be there, of those that are new."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as file:
            file.seek(self._at)
            new = file.read()
        self._at += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        self.lines += len(lines)
        return [line[:500] for line in (one.decode(errors="replace") for one in lines) if FAULT.search(line)]
