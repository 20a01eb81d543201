"""Which actions a call gets. Source: dialplan_hunt and parse_exten in mod_dialplan_xml.c."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.simulated.calls.channel import Channel, Task
from mod_erlang_py.switch.simulated.calls.dialplan.model import Action, Break, Condition, Extension
from mod_erlang_py.switch.simulated.regex import compile_expression

MAX_DEPTH = 100
"""Conditions within conditions."""

Inline = Callable[[Channel, bytes, bytes], None]
"""Runs an application, with its data, at once."""

_REFERENCE = re.compile(rb"\$(?:(\d{1,9})|\{(\d{1,9})\})")


def hunt(channel: Channel, context: Sequence[Extension], inline: Inline) -> list[Task] | None:
    """The actions of the extensions that match; None when nothing does. On the channel's thread."""
    hunting = _Hunting(channel, inline)
    for extension in context:
        shown = extension.name.decode("utf-8", "replace")
        channel.log(LogLevel.DEBUG, f"Dialplan: {channel.name} parsing [{shown}]")
        if hunting.matches(extension.conditions) and not extension.goes_on:
            break
    return hunting.tasks if hunting.found else None


@dataclass(slots=True)
class _Hunting:
    channel: Channel
    inline: Inline
    tasks: list[Task] = field(default_factory=list)
    found: bool = False

    def matches(self, conditions: Sequence[Condition], depth: int = 0) -> bool:
        """Whether the last condition that was looked at held, or had anti-actions."""
        proceed = False
        if depth > MAX_DEPTH:
            self.channel.log(LogLevel.ERR, "Recursion LIMIT!")
            return False
        for condition in conditions:
            match = self._match(condition)
            holds = match is not None
            proceed = holds
            if match is not None:
                for action in condition.actions:
                    self._take(action, _substitute(match, action.data))
            else:
                for action in condition.anti_actions:
                    self._take(action, action.data)
                    proceed = True
            ends = {Break.ON_TRUE: holds, Break.ON_FALSE: not holds, Break.ALWAYS: True, Break.NEVER: False}
            if ends[condition.break_]:
                break
            if proceed and condition.nested:
                proceed = self.matches(condition.nested, depth + 1) or not condition.require_nested
                if not proceed and condition.break_ is not Break.NEVER:
                    return False
        return proceed

    def _match(self, condition: Condition) -> re.Match[bytes] | None:
        if condition.unknown:
            text = f"Dialplan: the simulated switch does not know conditions on {condition.unknown}: it does not hold"
            self.channel.log(LogLevel.WARNING, text)
            return None
        if condition.field is None:
            return _ALWAYS.search(b"")
        expression = self.channel.expand(condition.expression)
        if b"$" in condition.field:
            value = self.channel.expand(condition.field)
        else:
            value = self.channel.profile.field(condition.field) or b""
        try:
            return compile_expression(expression).search(value)
        except SwitchError as error:
            self.channel.log(LogLevel.ERR, f"Dialplan: {error}")
            return None

    def _take(self, action: Action, data: bytes) -> None:
        self.found = True
        for _ in range(action.loop):
            if action.inline:
                self.inline(self.channel, action.application, data)
            else:
                self.tasks.append(Task(action.application, data))


_ALWAYS = re.compile(b"")


def _substitute(match: re.Match[bytes], data: bytes) -> bytes:
    """$1 or ${1} and so on become what the groups matched; only where the expression has a parenthesis."""
    if b"(" not in match.re.pattern:
        return data

    def group(found: re.Match[bytes]) -> bytes:
        number = int(found.group(1) or found.group(2))
        return match.group(number) or b"" if number <= match.re.groups else b""

    return _REFERENCE.sub(group, data)
