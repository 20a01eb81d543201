"""Running an application on a channel. Source: switch_core_session_execute_application and _exec."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Callable

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.applications import Application, Calls, names
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.messages import Execute, Hangup, Message
from mod_erlang_py.switch.simulated.calls.progress import pre_answer

RESPONSE = b"current_application_response"

Find = Callable[[str], "Application | None"]
"""The application of that name."""


class Execution:
    def __init__(self, find: Find, calls: Calls) -> None:
        self._find = find
        self._calls = calls

    def execute(self, channel: Channel, name: bytes, data: bytes, app_uuid: bytes = b"") -> None:
        """On the channel's thread, which is hung up when there is no such application.

        One that needs media gets it: the channel is pre-answered.
        """
        if channel.has_hung_up:
            return
        application = self._find(name.decode("utf-8", "replace"))
        if application is None:
            shown = name.decode("utf-8", "replace")
            channel.log(LogLevel.ERR, f"Invalid Application {shown}")
            channel.log(LogLevel.WARNING, f"The simulated switch has no {shown}, only {', '.join(names())}")
            channel.hangup(Cause.DESTINATION_OUT_OF_ORDER)
            return
        if application.media:
            pre_answer(channel)
        self._run(channel, application, data, app_uuid)

    def obey(self, channel: Channel, message: Message) -> None:
        """On the channel's thread."""
        order = message.order
        if isinstance(order, Hangup):
            channel.hangup(Cause.of(order.cause.decode("ascii", "replace")))
        elif isinstance(order, Execute):
            self.execute(channel, order.application, order.argument, order.uuid)
        else:
            shown = order.command.decode("utf-8", "replace")
            channel.log(LogLevel.ERR, f"Invalid Command! The simulated switch does not know call-command {shown!r}")

    def _run(self, channel: Channel, application: Application, data: bytes, app_uuid: bytes) -> None:
        data = channel.expand(data)
        shown = data.decode("utf-8", "replace")
        channel.log(LogLevel.INFO, f"EXECUTE [depth={channel.depth}] {channel.name} {application.name}({shown})")
        name = application.name.encode()
        channel.set_variables((
            (b"current_application_data", data), (b"current_application", name), (RESPONSE, None)
        ))  # fmt: skip
        app_uuid = app_uuid or str(uuid.uuid4()).encode()
        about = ((b"Application", name), *(((b"Application-Data", data),) if data else ()))
        identity = (b"Application-UUID", app_uuid)
        channel.fire("CHANNEL_EXECUTE", behind=(*about, identity))
        try:
            application.run(channel, data, self._calls)
        except Exception:
            channel.log(LogLevel.ERR, f"the application {application.name} failed\n{traceback.format_exc()}")
        response = channel.variable(RESPONSE) or b"_none_"
        channel.fire("CHANNEL_EXECUTE_COMPLETE", behind=(*about, (b"Application-Response", response), identity))
