"""What a channel's thread does, state by state. Source: switch_core_session_run in switch_core_state_machine.c."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

from lxml import etree

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.port import Event, Section
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel, Task
from mod_erlang_py.switch.simulated.calls.dialplan.files import DialplanFiles, Extension
from mod_erlang_py.switch.simulated.calls.dialplan.hunt import hunt
from mod_erlang_py.switch.simulated.calls.execution import Execution
from mod_erlang_py.switch.simulated.calls.states import CallState, State

DIALPLAN = b"xml"
"""The only one there is, in any case."""


Params = Callable[[], "Event | None"]
LookUp = Callable[[Section, "bytes | None", "bytes | None", "bytes | None", Params], "etree._Element | None"]


class Machine:
    """call_other_leg: gives the -a leg its -b leg; False when there can be none. look_up: XmlBindings.look_up."""

    def __init__(
        self,
        dialplan: DialplanFiles,
        look_up: LookUp,
        execution: Execution,
        call_other_leg: Callable[[Channel], bool],
    ) -> None:
        self._dialplan = dialplan
        self._look_up = look_up
        self._execution = execution
        self._call_other_leg = call_other_leg
        self._states: dict[State, Callable[[Channel], None]] = {
            State.INIT: self._init,
            State.ROUTING: self._routing,
            State.EXECUTE: self._execute,
        }

    def run(self, channel: Channel) -> None:
        """From CS_INIT to CS_REPORTING, on the channel's thread."""
        while channel.enter_state() < State.HANGUP:
            try:
                self._states.get(channel.running, _rest)(channel)
            except Exception:
                channel.log(LogLevel.CRIT, f"{channel.name} failed\n{traceback.format_exc()}")
                channel.hangup(Cause.CRASH)
            channel.wait(lambda: channel.state != channel.running or channel.transferring)
        _hangup(channel)
        _report(channel)

    def _init(self, channel: Channel) -> None:
        if channel.outbound and not self._call_other_leg(channel):
            channel.hangup(Cause.DESTINATION_OUT_OF_ORDER)
        channel.set_variable(b"loopback_leg", b"A" if channel.outbound else b"B")
        channel.set_state_from(State.INIT, State.ROUTING)
        channel.fire("CHANNEL_CREATE")
        if channel.outbound:
            channel.fire("CHANNEL_ORIGINATE")

    def _routing(self, channel: Channel) -> None:
        if channel.calling:
            channel.set_state_from(State.ROUTING, State.CONSUME_MEDIA)
            return
        channel.set_variable(b"call_uuid", channel.profile.uuid)
        tasks = None
        if channel.profile.dialplan.lower() == DIALPLAN:
            tasks = self._hunt(channel)
        else:
            channel.log(LogLevel.ERR, f"Dialplan [{_shown(channel.profile.dialplan)}] not found, skipping")
        if tasks is None:
            channel.log(LogLevel.INFO, "No Route, Aborting")
            channel.hangup(Cause.NO_ROUTE_DESTINATION)
        else:
            channel.go_on_with(tasks, State.ROUTING)

    def _hunt(self, channel: Channel) -> list[Task] | None:
        profile = channel.profile
        caller = f"{_shown(profile.caller_id_name)} <{_shown(profile.caller_id_number)}>"
        context = _shown(profile.context)
        channel.log(LogLevel.INFO, f"Processing {caller}->{_shown(profile.destination_number)} in context {context}")
        try:
            extensions = self._context(channel, context)
        except SwitchError as error:
            channel.log(LogLevel.ERR, str(error))
            return None
        if extensions is None:
            channel.log(LogLevel.WARNING, f"Context {context} not found")
            return None
        return hunt(channel, extensions)

    def _context(self, channel: Channel, name: str) -> tuple[Extension, ...] | None:
        """Those who are bound to the dialplan are asked first (dialplan_xml_locate)."""
        section = self._look_up(Section.DIALPLAN, None, None, None, channel.request_params)
        if section is not None:
            return self._dialplan.in_section(section, name)
        return self._dialplan.context(name)

    def _execute(self, channel: Channel) -> None:
        channel.set_variable(b"call_uuid", channel.profile.uuid)
        while channel.ready() and (task := channel.next_task()) is not None:
            self._execution.execute(channel, task.application, task.data)
        if channel.ready():
            channel.log(LogLevel.NOTICE, f"{channel.name} has executed the last dialplan instruction, hanging up.")
            channel.hangup(Cause.NORMAL_CLEARING)


def _rest(channel: Channel) -> None:
    """It waits for what others do with it."""


def _hangup(channel: Channel) -> None:
    channel.note_hangup()
    _note_end(channel)
    channel.set_call_state(CallState.HANGUP)
    if channel.other is not None:
        channel.other.hangup(channel.cause)
    channel.end_state(State.REPORTING)
    channel.enter_state()


def _report(channel: Channel) -> None:
    channel.fire("CHANNEL_HANGUP_COMPLETE", ((b"Hangup-Cause", channel.cause.name.encode()),))
    channel.end_state(State.DESTROY)


def _note_end(channel: Channel) -> None:
    """The variables of a call that is over, those that say how and how long. Source: switch_channel_set_timestamps."""
    times = channel.profile.times
    answered = times.answered
    total = times.hungup - times.created
    billed = times.hungup - answered if answered else 0
    application = channel.variables.get(b"current_application")
    argument = channel.variables.get(b"current_application_data")
    channel.set_variables((
        (b"hangup_cause", channel.cause.name.encode()),
        (b"hangup_cause_q850", b"%d" % channel.cause.q850()),
        (b"digits_dialed", channel.dialed or b"none"),
        (b"start_stamp", _stamp(times.created)),
        (b"profile_start_stamp", _stamp(times.profile_created)),
        (b"answer_stamp", _stamp(answered)),
        (b"progress_stamp", b""),
        (b"progress_media_stamp", _stamp(times.progress_media)),
        (b"bridge_stamp", _stamp(times.bridged)),
        (b"end_stamp", _stamp(times.hungup)),
        (b"start_epoch", b"%d" % (times.created // 1_000_000)),
        (b"start_uepoch", b"%d" % times.created),
        (b"answer_epoch", b"%d" % (answered // 1_000_000)),
        (b"answer_uepoch", b"%d" % answered),
        (b"end_epoch", b"%d" % (times.hungup // 1_000_000)),
        (b"end_uepoch", b"%d" % times.hungup),
        (b"last_app", application),
        (b"last_arg", argument),
        (b"caller_id", _caller_id(channel)),
        (b"duration", b"%d" % (times.hungup // 1_000_000 - times.created // 1_000_000)),
        (b"billsec", b"%d" % (times.hungup // 1_000_000 - answered // 1_000_000 if answered else 0)),
        (b"mduration", b"%d" % (total // 1000)),
        (b"billmsec", b"%d" % (billed // 1000)),
        (b"uduration", b"%d" % total),
        (b"billusec", b"%d" % billed),
        (b"is_loopback", b"1"),
    ))  # fmt: skip


def _stamp(moment: int) -> bytes:
    """Local time; nothing for what never was."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment // 1_000_000)).encode() if moment else b""


def _caller_id(channel: Channel) -> bytes:
    name, number = channel.profile.caller_id_name, channel.profile.caller_id_number
    return b'"%s" <%s>' % (name, number) if name else number


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")
