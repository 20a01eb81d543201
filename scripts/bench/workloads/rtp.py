"""What a flood of events does to the RTP of a call that plays a tone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.bench.contenders import ALONE, COMPILED, PYTHON, SOCKET, THEIRS_5000
from scripts.bench.peers.phone import Heard, Phone
from scripts.bench.peers.receivers import kinds, listening
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload
from scripts.bench.workloads.sip import no_sofia

FLOOD = 10_000
"""Events a second, of 75 headers."""
QUIET, FLOODED = "no events", f"{FLOOD:,} events a second"
JITTER, P99, LONGEST = "jitter", "p99 from one packet to the next", "the longest from one packet to the next"
_SECONDS = 3.0


def measure(turn: Turn) -> Iterator[Measured]:
    """Of FreeSWITCH alone: without events, and with such that nobody gets."""
    seconds = turn.seconds(_SECONDS)
    events = int(FLOOD * (seconds + 0.5))
    with _playing(turn) as phone:
        phone.listen(turn.seconds(0.5))  # its beginning
        if turn.contender is ALONE:
            yield from _figures(QUIET, phone.listen(seconds))
            turn.switch.fire(events, FLOOD)
            yield from _figures(FLOODED, phone.listen(seconds))
            return
        receivers = listening(turn, kinds(turn)[-1], 1, events)
        turn.switch.fire(events, FLOOD)
        found = phone.listen(seconds)
        received = receivers.end()
        yield from _figures(FLOODED, found)
        yield Measured(f"{FLOODED}, received", Unit.RATE, received.rate, lost=received.lost)


@contextmanager
def _playing(turn: Turn) -> Iterator[Phone]:
    with Phone() as phone:
        turn.switch.api(f"bgapi originate sofia/bench/phone@127.0.0.1:{phone.port} tone XML bench")
        phone.answer()
        yield phone


def _figures(when: str, found: Heard) -> Iterator[Measured]:
    yield Measured(f"{when}, {JITTER}", Unit.MILLISECONDS, found.jitter, lost=found.lost)
    yield Measured(f"{when}, {P99}", Unit.MILLISECONDS, found.p99)
    yield Measured(f"{when}, {LONGEST}", Unit.MILLISECONDS, found.longest)


RTP = Workload(
    "rtp",
    "RTP of a call that plays a tone, a packet each 20 ms",
    measure,
    (ALONE, COMPILED, PYTHON, THEIRS_5000, SOCKET),
    sip=True,
    lacks=no_sofia,
)
