"""Where calls are made, found and ended."""

from __future__ import annotations

import threading
import time
import uuid as uuids
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.bridging import bridge
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel, Task
from mod_erlang_py.switch.simulated.calls.dialing import Dialed, Endpoint, dialed_by
from mod_erlang_py.switch.simulated.calls.dialplan.files import DialplanFiles
from mod_erlang_py.switch.simulated.calls.execution import Execution, Find
from mod_erlang_py.switch.simulated.calls.headers import CODEC, RATE
from mod_erlang_py.switch.simulated.calls.machine import LookUp, Machine
from mod_erlang_py.switch.simulated.calls.profile import Profile, Times
from mod_erlang_py.switch.simulated.calls.progress import pre_answer
from mod_erlang_py.switch.simulated.calls.services import Services
from mod_erlang_py.switch.simulated.calls.states import CallState, State
from mod_erlang_py.switch.simulated.calls.table import Counts, Table
from mod_erlang_py.switch.simulated.calls.transfer import transfer
from mod_erlang_py.switch.simulated.origin import Origin

OUTBOUND_NAME = b"Outbound Call"
"""The callee's name of a call to nobody that is known."""

END_SECONDS = 10.0
"""How long stop() waits for the channels' threads; one that hangs in an application of the module is left alone."""

_CODECS = ((b"read_codec", CODEC), (b"read_rate", RATE), (b"write_codec", CODEC), (b"write_rate", RATE))


