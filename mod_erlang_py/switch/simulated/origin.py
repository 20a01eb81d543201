"""Where in the code something was made: what events and log lines tell of their maker."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class Origin:
    """file: its name without folders."""

    file: str
    function: str
    line: int

    @classmethod
    def caller(cls, depth: int) -> Origin:
        """The function `depth` calls above the one that asks; 0 is that one itself."""
        frame = sys._getframe(depth + 1)
        return cls(PurePath(frame.f_code.co_filename).name, frame.f_code.co_name, frame.f_lineno)
