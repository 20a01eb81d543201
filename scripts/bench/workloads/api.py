"""{api, echo, "hello"}, beside the same between two Erlang nodes in the same minute."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.contenders import ERLANG, OTP, OTP_TLS, SOCKET, THEIRS_5000, TLS, Speaks
from scripts.bench.peers import event_socket
from scripts.bench.peers.received import percentile
from scripts.bench.results import Measured, Unit
from scripts.bench.turns import Turn, Workload

PROCESSES = (1, 20, 200)
FLOOD = 10_000
"""Events a second beside which requests are made."""
P50, P99 = "one at a time, p50", "one at a time, p99"
FLOOD_P50, FLOOD_P99 = (f"beside {FLOOD:,} events a second, {part}" for part in ("p50", "p99"))
FLOOD_EVENTS = f"events beside which these requests were made, of {FLOOD:,}"


def rate(processes: int) -> str:
    return f"from {processes} process{'es' if processes > 1 else ''}"


def measure(turn: Turn) -> Iterator[Measured]:
    if turn.contender in (OTP, OTP_TLS):
        turn.erlang(1).measure("echo")
        yield from _requests(turn, "otp", "otp_rate", turn.erlang(1).name)
    elif turn.contender.speaks is not Speaks.ERLANG:
        yield from _socket(turn)
    else:
        if turn.contender is not THEIRS_5000:
            yield from _requests(turn, "requests", "rate", turn.switch.node)
        if not turn.contender.polls_events:
            yield from _beside_events(turn)


def _requests(turn: Turn, one_by_one: str, at_once: str, node: str) -> Iterator[Measured]:
    """one_by_one, at_once: functions of bench.erl."""
    peer, name = turn.erlang(), f"'{node}'"
    peer.measure(one_by_one, name, turn.requests(500, polled=20))
    p50, p99 = peer.measure(one_by_one, name, turn.requests(4000, polled=150))
    yield Measured(P50, Unit.MICROSECONDS, p50)
    yield Measured(P99, Unit.MICROSECONDS, p99)
    for processes in PROCESSES:
        (found,) = peer.measure(at_once, name, processes, int(turn.seconds(1) * 1000))
        yield Measured(rate(processes), Unit.RATE, found)


def _beside_events(turn: Turn) -> Iterator[Measured]:
    peer, seconds = turn.erlang(), turn.seconds(2)
    peer.begin("under_events", f"'{turn.switch.node}'", int(seconds * 1000))
    peer.wait_until_listening()
    turn.switch.fire(int(FLOOD * (seconds + 1)), FLOOD)
    p50, p99, events = peer.end()
    yield Measured(FLOOD_P50, Unit.MICROSECONDS, p50)
    yield Measured(FLOOD_P99, Unit.MICROSECONDS, p99)
    yield Measured(FLOOD_EVENTS, Unit.RATE, events / seconds)


def _socket(turn: Turn) -> Iterator[Measured]:
    port, password = turn.switch.event_socket
    event_socket.requests(port, password, 50)
    found = sorted(event_socket.requests(port, password, turn.requests(4000, polled=150)))
    yield Measured(P50, Unit.MICROSECONDS, percentile(found, 0.5))
    yield Measured(P99, Unit.MICROSECONDS, percentile(found, 0.99))
    for clients in PROCESSES:
        yield Measured(rate(clients), Unit.RATE, event_socket.request_rate(port, password, clients, turn.seconds(1)))


API = Workload("api", '`{api, echo, "hello"}`', measure, (OTP, OTP_TLS, *ERLANG, TLS, THEIRS_5000, SOCKET))
