"""A process that answers look-ups, and whether it does.

One that has answered nothing for as long as a look-up may last owes an answer: it, or its node, may be frozen, while
the socket still takes bytes. It is not asked, and not waited for, before it gave one; but for a moment now and then,
since some processes answer only what they know.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mod_erlang_py.node.link import Link
from mod_erlang_py.switch.port import Section

STALLED = 0.5
"""Seconds after which a node that takes nothing is not asked."""
MOMENT = 0.5
"""Seconds in which one that owes an answer is asked once more, and waited for."""


@dataclass(eq=False, slots=True)
class Answerer:
    """sections: that it is bound to. owes: whether it owes an answer."""

    link: Link
    sections: Section
    owes: bool = field(default=False, init=False)
    _asked: float | None = field(default=None, init=False)  # first, since it answered last
    _moment: float = field(default=0.0, init=False)

    def patience(self, now: float, timeout: float) -> float:
        """For how many seconds it is waited for in a look-up that begins now; 0 when it is not to be asked.

        timeout: those of a look-up.
        """
        if self.link.outbox.stalled >= STALLED:
            return 0.0
        if self._asked is None:
            self._asked = now
        self.owes = now - self._asked >= timeout
        if not self.owes:
            return timeout
        if now - self._moment >= timeout:
            self._moment = now
        return max(0.0, min(self._moment + MOMENT - now, timeout))

    def answered(self) -> None:
        """It gave an answer, to whatever look-up."""
        self._asked = None
        self.owes = False
        self._moment = 0.0
