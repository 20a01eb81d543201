"""What became of messages that may be lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tally:
    sent: int = 0
    lost: int = 0

    def plus(self, counts: Iterable[Counts]) -> Tally:
        known = list(counts)
        return Tally(self.sent + sum(one.sent for one in known), self.lost + sum(one.lost for one in known))


class Counts:
    """Of one kind of messages to one node. unit: "events", "log lines".

    creates, hangups: events of that kind that the node's event handler was sent (erlang_cmd, "listeners").
    """

    def __init__(self, unit: str) -> None:
        self.sent = 0
        self.lost = 0
        self.creates = 0
        self.hangups = 0
        self._unit = unit
        self._stretch = 0
        self._resumed = False

    def took(self, taken: int, offered: int) -> None:
        """The outbox took so many of those that it was offered."""
        self.sent += taken
        if taken and self._stretch:
            self._resumed = True
        self.missed(offered - taken)

    def missed(self, count: int) -> None:
        """So many were lost, here or before they came here."""
        self.lost += count
        self._stretch += count

    def gave_up(self, count: int) -> None:
        """So many were lost, to be reported now."""
        self.lost += count
        self.told(count)

    def told(self, count: int) -> None:
        """So many that are among the lost already are to be reported now."""
        self._stretch += count
        self._resumed = True

    def report(self, fire: Callable[[Event], None]) -> None:
        """Once delivery has resumed after a loss: one CRIT line and one TRAP event, as mod_erlang_event has them."""
        if not self._resumed:
            return
        lost, self._stretch, self._resumed = self._stretch, 0, False
        log.critical("Lost %d %s!", lost, self._unit)
        try:
            fire(Event("TRAP", ((b"info", f"lost {lost} {self._unit}".encode()),)))
        except SwitchError as error:
            log.error("TRAP: %s", error)
