"""A call's thread waits for a node's answer, which others may end."""

from __future__ import annotations

import queue
import threading

from mod_erlang_py.errors import ErlangNodeError
from mod_erlang_py.etf import Term


class NoAnswer(ErlangNodeError):
    """The node was reached, but no process took the call."""


class NoProcess(NoAnswer):
    """The process is not there, or ended while it was asked."""


class HungUp(ErlangNodeError):
    """The call ended before a process had it."""


class Taken(ErlangNodeError):
    """Another process took the call meanwhile."""


class Question:
    """What a node is asked; the answer, or why there is none. Whoever is first settles it."""

    def __init__(self) -> None:
        self._settled = threading.Lock()
        self._queue: queue.SimpleQueue[Term | ErlangNodeError] = queue.SimpleQueue()

    def settle(self, answer: Term | ErlangNodeError) -> bool:
        """False when it is settled already: nobody will see this one."""
        first = self._settled.acquire(blocking=False)
        if first:
            self._queue.put(answer)
        return first

    def wait(self, timeout: float) -> Term:
        """Raises NoAnswer after `timeout` seconds, or the error that it was settled with."""
        try:
            answer = self._queue.get(timeout=timeout)
        except queue.Empty:
            self.settle(NoAnswer(f"no answer within {timeout:g} s"))
            answer = self._queue.get()
        if isinstance(answer, ErlangNodeError):
            raise answer
        return answer


class Waiting:
    """The waiting of one call for its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over: ErlangNodeError | None = None
        self._question: Question | None = None

    @property
    def hung_up(self) -> bool:
        return isinstance(self._over, HungUp)

    def begin(self) -> Question:
        """What is waited for from now on. Raises HungUp, Taken."""
        with self._lock:
            if self._over is not None:
                raise self._over
            self._question = Question()
            return self._question

    def end(self, why: HungUp | Taken) -> None:
        """Whoever waits, or will wait, gets this; unless it was over before."""
        with self._lock:
            if self._over is not None:
                return
            self._over = why
            question = self._question
        if question is not None:
            question.settle(why)
