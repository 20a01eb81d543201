"""Applications about variables."""

from __future__ import annotations

import re

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.applications.registry import Calls, application
from mod_erlang_py.switch.simulated.calls.channel import Channel

EXPORTS = b"export_vars"
"""The variable that lists what is exported, separated by commas."""


@application("set", "Set a channel variable", "<varname>=<value>", inline=True)
def set_(channel: Channel, data: bytes, _calls: Calls) -> None:
    """A comma will do where there is no equals sign, as in FreeSWITCH. The value is expanded once more."""
    name, _, value = data.partition(b"=" if b"=" in data else b",")
    if not _named(channel, data):
        return
    channel.set_variable(name, channel.expand(value))


@application("unset", "Unset a channel variable", "<varname>", inline=True)
def unset(channel: Channel, data: bytes, _calls: Calls) -> None:
    if _named(channel, data):
        channel.set_variable(data, None)


@application("export", "Export a channel variable across a bridge", "<varname>=<value>", inline=True)
def export(channel: Channel, data: bytes, _calls: Calls) -> None:
    """With nolocal: before the name only those that are called get it."""
    if not _named(channel, data):
        return
    name, _, value = data.partition(b"=")
    with channel.changed:
        channel.variables.set(name, value)
        names = _names(channel.variables.get(EXPORTS))
        if name not in names:
            channel.variables.set(EXPORTS, b",".join([*names, name]))


def exported(channel: Channel) -> list[tuple[bytes, bytes]]:
    """The variables that somebody gets whom the channel calls."""
    with channel.changed:
        listed = channel.variables.get(EXPORTS)
        if not listed:
            return []
        found = [(EXPORTS, listed)]
        for name in _names(listed):
            value = channel.variables.get(name)
            if value is not None:
                found.append((re.sub(rb"\A(?:nolocal:|_nolocal_)", b"", name), value))
        return found


def _names(listed: bytes | None) -> list[bytes]:
    return [name for name in (listed or b"").split(b",") if name]


def _named(channel: Channel, data: bytes) -> bool:
    if not data:
        channel.log(LogLevel.ERR, "No variable name specified.")
    return bool(data)
