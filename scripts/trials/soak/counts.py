"""What became of what was asked for, by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

BUCKETS = 120
_BUCKETS_OF_A_DOUBLING = 4
_FIELDS = 4 + BUCKETS


class Kind(Enum):
    """What is done, in the order in which soak.erl tells of it; its name is soak.erl's, in capitals."""

    API = "`api`"
    BGAPI = "`bgapi`, until its `bgok`"
    GEN_SERVER = "`api` by `gen_server:call`"
    RPC = "`api` by `rpc:call`"
    EXECUTE = "`execute`"
    DENIED = "requests without the right"
    LOOKUP = "look-ups"
    FETCH_REPLY = "`fetch_reply`"
    EVENT = "events, to the node's handler"
    SUBSCRIPTION = "events, by a subscription"
    ACKNOWLEDGED = "events, by a subscription with `ack`"
    BURST = "events, in bursts of 1,000"
    MARK = "log lines that are watched for"
    LINE = "log lines, all"
    SUBSCRIBE = "subscriptions that come and go"
    CALL = "loopback calls"
    SIP = "SIP calls"
    HANDLER_DEATH = "calls whose process dies"
    NODE_DEATH = "calls whose node is killed"
    VISIT = "nodes that come and go"
    RELOAD = "reloads, with another certificate"


CALLS = (Kind.CALL, Kind.SIP, Kind.HANDLER_DEATH, Kind.NODE_DEATH)


@dataclass(frozen=True)
class Count:
    """Of one kind. doubled: what came and nobody awaited. worst: seconds. buckets: how many took how long, four to each
    doubling of a microsecond."""

    asked: int
    answered: int
    doubled: int
    worst: float
    buckets: tuple[int, ...]

    @property
    def open(self) -> int:
        """Under way; at the end of all, lost."""
        return self.asked - self.answered

    def within(self, share: float) -> float:
        """Seconds that so many of them took at most, within a fifth of what it was."""
        left = share * sum(self.buckets)
        for bucket, count in enumerate(self.buckets):
            left -= count
            if count and left <= 0:
                return min(self.worst, _seconds(bucket + 1))
        return 0.0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.asked + other.asked,
            self.answered + other.answered,
            self.doubled + other.doubled,
            max(self.worst, other.worst),
            tuple(mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)),
        )


NOTHING = Count(0, 0, 0, 0.0, (0,) * BUCKETS)
Counts = dict[Kind, Count]


def none() -> Counts:
    return dict.fromkeys(Kind, NOTHING)


def counts(numbers: Sequence[float]) -> Counts:
    """Of what soak.erl tells: asked, answered, doubled, worst, and the buckets, of one kind after the other."""
    rows = [[int(number) for number in numbers[at : at + _FIELDS]] for at in range(0, len(numbers), _FIELDS)]
    return {
        kind: Count(asked, answered, doubled, worst / 1e6, tuple(buckets))
        for kind, (asked, answered, doubled, worst, *buckets) in zip(Kind, rows, strict=True)
    }


def together(several: Sequence[Counts]) -> Counts:
    found = none()
    for one in several:
        found = {kind: found[kind] + one[kind] for kind in Kind}
    return found


def bucket(seconds: float) -> int:
    """Of a time, as soak.erl has it."""
    microseconds = max(1, int(seconds * 1e6))
    at = 0
    while at < BUCKETS - 1 and _seconds(at + 1) * 1e6 <= microseconds:
        at += 1
    return at


def _seconds(bucket: int) -> float:
    """Where it begins."""
    return float(2 ** (bucket / _BUCKETS_OF_A_DOUBLING)) / 1e6
