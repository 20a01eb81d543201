"""One leg of a call."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.port import Event, Header
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.headers import (
    WITH_VARIABLES,
    Snapshot,
    channel_headers,
    variable_headers,
)
from mod_erlang_py.switch.simulated.calls.keeping import Keeping
from mod_erlang_py.switch.simulated.calls.messages import MAX_DEPTH, QUEUE_LENGTH, Message
from mod_erlang_py.switch.simulated.calls.profile import Profile, microseconds
from mod_erlang_py.switch.simulated.calls.services import Services
from mod_erlang_py.switch.simulated.calls.states import CallState, State
from mod_erlang_py.switch.simulated.origin import Origin
from mod_erlang_py.switch.simulated.variables import Variables, expand

DIGITS = frozenset(b"0123456789*#ABCDabcdFf")
DIGIT_QUEUE_LENGTH = 100
DIGIT_DURATION = b"2000"
"""In samples, of every digit: FreeSWITCH's default."""


@dataclass(frozen=True, slots=True)
class Task:
    """An action of an extension."""

    application: bytes
    data: bytes


class Channel:
    """What is public may be used by any thread, unless it says otherwise.

    Args:
        number: counts channels (session_id).
        other: the other leg of the loopback pair, for the -b leg.
    """

    def __init__(
        self, services: Services, profile: Profile, number: int, outbound: bool, other: Channel | None = None
    ) -> None:
        self.services = services
        self.uuid = profile.uuid.decode()
        self.name = profile.chan_name.decode("utf-8", "surrogateescape")
        self.number = number
        self.outbound = outbound
        self.other = other
        self.changed = threading.Condition(threading.RLock())
        """Notified whenever something below changes, or something of a channel that is watched."""
        self.keeping = Keeping(self.changed)

        self.first_profile = self.profile = profile
        self.variables = Variables()
        self.state = State.NEW
        self.running = State.NONE
        self.call_state = CallState.DOWN
        self.cause = Cause.NONE
        self.early = self.answered = False
        self.controlled = False
        self.hit_dialplan = not outbound
        self.variables_of_pair: tuple[tuple[bytes, bytes], ...] = ()
        """Those that the other leg of the pair gets too."""
        self.calling = False
        """It is being called: its thread waits for what comes of that (CF_ORIGINATING)."""
        self.transferring = False
        self.tasks: deque[Task] = deque()
        """What is left of its extension."""
        self.other_leg: tuple[bytes, Profile] | None = None
        self.obey: Callable[[Message], None] = lambda _: None
        """What carries out a message, on the channel's thread and without its lock."""
        self.thread: threading.Thread | None = None
        self._watchers: tuple[Channel, ...] = ()
        self.dialed = b""
        """The digits that were taken."""
        self._digits: deque[bytes] = deque()
        self._messages: deque[Message] = deque()
        self._depth = 0
        self._message_lock = False

    # what it is

    @property
    def has_hung_up(self) -> bool:
        return self.state >= State.HANGUP

    @property
    def has_media(self) -> bool:
        return self.answered or self.early

    def ready(self) -> bool:
        """Whether an application may go on (switch_channel_ready)."""
        return State.ROUTING < self.state < State.HANGUP and self.state == self.running and not self.transferring

    def variable(self, name: bytes) -> bytes | None:
        """A variable of its own, else a field of its profile, else a global variable (switch_channel_get_variable)."""
        with self.changed:
            value = self.variables.get(name)
            if value is None:
                value = self.profile.field(name)
        return self.services.variable(name) if value is None else value

    def set_variable(self, name: bytes, value: bytes | None) -> None:
        with self.changed:
            self.variables.set(name, value)

    def set_variables(self, values: Iterable[tuple[bytes, bytes | None]]) -> None:
        with self.changed:
            for name, value in values:
                self.variables.set(name, value)

    def expand(self, text: bytes) -> bytes:
        return expand(text, self.variable)

    def headers(self, variables: bool) -> list[Header]:
        with self.changed:
            snapshot = Snapshot(
                name=self.profile.chan_name,
                uuid=self.profile.uuid,
                call_uuid=self.variables.get(b"call_uuid") or self.profile.uuid,
                outbound=self.outbound,
                hit_dialplan=self.hit_dialplan,
                running=self.running,
                state=self.state,
                call_state=self.call_state,
                answered=self.answered,
                early=self.early,
                cause=self.cause,
                profile=self.profile,
                other=self.other_leg,
            )
            found = channel_headers(snapshot)
            if variables:
                found += variable_headers(self.variables)
        return found

    def data(self, profile_prefix: bytes = b"") -> Event:
        """CHANNEL_DATA, not fired; with the profile under that prefix before all else, if one is given."""
        with self.changed:
            first = self.profile.headers(profile_prefix) if profile_prefix else []
            return self.services.make("CHANNEL_DATA", first + self.headers(True), Origin.caller(1))

    def request_params(self) -> Event:
        """What a look-up of the dialplan is told of it."""
        with self.changed:
            headers = self.headers(True) + self.profile.headers(b"Hunt")
            return self.services.make("REQUEST_PARAMS", headers, Origin.caller(0))

    # what it tells

    def fire(self, name: str, before: Iterable[Header] = (), behind: Iterable[Header] = ()) -> None:
        """An event about it: `before` it, what is known of it, `behind` it."""
        if self.services.wanted(name):
            with self.changed:
                headers = [*before, *self.headers(name in WITH_VARIABLES), *behind]
                self.services.fire(name, headers, Origin.caller(1))

    def log(self, level: LogLevel, text: str) -> None:
        self.services.log(level, text, self.uuid, Origin.caller(1))

    # its state

    def set_state(self, state: State) -> bool:
        """False when it has hung up: then it stays so."""
        with self.changed:
            if self.has_hung_up:
                return False
            self.state = state
            self.changed.notify_all()
        self.tell_watchers()
        return True

    def set_state_from(self, before: State, state: State) -> None:
        """Set it unless it was set to another one than `before` meanwhile."""
        with self.changed:
            changes = self.state == before and not self.transferring
            if changes:
                self.state = state
                self.changed.notify_all()
        if changes:
            self.tell_watchers()

    def enter_state(self) -> State:
        """Begin with the state that was set. By its own thread."""
        with self.changed:
            self.running = self.state
            self.transferring = False
            if self.running == State.ROUTING and not self.outbound:
                self.set_call_state(CallState.RINGING)
            self.fire("CHANNEL_STATE")
            self.changed.notify_all()
        self.tell_watchers()
        return self.running

    def end_state(self, state: State) -> None:
        """The next of the states after the hangup. By its own thread."""
        with self.changed:
            self.state = state
            self.changed.notify_all()

    def set_call_state(self, call_state: CallState) -> None:
        """A call gets no further than ACTIVE by itself, and ends with HANGUP."""
        with self.changed:
            before = self.call_state
            if before == call_state or before == CallState.HANGUP:
                return
            if before == CallState.ACTIVE and call_state in (CallState.RINGING, CallState.EARLY):
                return
            self.call_state = call_state
            told = (
                (b"Original-Channel-Call-State", before.name.encode()),
                (b"Channel-Call-State-Number", b"%d" % call_state),
            )
            self.fire("CHANNEL_CALLSTATE", told)

    def hangup(self, cause: Cause) -> bool:
        """False when it has hung up before, or is about to be hung up."""
        with self.changed:
            if self.has_hung_up:
                return False
            was = self.state
            self.state = State.HANGUP
            self.cause = cause
            self.fire("CHANNEL_HANGUP")
            self.changed.notify_all()
        self.tell_watchers()
        self.log(LogLevel.NOTICE, f"Hangup {self.name} [{was.text}] [{cause.name}]")
        return True

    def mark_early(self) -> None:
        with self.changed:
            if self.early or self.answered or self.has_hung_up:
                return
            self.early = True
            self.variables.set(b"endpoint_disposition", b"EARLY MEDIA")
            self._note(progress_media=microseconds())
            self.fire("CHANNEL_PROGRESS_MEDIA")
            self.set_call_state(CallState.EARLY)
            self.changed.notify_all()
        self.tell_watchers()
        self.log(LogLevel.NOTICE, f"Pre-Answer {self.name}!")

    def mark_answered(self) -> None:
        with self.changed:
            if self.answered or self.has_hung_up:
                return
            self.answered = True
            self._note(answered=microseconds())
            self.fire("CHANNEL_ANSWER")
            self.variables.set(b"endpoint_disposition", b"ANSWER")
            self.set_call_state(CallState.ACTIVE)
            self.changed.notify_all()
        self.tell_watchers()
        self.log(LogLevel.NOTICE, f"Channel [{self.name}] has been answered")

    def note_hangup(self) -> None:
        with self.changed:
            self._note(hungup=microseconds())

    def note_bridge(self) -> None:
        with self.changed:
            self._note(bridged=microseconds())

    def _note(self, **times: int) -> None:
        self.profile = replace(self.profile, times=replace(self.profile.times, **times))

    # waiting for it

    def watch(self, other: Channel) -> None:
        """From now on what happens to the other one wakes those who wait for this one."""
        with other.changed:
            other._watchers += (self,)

    def watch_no_more(self, other: Channel) -> None:
        with other.changed:
            other._watchers = tuple(one for one in other._watchers if one is not self)

    def wake(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def tell_watchers(self) -> None:
        """Without a lock held: theirs is taken."""
        for watcher in self._watchers:
            watcher.wake()

    def wait(self, until: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until it is so, obeying messages meanwhile; False when the time is over. By its own thread.

        until: called with the lock held. seconds: None for ever; the time that messages take counts.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            with self.changed:
                message = self._wait_for_message(until, deadline)
            if message is None:
                return until()
            self._obey(message)

    def _wait_for_message(self, until: Callable[[], bool], deadline: float | None) -> Message | None:
        while not until():
            if self._messages and not self._message_lock and self._depth < MAX_DEPTH:
                return self._messages.popleft()
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self.changed.wait(left)
        return None

    # what it is told

    def send(self, message: Message) -> bool:
        """Queue a message; False when there are too many, or the channel has ended."""
        with self.changed:
            if self.has_hung_up or len(self._messages) >= QUEUE_LENGTH:
                return False
            self._messages.append(message)
            self.changed.notify_all()
            return True

    def _obey(self, message: Message) -> None:
        self._depth += 1
        locked_before, self._message_lock = self._message_lock, self._message_lock or message.lock
        try:
            self.obey(message)
        finally:
            self._message_lock = locked_before
            self._depth -= 1

    @property
    def depth(self) -> int:
        return self._depth

    def let_go(self) -> bool:
        """End its parking; False when it is not parked."""
        with self.changed:
            was_parked, self.controlled = self.controlled, False
            self.changed.notify_all()
        return was_parked

    # digits

    def receive_digits(self, digits: Iterable[int]) -> None:
        """Digits that the caller dials; the oldest go when there are too many."""
        with self.changed:
            self._digits.extend(bytes([digit]) for digit in digits if digit in DIGITS)
            while len(self._digits) > DIGIT_QUEUE_LENGTH:
                self._digits.popleft()
            self.changed.notify_all()
        self.tell_watchers()

    def has_digits(self) -> bool:
        return bool(self._digits)

    def take_digit(self) -> bytes | None:
        """The next digit, with its DTMF event; None when there is none."""
        with self.changed:
            if not self._digits:
                return None
            digit = self._digits.popleft()
            told = ((b"DTMF-Digit", digit), (b"DTMF-Duration", DIGIT_DURATION), (b"DTMF-Source", b"APP"))
            self.fire("DTMF", behind=told)
            self.dialed += digit
            return digit

    # what is left of its extension

    def next_task(self) -> Task | None:
        with self.changed:
            return self.tasks.popleft() if self.tasks else None

    def go_on_with(self, tasks: Sequence[Task], before: State | None = None) -> None:
        """Execute this from now on, instead of what it does. before: only if that is its state still."""
        with self.changed:
            if self.has_hung_up or (before is not None and (self.state != before or self.transferring)):
                return
            self.tasks = deque(tasks)
            self.calling = False
            self.hit_dialplan = True
            self.state = State.EXECUTE
            self.changed.notify_all()
        self.tell_watchers()
