"""Applications that a call executes, and whose end somebody waits for.

Each has a Subscription to its call's events: the pump finds the one that tells of its end, by the Application-UUID that
the switch was given with the command (switch_ivr_parse_event, switch_core_session_exec). No thread waits; one knows
when the next time is over. Whatever happens at once, Subscriptions.end has one of them be the one.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from mod_erlang_py.errors import Exhausted
from mod_erlang_py.events.subscription import Notice, Subscription
from mod_erlang_py.events.subscriptions import Subscriptions
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Form, Header, Received, Switch

from .asking import Asking, Found
from .ends import ENDS, HANGUP, has_ended

log = logging.getLogger(__name__)

COMPLETE = "CHANNEL_EXECUTE_COMPLETE"
OBEYED = "PRIVATE_COMMAND"
"""The session is done with a command, whatever came of it. It does not tell so when it is parked without media."""
OVERTAKEN = 1.0
"""Seconds by which an event may come later than one that was fired behind it: a switch that was overwhelmed once
dispatches events by several threads."""


class Failure(Enum):
    """Why there is no result. NOT_EXECUTED: the session would not; the log has its reason."""

    HANGUP = "hangup"
    TIMEOUT = "timeout"
    NOT_EXECUTED = "notexecuted"


@dataclass(frozen=True, slots=True)
class Completed:
    """The headers of the event CHANNEL_EXECUTE_COMPLETE, in order."""

    uuid: bytes
    headers: Sequence[Header]

    @property
    def response(self) -> bytes:
        """What the application says of itself; `_none_` from one that says nothing."""
        return next((value for name, value in self.headers if name == b"Application-Response"), b"")

    @property
    def variables(self) -> dict[bytes, bytes]:
        """The channel's variables, as they were then."""
        prefix = b"variable_"
        return {name[len(prefix) :]: value for name, value in self.headers if name.startswith(prefix)}


Answer: TypeAlias = Callable[["Completed | Failure"], None]


@dataclass(eq=False, slots=True)
class Wait:
    """deadline: of time.monotonic(), or infinity; late: what the answer is then. ends_call: whether the application is
    to have the call end. completed: the last of several loops so far."""

    target: Target
    subscription: Subscription
    deadline: float
    answer: Answer
    ends_call: bool
    late: Failure = Failure.TIMEOUT
    completed: Completed | None = None
    watched: Found | None = None


