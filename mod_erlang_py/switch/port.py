"""What the node needs of a switch. `freeswitch/` is the real one, `simulated/` the stand-in.

Nothing here knows Erlang. Texts that come from or go to the switch's users are bytes, as FreeSWITCH keeps them: they
need not be UTF-8. Names that FreeSWITCH defines (commands, event types, files) are str.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, Protocol, TypeAlias

from mod_erlang_py.log_levels import LogLevel


@dataclass(frozen=True, slots=True)
class ApiResult:
    """What an API command did.

    found: the switch has the command. success: it returned SWITCH_STATUS_SUCCESS. output: all that it wrote.
    """

    found: bool
    success: bool
    output: bytes


Header: TypeAlias = "tuple[bytes, bytes]"


class Headers(Sequence[Header]):
    """Names and values of a received event, kept apart: so they arrive fast, and leave fast.

    uuid: the value of Unique-ID, or None.
    """

    __slots__ = ("names", "uuid", "values")

    def __init__(self, names: Sequence[bytes], values: Sequence[bytes], uuid: bytes | None) -> None:
        self.names = names
        self.values = values
        self.uuid = uuid

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Header]:
        return zip(self.names, self.values, strict=True)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]


@dataclass(frozen=True, slots=True)
class Event:
    """A switch_event_t: its type's name ("CUSTOM", "HEARTBEAT"), its headers in order, repeated ones too, its body.

    An event to be fired holds only the headers its maker adds (and Event-Subclass for CUSTOM); one that was received
    holds them all, Event-Name and the like included, in FreeSWITCH's order. Values are not URL-encoded.
    """

    name: str
    headers: Sequence[Header] = ()
    body: bytes | None = None

    @property
    def subclass(self) -> bytes | None:
        return self.header(b"Event-Subclass") if self.name == "CUSTOM" else None

    @property
    def uuid(self) -> bytes | None:
        return self.headers.uuid if isinstance(self.headers, Headers) else self.header(b"Unique-ID")

    @property
    def sequence(self) -> int:
        return int(self.header(b"Event-Sequence") or 0)

    def header(self, name: bytes) -> bytes | None:
        """The first header of that name, compared without regard to case, as switch_event_get_header does."""
        headers = self.headers
        if isinstance(headers, Headers) and name in headers.names:  # nearly always, and cheaply known
            return headers.values[headers.names.index(name)]
        wanted = name.lower()
        for key, value in headers:
            if key.lower() == wanted:
                return value
        return None


class Section(IntFlag):
    """switch_xml_section_t: what can be looked up as XML."""

    CONFIG = 1
    DIRECTORY = 2
    DIALPLAN = 4
    LANGUAGES = 8
    CHATPLAN = 16
    CHANNELS = 32

    @classmethod
    def parse(cls, text: str) -> Section:
        """Those whose names are in the text, as switch_xml_parse_section_string finds them: "configuration",
        "directory|dialplan". `phrases` is the older name of `languages`, and still understood."""
        text = text.lower().replace("phrases", "languages")
        found = cls(0)
        for section in cls:
            if (section.name or "").lower() in text:
                found |= section
        return found


@dataclass(frozen=True, slots=True)
class Fetch:
    """A look-up. section: as the switch names it, "configuration" or "directory". tag, key, value: what is looked for
    in it; None where the switch gives none. params: the headers of the event that describes it, or None."""

    section: str
    tag: bytes | None
    key: bytes | None
    value: bytes | None
    params: Event | None


class XmlBinding(Protocol):
    """A place in the switch's list of those who answer look-ups."""

    def want(self, sections: Section) -> None:
        """Be asked for these from now on, and no others. Never waits."""

    def close(self) -> None:
        """Be asked no more; waits for look-ups that are under way."""


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


