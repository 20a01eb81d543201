"""A node to which something happens: a real Erlang node with work under way (victim.erl)."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from scripts.bench.peers.erlang import ErlangPeer
from scripts.trials.switch import COOKIE

SOURCE = Path(__file__).with_name("victim.erl")


@dataclass(frozen=True)
class Tally:
    """hung_up: calls that got a call_hangup; hung_up_again: those that got several. calls_told, told: calls and
    requests that ended by a nodedown."""

    calls: int
    hung_up: int
    hung_up_again: int
    calls_told: int
    asked: int
    answered: int
    answered_again: int
    told: int
    events: int
    logs: int
    lookups: int

    @property
    def unanswered(self) -> int:
        return self.asked - self.answered - self.told


class Victim:
    """One that runs. switch: the name of the node that it uses."""

    def __init__(self, folder: Path, epmd_port: int, switch: str) -> None:
        """Raises BenchError, OSError."""
        self._erlang = ErlangPeer(folder, epmd_port, COOKIE, SOURCE)
        self._switch = f"'{switch}'"
        self.name = self._erlang.name

    def busy(self, calls: int) -> int:
        """Calls that it has, of so many; beside look-ups, log lines, events and requests. Raises BenchError."""
        return int(self._erlang.measure("busy", self._switch, calls)[0])

    def coming(self, calls: int) -> int:
        """Calls that are dialled, of so many: from now on they come to it, which hangs them up, one after the other.
        Raises BenchError."""
        return int(self._erlang.measure("coming", self._switch, calls)[0])

    def gone(self) -> None:
        """None of those calls exists any more, if that can be within 30 s."""
        self._erlang.measure("gone", self._switch)

    def pending(self) -> None:
        """Requests, look-ups and a call of it are under way that nobody answers for long. Raises BenchError."""
        self._erlang.measure("pending", self._switch)

    def tally(self) -> Tally:
        return Tally(*map(int, self._erlang.measure("tally")))

    def hang_up(self) -> Tally:
        """All its calls."""
        return Tally(*map(int, self._erlang.measure("hang_up")))

    def quiet(self) -> Tally:
        """It asks nothing more, and has waited for what it had asked."""
        return Tally(*map(int, self._erlang.measure("quiet")))

    def reach(self) -> None:
        """It is connected, if that can be within 30 s."""
        self._erlang.measure("reach", self._switch)

    def leave(self) -> None:
        """It disconnects."""
        self._erlang.measure("leave", self._switch)

    def stop(self) -> None:
        """SIGSTOP: its connections stay open, and take nothing once they are full."""
        os.kill(self._erlang.pid, signal.SIGSTOP)

    def resume(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._erlang.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL."""
        self._erlang.close()

    def __enter__(self) -> Victim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