class Exchange:
    """find_application: by name, the module's too."""

    def __init__(self, services: Services, dialplan: DialplanFiles, look_up: LookUp, find_application: Find) -> None:
        self._services = services
        self._table = Table()
        self._execution = Execution(find_application, self)
        self._machine = Machine(dialplan, look_up, self._execution, self._add_other_leg)
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._ending: list[threading.Thread] = []
        """Threads with nothing more to do, which may not have ended quite yet."""

    # finding

    def find(self, uuid: str) -> Channel | None:
        """The channel, if it has not hung up."""
        channel = self._table.find(uuid)
        return None if channel is None or channel.has_hung_up else channel

    @contextmanager
    def held(self, uuid: str, ended: bool) -> Iterator[Channel | None]:
        """The same, not destroyed within the `with` block. ended: even if it has hung up."""
        channel = self._table.find(uuid)
        if channel is None:
            yield None
            return
        with channel.keeping.held(lambda: ended or not channel.has_hung_up) as there:
            yield channel if there else None

    def channels(self) -> list[Channel]:
        return self._table.all()

    def counts(self) -> Counts:
        return self._table.counts()

    # making

    def originate(self, dialed: Dialed, tasks: Sequence[Task] | Endpoint) -> Channel | Cause:
        """Call somebody, and have the channel do something once it is answered; why that was not to be.

        tasks: applications, or an extension to be routed. By any thread but a channel's own; waits for the answer.
        """
        leg = self._dial(dialed, None)
        if isinstance(leg, Cause):
            return leg
        early = not dialed.waits_for_answer()
        seconds, too_late = dialed.patience()
        with leg.changed:
            in_time = leg.changed.wait_for(lambda: _answered(leg, early), seconds)
        if not in_time:
            leg.hangup(too_late)
        if leg.has_hung_up:
            return leg.cause
        _turn_around(leg)
        if isinstance(tasks, Endpoint):
            transfer(leg, tasks.extension, tasks.dialplan, tasks.context)
        else:
            leg.go_on_with(tasks)
        return leg

    def bridge(self, channel: Channel, dial_string: bytes) -> Cause | None:
        """By the channel's thread. Sets originate_disposition and DIALSTATUS; originate_failed_cause when nobody
        answers, and then last_bridge_hangup_cause if somebody was called."""
        if channel.answered:
            channel.set_call_state(CallState.RING_WAIT)
        dialed = dialed_by(dial_string)
        leg = self._dial(dialed, channel)
        cause = leg if isinstance(leg, Cause) else self._await(channel, leg, dialed)
        disposition = b"SUCCESS" if cause is None else cause.name.encode()
        status = _DIAL_STATUS.get(cause, disposition)
        channel.set_variables(((b"originate_disposition", disposition), (b"DIALSTATUS", status)))
        if channel.answered:
            channel.set_call_state(CallState.ACTIVE)
        if isinstance(leg, Channel) and cause is not None:
            channel.set_variable(b"last_bridge_hangup_cause", disposition)
        if cause is not None or isinstance(leg, Cause):
            channel.set_variable(b"originate_failed_cause", disposition)
            return cause
        channel.watch(leg)
        try:
            bridge(channel, leg)
        finally:
            channel.watch_no_more(leg)
        return None

    def _await(self, channel: Channel, leg: Channel, dialed: Dialed) -> Cause | None:
        """Until somebody answers the channel's call; why nobody does."""
        early = not dialed.waits_for_answer()
        seconds, too_late = dialed.patience(channel.variable(b"call_timeout"))
        channel.watch(leg)
        try:
            in_time = channel.wait(lambda: not channel.ready() or _answered(leg, early), seconds)
        finally:
            channel.watch_no_more(leg)
        with leg.changed:
            leg.calling = False
        if not channel.ready():
            leg.hangup(Cause.ORIGINATOR_CANCEL)
        elif not in_time:
            leg.hangup(too_late)
        return leg.cause if leg.has_hung_up else None

    def _dial(self, dialed: Dialed, caller: Channel | None) -> Channel | Cause:
        """The -a leg of a new loopback pair, on its way; why there can be none."""
        endpoint = dialed.endpoint
        if endpoint is None:
            return Cause.CHAN_NOT_IMPLEMENTED
        if caller is not None:
            pre_answer(caller)
        number = self._table.reserve()
        if number is None:
            return self._refuse()
        uuid = (dialed.variable(b"origination_uuid") or b"").decode("ascii", "ignore")
        if not uuid or self._table.find(uuid) is not None:
            uuid = str(uuids.uuid4())
        leg = Channel(self._services, _called_profile(uuid, dialed, endpoint, caller), number, outbound=True)
        leg.calling = True
        leg.variables_of_pair = dialed.variables
        leg.set_variables((
            (b"direction", b"outbound"),
            (b"is_outbound", b"true"),
            (b"uuid", leg.profile.uuid),
            (b"session_id", b"%d" % number),
            *_CODECS,
            (b"channel_name", leg.profile.chan_name),
            *_of_caller(caller),
            *dialed.variables,
            (b"originate_early_media", b"false" if dialed.waits_for_answer() else b"true"),
            (b"originate_endpoint", b"loopback"),
        ))  # fmt: skip
        if caller is not None:
            leg.other_leg = (b"originator", caller.profile.as_other(Times.never()))
        if not self._table.add(leg):
            return self._refuse()
        leg.set_state(State.INIT)
        leg.fire("CHANNEL_OUTGOING")
        leg.log(LogLevel.NOTICE, f"New Channel {leg.name} [{leg.uuid}]")
        self._launch(leg)
        return leg

    def _refuse(self) -> Cause:
        text = "The system cannot create any more sessions at this time."
        self._services.log(LogLevel.CRIT, text, "", Origin.caller(0))
        return Cause.DESTINATION_OUT_OF_ORDER

    def _add_other_leg(self, leg: Channel) -> bool:
        """The -b leg of the pair, on its way; False when there can be none. By the -a leg's thread."""
        number = self._table.reserve()
        if number is None:
            self._refuse()
            return False
        uuid = str(uuids.uuid4())
        name = leg.profile.chan_name[: -len(b"-a")] + b"-b"
        profile = replace(
            leg.first_profile, uuid=uuid.encode(), chan_name=name, direction=b"inbound", logical_direction=b"inbound"
        )
        other = Channel(self._services, profile, number, outbound=False, other=leg)
        other.set_variables((
            (b"direction", b"inbound"),
            (b"uuid", profile.uuid),
            (b"session_id", b"%d" % number),
            (b"channel_name", name),
            *_CODECS,
            *leg.variables_of_pair,
            (b"other_loopback_leg_uuid", leg.profile.uuid),
            (b"other_loopback_from_uuid", leg.variables.get(b"loopback_from_uuid")),
        ))  # fmt: skip
        if not self._table.add(other):
            self._refuse()
            return False
        leg.other = other
        leg.set_variable(b"other_loopback_leg_uuid", profile.uuid)
        other.set_state(State.INIT)
        other.log(LogLevel.NOTICE, f"New Channel {other.name} [{other.uuid}]")
        self._launch(other)
        return True

    def _launch(self, channel: Channel) -> None:
        channel.obey = lambda message: self._execution.obey(channel, message)
        channel.thread = threading.Thread(
            target=self._run, args=(channel,), name=f"simulated-call-{channel.name}", daemon=True
        )
        with self._lock:
            self._ending = [thread for thread in self._ending if thread.is_alive()]
            self._threads.add(channel.thread)
        channel.thread.start()

    def _run(self, channel: Channel) -> None:
        try:
            self._machine.run(channel)
            channel.keeping.wait()
        finally:
            self._table.remove(channel)
            channel.fire("CHANNEL_DESTROY")
            channel.enter_state()
            channel.log(LogLevel.NOTICE, f"Session {channel.number} ({channel.name}) Ended")
            with self._lock:
                self._threads.discard(threading.current_thread())
                self._ending.append(threading.current_thread())

    # ending

    def close(self) -> None:
        """Make no more calls, and end all there are. Their threads may go on until join()."""
        for channel in self._table.close():
            channel.hangup(Cause.SYSTEM_SHUTDOWN)

    def join(self) -> None:
        """Behind close(): returns when the channels' threads have ended, or after END_SECONDS."""
        deadline = time.monotonic() + END_SECONDS
        for channel in self._table.all():
            channel.keeping.soft_lock(0)
        with self._lock:
            threads = [*self._threads, *self._ending]
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))


