"""Which actions a call gets. Source: dialplan_hunt and parse_exten in mod_dialplan_xml.c."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.channel import Channel, Task
from mod_erlang_py.switch.simulated.calls.dialplan.files import Condition, Extension
from mod_erlang_py.switch.simulated.regex import compile_expression

_REFERENCE = re.compile(rb"\$(?:(\d{1,9})|\{(\d{1,9})\})")
_ALWAYS = re.compile(b"")


def hunt(channel: Channel, context: Sequence[Extension]) -> list[Task] | None:
    """The actions up to the first extension of which all conditions hold; None when there are none.

    Of one that does not match, those count that stand before what fails, in FreeSWITCH too.
    """
    tasks: list[Task] = []
    for extension in context:
        shown = extension.name.decode("utf-8", "replace")
        channel.log(LogLevel.DEBUG, f"Dialplan: {channel.name} parsing [{shown}]")
        if extension.unknown:
            text = f"Dialplan: the simulated switch does not know <{extension.unknown}>: [{shown}] does not match"
            channel.log(LogLevel.WARNING, text)
        elif _matches(channel, extension, tasks):
            break
    return tasks or None


def _matches(channel: Channel, extension: Extension, tasks: list[Task]) -> bool:
    """Adds the actions to the tasks."""
    for condition in extension.conditions:
        match = _match(channel, condition)
        if match is None:
            return False
        tasks += (Task(action.application, _substitute(match, action.data)) for action in condition.actions)
    return bool(extension.conditions)


def _match(channel: Channel, condition: Condition) -> re.Match[bytes] | None:
    if condition.field is None:
        return _ALWAYS.search(b"")
    expression = channel.expand(condition.expression)
    if b"$" in condition.field:
        value = channel.expand(condition.field)
    else:
        value = channel.profile.field(condition.field) or b""
    try:
        return compile_expression(expression).search(value)
    except SwitchError as error:
        channel.log(LogLevel.ERR, f"Dialplan: {error}")
        return None


def _substitute(match: re.Match[bytes], data: bytes) -> bytes:
    """$1 or ${1} and so on become what the groups matched; only where the expression has a parenthesis."""
    if b"(" not in match.re.pattern:
        return data

    def group(found: re.Match[bytes]) -> bytes:
        number = int(found.group(1) or found.group(2))
        return match.group(number) or b"" if number <= match.re.groups else b""

    return _REFERENCE.sub(group, data)
