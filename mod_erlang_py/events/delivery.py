"""Messages that may be lost, on their way to a process: events and log lines."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.node.link import Link
from mod_erlang_py.switch.port import Event, Switch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of messages that may be lost."""

    sent: int = 0
    lost: int = 0

    def plus(self, deliveries: Iterable[Delivery]) -> Tally:
        known = list(deliveries)
        return Tally(self.sent + sum(one.sent for one in known), self.lost + sum(one.lost for one in known))


class Delivery:
    """Counts what a link took of one kind of messages. unit: "events", "log lines"."""

    def __init__(self, link: Link, unit: str) -> None:
        self.link = link
        self.sent = 0
        self.lost = 0
        self._unit = unit
        self._stretch = 0
        self._resumed = False

    def send(self, frames: Sequence[bytes]) -> None:
        """Send, or lose, frames."""
        taken = self.link.outbox.offer(frames)
        self.sent += taken
        if taken and self._stretch:
            self._resumed = True
        self.missed(len(frames) - taken)

    def missed(self, count: int) -> None:
        """So many were lost, here or before they came here."""
        self.lost += count
        self._stretch += count

    def report(self, switch: Switch) -> None:
        """Once delivery has resumed after a loss: one CRIT line and one TRAP event, as mod_erlang_event has them."""
        if not self._resumed:
            return
        lost, self._stretch, self._resumed = self._stretch, 0, False
        log.critical("Lost %d %s!", lost, self._unit)
        try:
            switch.fire(Event("TRAP", ((b"info", f"lost {lost} {self._unit}".encode()),)))
        except SwitchError as error:
            log.error("TRAP: %s", error)