def _answered(leg: Channel, early: bool) -> bool:
    """Whether it is known what came of the call; an answer counts once the leg is set up."""
    begun = leg.running not in (State.NONE, State.INIT)
    return leg.has_hung_up or (begun and (leg.answered or (early and leg.early)))


_DIAL_STATUS: dict[Cause | None, bytes] = {
    Cause.USER_BUSY: b"BUSY",
    Cause.NO_ANSWER: b"NOANSWER",
    Cause.ORIGINATOR_CANCEL: b"CANCEL",
    Cause.CALL_REJECTED: b"DONTCALL",
    Cause.DESTINATION_OUT_OF_ORDER: b"INVALIDARGS",
    Cause.INVALID_PROFILE: b"INVALIDARGS",
}


def _called_profile(uuid: str, dialed: Dialed, endpoint: Endpoint, caller: Channel | None) -> Profile:
    name = dialed.variable(b"origination_caller_id_name")
    number = dialed.variable(b"origination_caller_id_number")
    called = Profile(
        uuid=uuid.encode(),
        chan_name=b"loopback/%s-a" % endpoint.extension,
        destination_number=endpoint.extension,
        context=endpoint.context,
        dialplan=endpoint.dialplan,
        direction=b"outbound",
        logical_direction=b"outbound",
        callee_id_name=OUTBOUND_NAME,
        callee_id_number=endpoint.last,
    )
    if caller is not None:
        origin = caller.profile
        return replace(
            called,
            dialplan=origin.dialplan,
            caller_id_name=name or origin.caller_id_name,
            caller_id_number=number or origin.caller_id_number,
            orig_caller_id_name=origin.orig_caller_id_name,
            orig_caller_id_number=origin.orig_caller_id_number,
            ani=origin.ani,
            rdnis=origin.rdnis,
        )
    name, number = name or called.caller_id_name, number or called.caller_id_number
    return replace(
        called,
        caller_id_name=name,
        caller_id_number=number,
        orig_caller_id_name=name,
        orig_caller_id_number=number,
        ani=number,
    )


def _of_caller(caller: Channel | None) -> tuple[tuple[bytes, bytes | None], ...]:
    if caller is None:
        return ()
    uuid = caller.profile.uuid
    return (
        (b"loopback_from_uuid", uuid),
        (b"originator", uuid),
        (b"signal_bond", uuid),
        (b"call_uuid", uuid),
        (b"originating_leg_uuid", uuid),
    )


def _turn_around(leg: Channel) -> None:
    """Who was called is the caller from now on (channel_cid_flipped)."""
    with leg.changed:
        old = leg.profile
        leg.variables.set(b"pre_transfer_caller_id_name", old.caller_id_name)
        leg.variables.set(b"pre_transfer_caller_id_number", old.caller_id_number)
        leg.variables.set(b"channel_cid_flipped", b"yes")
        leg.profile = replace(
            old,
            caller_id_name=old.callee_id_name,
            caller_id_number=old.callee_id_number,
            callee_id_name=old.caller_id_name,
            callee_id_number=old.caller_id_number,
        )
