"""Calls whose threads are in the application `erlang`, where they park, and letting go of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mod_erlang_py.events.subscription import Notice, Subscription
from mod_erlang_py.events.subscriptions import Subscriptions
from mod_erlang_py.switch.port import Form, Received, Session, Switch

PARKED = frozenset({"CHANNEL_PARK"})
STOP_TIME = 1.0
"""Seconds that calls have, at the end, to leave the application."""
LOOK = 0.01
"""Seconds between two looks whether they have."""


@dataclass(eq=False, slots=True)
class Run:
    """The application, as it runs on a call's thread. go_on: whether the call was let go meanwhile. waiting: what lets
    go of it once it has parked."""

    thread: int
    go_on: bool = False
    waiting: list[Subscription] = field(default_factory=list)


class Parking:
    """form: of the subscriptions."""

    def __init__(self, switch: Switch, subscriptions: Subscriptions, form: Form) -> None:
        self._switch = switch
        self._subscriptions = subscriptions
        self._form = form
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}

    @contextmanager
    def run(self, uuid: str) -> Iterator[Run]:
        """The application runs on the call's thread, which is the calling one."""
        run = Run(threading.get_ident())
        with self._lock:
            self._runs[uuid] = run
        try:
            yield run
        finally:
            with self._lock:
                del self._runs[uuid]
            for one in run.waiting:
                self._subscriptions.end(one)

    def let_go(self, session: Session) -> None:
        """Have the dialplan go on: now, or as soon as the application that is about to park the call has done so."""
        with self._lock:
            run = self._runs.get(session.uuid)
            if run is not None:
                run.go_on = True
        if session.let_go() or run is None or run.thread == threading.get_ident():
            return
        once_parked = Subscription(
            self._form, lambda _: None, call=session.uuid.encode(), notice=Notice(PARKED, self._parked)
        )
        self._subscriptions.add(once_parked)
        with self._lock:
            runs = self._runs.get(session.uuid) is run
            if runs:
                run.waiting.append(once_parked)
        if not runs or session.let_go():  # it has parked before anybody would have told
            self._subscriptions.end(once_parked)

    def _parked(self, received: Received) -> None:
        """In the pump's thread."""
        self._let_go_of((received.uuid or b"").decode(errors="replace"))

    def look_after(self) -> None:
        """Events were lost: perhaps those that told of a parking."""
        with self._lock:
            waiting = [uuid for uuid, run in self._runs.items() if run.waiting]
        for uuid in waiting:
            self._let_go_of(uuid)

    def stop(self) -> None:
        """Calls that were let go when they were about to park go on: no event tells any more that they have parked."""
        deadline = time.monotonic() + STOP_TIME
        while (left := self._let_go_already()) and time.monotonic() < deadline:
            for uuid in left:
                self._let_go_of(uuid)
            time.sleep(LOOK)

    def _let_go_already(self) -> list[str]:
        with self._lock:
            return [uuid for uuid, run in self._runs.items() if run.go_on]

    def _let_go_of(self, uuid: str) -> None:
        with self._switch.locate(uuid) as session:
            if session is not None:
                session.let_go()
