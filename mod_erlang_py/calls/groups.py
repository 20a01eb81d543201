"""Which member of a process group (OTP's pg) gets a call."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterator, Sequence

from mod_erlang_py.config.strategy import Hash, LeastCalls, Strategy, strategy
from mod_erlang_py.etf import Pid
from mod_erlang_py.switch.port import Session

from .loads import Loads

log = logging.getLogger(__name__)

PG_STRATEGY = "erlang_pg_strategy"


class Groups:
    """loads: how many calls each process has. chosen: for calls that say nothing else."""

    def __init__(self, loads: Loads, chosen: Strategy) -> None:
        self._loads = loads
        self._chosen = chosen

    def configure(self, chosen: Strategy) -> None:
        self._chosen = chosen

    def order(self, session: Session, call: object, members: Sequence[Pid]) -> Iterator[Pid]:
        """In which they are to be tried for a call, which Loads knows by `call`."""
        left = random.sample(members, len(members))
        match self._strategy(session):
            case LeastCalls():
                while left:
                    least = self._loads.count_for_least(call, left)
                    left.remove(least)
                    yield least
            case Hash(variable) if value := session.variable(variable):
                left.sort(key=lambda pid: _weight(value, pid))
        yield from left

    def _strategy(self, session: Session) -> Strategy:
        chosen = session.variable(PG_STRATEGY)
        if not chosen:
            return self._chosen
        text = chosen.decode(errors="replace")
        try:
            return strategy(text)
        except ValueError as error:
            log.error("%s: %s=%r: expected %s", session.uuid, PG_STRATEGY, text, error)
            return self._chosen


def _weight(value: bytes, pid: Pid) -> bytes:
    """Rendezvous hashing: when a member comes or goes, only calls that are its own move; all switches agree."""
    return hashlib.blake2b(value + b"\0" + pid.binary(), digest_size=8).digest()