class Session(Protocol):
    """A call's session, as long as it is held: by the application that runs on it, or within Switch.locate."""

    uuid: str

    def variable(self, name: str) -> bytes | None:
        """A channel variable."""

    def is_controlled(self) -> bool:
        """Whether somebody controls the channel already (CF_CONTROLLED): it is parked."""

    def has_hung_up(self) -> bool:
        """Whether its state is CS_HANGUP or later."""

    def state(self) -> str:
        """ "CS_EXECUTE" and the like."""

    def data(self) -> Event:
        """A CHANNEL_DATA event: the caller profile (prefix "Channel"), the channel's data and variables, as
        notify_new_session of mod_erlang_event makes it, without its last two headers."""

    def send_message(self, headers: Sequence[Header]) -> bool:
        """Queue a private SEND_MESSAGE event, which the session executes; False when it takes no more."""

    def park(self) -> None:
        """Park until the call is let go or ends (switch_ivr_park). On the session's own thread only."""

    def let_go(self) -> bool:
        """End the parking: its application returns, and the dialplan goes on. False when it is not parked."""

    def hangup(self, cause: str) -> None:
        """cause: "NORMAL_CLEARING" or any other name that the switch knows."""

    def transfer(self, extension: str, dialplan: str | None, context: str | None) -> None:
        """None: as it is now."""

    def soft_lock(self, seconds: int) -> None:
        """Keep the session for so long after the call's end, until soft_unlock."""

    def soft_unlock(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Application:
    """A dialplan application. run: on the session's thread, with the action's data; returns when it is done."""

    name: str
    description: str
    syntax: str
    run: Callable[[Session, bytes], None]


@dataclass(frozen=True, slots=True)
class Completion:
    """What TAB offers in fs_cli after the module's API command.

    lines: what may follow it, as switch_console_set_complete takes it: "status json", "debug ::[on:off". lists: by the
    name `::MODULE::WHAT` that a line has for it, what makes the words that may stand there.
    """

    lines: tuple[str, ...] = ()
    lists: Mapping[str, Callable[[], Iterable[str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Module:
    """What is registered with the switch as the module `mod_erlang_py`.

    api: the API command `erlang`: gets its arguments, returns what fs_cli prints.
    shutdown: called once, when the module is unloaded or the switch shuts down; returns when all threads have ended.
    """

    api: Callable[[str], str]
    shutdown: Callable[[], None]
    applications: tuple[Application, ...] = ()
    completion: Completion = Completion()


class Peek(Protocol):
    """What can be known of a received event before it is read. An Event is one too."""

    @property
    def name(self) -> str: ...

    @property
    def subclass(self) -> bytes | None:
        """Of a CUSTOM event."""

    @property
    def uuid(self) -> bytes | None:
        """The value of Unique-ID: the call it is about."""

    @property
    def sequence(self) -> int:
        """The switch's number of it (Event-Sequence); 0 where it has none."""


class EventSource(Protocol):
    """Events of the wanted types, in the order the switch delivers them, through a bounded queue."""

    def want(self, names: frozenset[str]) -> None:
        """From now on exactly these event types (names as in Event.name, or "ALL").

        Those wanted before and after lose no event in the change, and an event that is fired once this has returned
        is not missed.
        """

    def pop(self, timeout: float, wanted: Callable[[Peek], bool] = lambda _: True) -> Event | None:
        """The next event that is wanted, the others being discarded unread.

        None after `timeout` seconds without an event, after `wake`, and when an event was not wanted: then call again.
        By one thread only.
        """

    def dropped(self) -> int:
        """How many events were given up since the last call, because they were not popped in time."""

    def wake(self) -> None:
        """A pop that waits returns."""

    def close(self) -> None:
        """Unbind and forget what waits. By the thread that pops."""


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

    def events(self) -> EventSource:
        """A new source of events, wanting nothing yet."""

    def matcher(self, expression: bytes) -> Callable[[bytes], bool]:
        """What tells whether a text matches the regular expression, `/…/` (switch_regex). Raises SwitchError."""

    def bind_log(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        """Have the listener called for every line of the log, by a thread of the switch that must not be held up.
        Returns what ends it."""

    def bind_xml(self, answer: Callable[[Fetch], bytes | None]) -> XmlBinding:
        """Have look-ups answered by a <document>, or None for "not found here"; in the thread that looks up."""

    def locate(self, uuid: str, ended: bool = False) -> AbstractContextManager[Session | None]:
        """The session of that UUID, held for the `with` block; None when there is none.

        ended: also one that has hung up and is still kept (switch_core_session_force_locate).
        """

    def allows(self, acl: str, ip: str) -> bool:
        """Whether an access control list of that name, or a network in CIDR form, has the address
        (switch_check_network_list_ip)."""

    def create_uuid(self) -> str: ...

    def sequence(self) -> int:
        """A number that comes after the Event-Sequence of every event fired so far, and before that of all others."""

    def hostname(self) -> str:
        """The machine's host name as the switch knows it (switch_core_get_hostname)."""

    def settings(self, file: str) -> list[tuple[str, str]]:
        """The <param name= value=> of the <settings> of a configuration file, in order; [] where there is none."""

    def log_handler(self) -> logging.Handler:
        """A handler that writes records of `logging` to the switch's own log, at its levels."""

    def load(self, module: Module) -> None:
        """Register the module. Raises SwitchError."""

    def unload(self) -> None:
        """Take the module out again, as `unload mod_erlang_py` does; calls its shutdown."""