class Executes:
    """form: of the subscriptions, which get no events. most, of_node: executes that are waited for at once, by all
    nodes and by one."""

    def __init__(
        self, switch: Switch, subscriptions: Subscriptions, asking: Asking, form: Form, most: int, of_node: int
    ) -> None:
        self._switch = switch
        self._subscriptions = subscriptions
        self._asking = asking
        self._form = form
        self._most = most
        self._of_node = of_node
        self._changed = threading.Condition()
        self._waits: dict[Wait, None] = {}
        self._of_nodes: Counter[Link] = Counter()
        self._wakes_at = math.inf
        self._stopping = False

    def configure(self, most: int, of_node: int) -> None:
        self._most = most
        self._of_node = of_node

    def wait(
        self, uuid: str, application: str, app_uuid: bytes, target: Target, seconds: float, answer: Answer
    ) -> Wait | None:
        """From now on it is noticed when the call is done with the application that has this Application-UUID.

        target: the process that waits; when that ends, nobody does. answer: called once, from another thread, perhaps
        before this returns. None when the target's node is gone. Raises Exhausted.
        """
        link = target.link
        subscription = Subscription(
            self._form,
            lambda _: self._gone(wait),
            target=target,
            call=uuid.encode(),
            notice=Notice(ENDS | {COMPLETE, OBEYED, HANGUP}, lambda received: self._notice(wait, app_uuid, received)),
        )
        wait = Wait(target, subscription, time.monotonic() + seconds, answer, application.lower() == "hangup")
        with self._changed:
            if self._of_nodes.total() >= self._most:
                raise Exhausted(f"max-executes: {self._most} executes are waited for already")
            if self._of_nodes.get(link, 0) >= self._of_node:
                raise Exhausted(
                    f"max-executes-per-node: {self._of_node} executes of {link.name} are waited for already"
                )
            self._of_nodes[link] += 1
        if not self._subscriptions.add(subscription):
            self._count_off(link)
            return None
        with self._changed:
            self._waits[wait] = None
            if wait.deadline < self._wakes_at:
                self._changed.notify()
        wait.watched = self._asking.monitored(target, lambda _: self._gone(wait))
        if subscription.ended:  # before all of this was known
            self._forget(wait)
        return wait

    def _notice(self, wait: Wait, app_uuid: bytes, received: Received) -> None:
        """In the pump's thread."""
        if received.name == COMPLETE:
            if received.header(b"Application-UUID") == app_uuid:
                wait.completed = Completed(received.uuid or b"", list(received.headers()))
                if wait.late is Failure.NOT_EXECUTED or not _again(received):
                    self._end(wait, wait.completed)
        elif received.name == OBEYED:
            if received.header(b"event-uuid") == app_uuid:
                if wait.completed is not None:
                    self._end(wait, wait.completed)
                else:
                    self._soon_over(wait)
        elif (received.name != HANGUP or not wait.ends_call) and self._call_has_ended(wait):
            self._end(wait, Failure.HANGUP)

    def _call_has_ended(self, wait: Wait) -> bool:
        return has_ended(self._switch, (wait.subscription.call or b"").decode())

    def _soon_over(self, wait: Wait) -> None:
        """The session is done with the command, and no application has been: unless that event was overtaken."""
        with self._changed:
            wait.late = Failure.NOT_EXECUTED
            wait.deadline = min(wait.deadline, time.monotonic() + OVERTAKEN)
            self._changed.notify()

    def look_after(self) -> None:
        """Events were lost: end the waits for calls whose end was among them. For the others' it is not known whether
        they are done."""
        with self._changed:
            waits = list(self._waits)
        for wait in waits:
            if self._call_has_ended(wait):
                self._end(wait, Failure.HANGUP)

    def _end(self, wait: Wait, how: Completed | Failure) -> None:
        if self.drop(wait):
            wait.answer(how)

    def _gone(self, wait: Wait) -> None:
        """The process that waits is gone, or its node."""
        self.drop(wait)

    def drop(self, wait: Wait) -> bool:
        """Wait no more, and do not answer. False when the wait is over already."""
        if not self._subscriptions.end(wait.subscription):
            return False
        self._forget(wait)
        return True

    def _forget(self, wait: Wait) -> None:
        with self._changed:
            known = wait in self._waits
            self._waits.pop(wait, None)
        if known:
            self._count_off(wait.target.link)
        if wait.watched is not None:
            self._asking.leave(wait.watched)

    def _count_off(self, link: Link) -> None:
        with self._changed:
            self._of_nodes[link] -= 1
            if not self._of_nodes[link]:
                del self._of_nodes[link]

    # times that are over

    def run(self) -> None:
        """The thread that knows when the next time is over."""
        while not self._stopping:
            now = time.monotonic()
            with self._changed:
                over = [wait for wait in self._waits if wait.deadline <= now]
            for wait in sorted(over, key=lambda wait: wait.deadline):
                try:
                    self._end(wait, wait.late)
                except Exception:
                    log.exception("an execute that took too long could not be answered")
            with self._changed:
                waits = [wait for wait in self._waits if not wait.subscription.ended]  # which somebody else will forget
                self._wakes_at = min((wait.deadline for wait in waits), default=math.inf)
                if not self._stopping and self._wakes_at > now:
                    left = self._wakes_at - time.monotonic()
                    self._changed.wait(None if left == math.inf else min(max(left, 0), threading.TIMEOUT_MAX))

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def __len__(self) -> int:
        return len(self._waits)


def _again(received: Received) -> bool:
    """Whether the application is to be executed again (the header `loops`)."""
    loop, loops = received.header(b"variable_current_loop"), received.header(b"variable_total_loops")
    return loop is not None and loops is not None and loop != loops
