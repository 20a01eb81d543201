"""Log lines, written as fast as FreeSWITCH can."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scripts.bench.contenders import COMPILED, SOCKET, THEIRS, Speaks
from scripts.bench.peers import event_socket
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

_LINES = 8_000
"""Less than FreeSWITCH's own queue of log lines holds."""
_IDLE = 3.0


def measure(turn: Turn) -> Iterator[Measured]:
    count = turn.events(_LINES, polled=1_000)
    end = _listening(turn, count)

    def write() -> tuple[float, float]:
        turn.switch.log(count)
        return end()

    took, (seconds, lost) = turn.switch.cpu_of(write)
    yield Measured("lines", Unit.RATE, (count - lost) / seconds, lost=int(lost))
    yield Measured("CPU of the switch", Unit.MICROSECONDS, took / count * 1e6)


def _listening(turn: Turn, count: int) -> Callable[[], tuple[float, float]]:
    """What returns, when they have come, the seconds from the first to the last, and how many are lost."""
    if turn.contender.speaks is not Speaks.ERLANG:
        lines = event_socket.LogLines(*turn.switch.event_socket)
        return lambda: lines.end(count, _IDLE)
    peer = turn.shared.erlang()
    peer.begin("lines", f"'{turn.switch.node}'", count, int(_IDLE * 1000))
    peer.wait_until_listening()

    def end() -> tuple[float, float]:
        microseconds, lost = peer.end()
        return microseconds / 1e6, lost

    return end


LOGS = Workload("logs", "A burst of log lines", measure, (COMPILED, THEIRS, SOCKET))
