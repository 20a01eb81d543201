"""What a fault is, and what it has in hand when it is tried."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.trials.client import Client
from scripts.trials.faults.victim import Tally, Victim
from scripts.trials.switch import COOKIE, Switch, wait_until


@dataclass
class Trial:
    """One fault's, in a switch of its own. folder: temporary. epmd: the switch's, which a fault may stop.
    failures: what went wrong, a line each: told by the fault. quick: few tries."""

    switch: Switch
    folder: Path
    stack: ExitStack
    quick: bool = False
    failures: list[str] = field(default_factory=list)

    def victim(self, epmd_port: int | None = None) -> Victim:
        """Another one, which ends with the trial. epmd_port: of another epmd, where it finds the switch. Raises
        BenchError."""
        made = Victim(self.folder, epmd_port or self.switch.epmd_port, self.switch.name)
        return self.stack.enter_context(made)

    def client(self, name: str = "client", port: int | None = None) -> Client:
        """Its own link. Raises HandshakeError, OSError."""
        return Client(port or self.switch.port, name=f"{name}@localhost", to=self.switch.name, cookie=COOKIE)

    def tries(self, usual: int) -> int:
        """How often to do it."""
        return max(2, usual // 20) if self.quick else usual

    @property
    def step(self) -> int:
        """From one byte to the next that is tried."""
        return 17 if self.quick else 1

    def others_for(self, seconds: float) -> None:
        """Let the others work, with the fault in force."""
        time.sleep(seconds / 4 if self.quick else seconds)

    def calls_of(self, victim: Victim) -> list[str]:
        """Their UUIDs. Raises ScratchError."""
        found = json.loads(self.switch.fs_cli(f"erlang sessions {victim.name} json"))
        return [session["uuid"] for session in found["sessions"]]

    def calls_let_go(self) -> None:
        """No process has a call any more, but the watcher's, and no call is left over."""
        self.until(lambda: self._attached() <= 1, 20, "calls stay with a process that is gone")
        self.until(lambda: self._channels() <= 2, 20, "calls are left over")

    def _attached(self) -> int:
        return int(json.loads(self.switch.fs_cli("erlang status json"))["calls"]["attached"])

    def _channels(self) -> int:
        return int(json.loads(self.switch.fs_cli("show channels count as json"))["row_count"])

    def check(self, true: bool, told: str) -> None:
        """told: what is wrong when it is not so."""
        if not true:
            self.failures.append(told)

    def all_came(self, tally: Tally, link_lost: bool = False) -> None:
        """That the victim lost nothing, nor got anything twice. link_lost: its link may have ended meanwhile."""
        missing = tally.calls - tally.hung_up - tally.calls_told
        self.check(missing == 0, f"{missing} call_hangup lost")
        self.check(link_lost or tally.calls_told + tally.told == 0, "the victim's link ended")
        self.check(tally.hung_up_again == 0, f"{tally.hung_up_again} call_hangup doubled")
        self.check(tally.unanswered == 0, f"{tally.unanswered} requests of the victim lost")
        self.check(tally.answered_again == 0, f"{tally.answered_again} answers to the victim doubled")

    def until(self, true: Callable[[], bool], timeout: float, told: str) -> None:
        """The same within so many seconds."""
        self.check(wait_until(true, timeout), told)


Room = Callable[[Path], AbstractContextManager[Mapping[str, str]]]


@contextmanager
def no_room(_folder: Path) -> Iterator[Mapping[str, str]]:
    yield {}


@dataclass(frozen=True)
class Fault:
    """name: on the command line. title: in the table. inflict: does it until it is over; returns how often. Raises
    NoLimit where this machine cannot do it. allowed: seconds that others may be delayed, beside what the machine
    delays them. refuses: others' requests may be answered by an error meanwhile. keeps: descriptors that the
    node has for it from then on. settings: of the node. room: what must
    be there before the switch starts; gives files of its configuration."""

    name: str
    title: str
    inflict: Callable[[Trial], int]
    allowed: float = 1.0
    refuses: bool = False
    keeps: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    room: Room = no_room
