"""The challenges that this node has sent, so that nobody has it answer its own.

One cookie serves both directions. Whoever the node dials could hand it the challenge that the node itself sent on a
connection that came from him, and give the digest back there: he would be in without the cookie. So no digest is made
for a challenge that is outstanding on any connection, in either direction, or was so a short while ago; whichever
cookie it would be made with, as nodes may have cookies of their own.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from mod_erlang_py.distribution.handshake import fresh_challenge

REMEMBERED = 60.0
"""Seconds that a challenge is refused for after its handshake has ended: far longer than a handshake may take."""
MAX_REMEMBERED = 10_000
"""Those of ended handshakes that are kept; with more, the oldest go. They admit nobody any more."""


class Challenges:
    """`challenge in challenges`: whether it is one of ours."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outstanding: set[int] = set()
        self._ended: OrderedDict[int, float] = OrderedDict()

    @contextmanager
    def fresh(self) -> Iterator[int]:
        """A new challenge, outstanding for the `with` block: that of a whole handshake."""
        challenge = fresh_challenge()
        with self._lock:
            while challenge in self._outstanding:
                challenge = fresh_challenge()
            self._outstanding.add(challenge)
        try:
            yield challenge
        finally:
            with self._lock:
                self._outstanding.discard(challenge)
                self._ended[challenge] = time.monotonic()
                self._ended.move_to_end(challenge)
                if len(self._ended) > MAX_REMEMBERED:
                    self._ended.popitem(last=False)

    def __contains__(self, challenge: object) -> bool:
        with self._lock:
            while self._ended and next(iter(self._ended.values())) < time.monotonic() - REMEMBERED:
                self._ended.popitem(last=False)
            return challenge in self._outstanding or challenge in self._ended
