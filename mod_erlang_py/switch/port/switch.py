"""The switch itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from mod_erlang_py.log_levels import LogLevel

from .events import Encoder, Event, EventSource, Form, Implementation
from .module import Module
from .session import Session
from .xml import Fetch, XmlBinding


class ApiResult(NamedTuple):
    """What an API command did.

    found: the switch has the command. success: it returned SWITCH_STATUS_SUCCESS. output: all that it wrote.
    """

    found: bool
    success: bool
    output: bytes


Params: TypeAlias = Sequence[tuple[str, str]]
"""Each <param name= value=>, in order."""


class Settings(NamedTuple):
    """A <configuration>. params: of its <settings>. nodes: of each <node> in it, the name and the params."""

    params: Params = ()
    nodes: Sequence[tuple[str, Params]] = ()


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the switch's log (switch_log_node_t).

    channel: switch_text_channel_t. text: as the switch has it, line feed included. uuid: the call's, or b"".
    """

    level: LogLevel
    channel: int
    file: bytes
    function: bytes
    line: int
    text: bytes
    uuid: bytes


class Switch(Protocol):
    """One switch. Methods may be called from any thread; none of them is called while holding a lock of ours."""

    description: str
    """For people: "FreeSWITCH 1.11.1" or "simulated switch"."""

    def execute(self, command: str, arguments: bytes) -> ApiResult:
        """Run an API command to its end (switch_api_execute); may take as long as the command takes."""

    def event_type(self, name: str) -> str | None:
        """The event type of that name in any case ("heartbeat" -> "HEARTBEAT", "all" -> "ALL"), or None
        (switch_name_event)."""

    def event_types(self) -> Sequence[str]:
        """All event types, in the switch's order, without ALL."""

    def fire(self, event: Event) -> None:
        """Fire an event. Raises SwitchError when the switch will not have it."""

    def events(
        self, encoders: Mapping[Form, Encoder], implementation: Implementation = Implementation.AUTO
    ) -> EventSource:
        """A new source of events, wanting nothing yet, which encodes them so. Raises SwitchError when that
        implementation cannot be had."""

    def matcher(self, expression: bytes) -> Callable[[bytes], bool]:
        """What tells whether a text matches the regular expression, `/…/` (switch_regex). Raises SwitchError."""

    def bind_log(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        """Have the listener called for every line of the log, by a thread of the switch that must not be held up.
        Returns what ends it."""

    def bind_xml(self, answer: Callable[[Fetch], bytes | None]) -> XmlBinding:
        """Have look-ups answered by a <document>, or None for "not found here"; in the thread that looks up."""

    def xml_error(self, text: bytes) -> str | None:
        """What the switch's own parser, which is not strict, has against a text as XML; None when it takes it. The text
        has no NUL, and not so many levels that a small stack could not hold them."""

    def variable(self, name: bytes) -> bytes | None:
        """The value of a global variable, as `$${name}` has it."""

    def set_variable(self, name: bytes, value: bytes) -> None: ...

    def locate(self, uuid: str, ended: bool = False) -> AbstractContextManager[Session | None]:
        """The session of that UUID, held for the `with` block; None when there is none.

        ended: also one that has hung up and is still kept (switch_core_session_force_locate).
        """

    def allows(self, acl: str, ip: str) -> bool:
        """Whether an access control list of that name, or a network in CIDR form, has the address
        (switch_check_network_list_ip)."""

    def has_acl(self, acl: str) -> bool:
        """Whether there is an access control list of that name, or it is a network in CIDR form. One that is not there
        allows nobody. May look up a configuration."""

    def create_uuid(self) -> str: ...

    def sequence(self) -> int:
        """A number that comes after the Event-Sequence of every event fired so far, and before that of all others."""

    def hostname(self) -> str:
        """The machine's host name as the switch knows it (switch_core_get_hostname)."""

    def settings(self, file: str) -> Settings:
        """What is in a configuration file; nothing where there is none."""

    def settings_path(self, file: str) -> Path | None:
        """Where a configuration file is looked for in the switch's folder; None when it has none."""

    def reload_xml(self) -> None:
        """Read all configuration anew. Raises SwitchError, with the reason in one line: then all is as it was."""

    def settings_error(self, file: str) -> str | None:
        """What is wrong with a configuration file as it lies in the switch's folder, which the switch may have read
        before it was so; None when it can be read, or lies elsewhere."""

    def log_handler(self) -> logging.Handler:
        """A handler that writes records of `logging` to the switch's own log, at its levels."""

    def load(self, module: Module) -> None:
        """Register the module. Raises SwitchError."""

    def unload(self) -> None:
        """Take the module out again, as `unload mod_erlang_py` does; calls its shutdown."""

    def faults(self) -> tuple[str, ...]:
        """What keeps others from reaching the module, a line each, with what to do."""
