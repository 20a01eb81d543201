"""Who is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Speaks(Enum):
    """How its clients talk to it."""

    NOBODY = "nobody"
    ERLANG = "erlang"
    EVENT_PLAIN = "event plain"
    EVENT_JSON = "event json"


@dataclass(frozen=True)
class Contender:
    """One FreeSWITCH.

    name: on the command line and in the JSON. title: in tables. module: the one that is an Erlang node; None where
    there is none. settings: of erlang_event.conf. polls_requests: it looks for requests every 10 ms, so fewer are sent.
    polls_events: it sends an event and looks again 10 ms later, so fewer are fired. tls: its links are by TLS.
    """

    name: str
    title: str
    speaks: Speaks
    module: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    polls_requests: bool = False
    polls_events: bool = False
    tls: bool = False


ALONE = Contender("alone", "FreeSWITCH alone", Speaks.NOBODY)
OTP = Contender("otp", "two OTP nodes", Speaks.NOBODY)
"""What an Erlang node could be at best; beside a FreeSWITCH that does nothing."""
OTP_TLS = Contender("otp_tls", "two OTP nodes by TLS", Speaks.NOBODY, tls=True)
COMPILED = Contender(
    "compiled", "mod_erlang_py", Speaks.ERLANG, "mod_python3", settings=(("event-source", "compiled"),)
)
PYTHON = Contender(
    "python", "its source in Python", Speaks.ERLANG, "mod_python3", settings=(("event-source", "python"),)
)
TLS = Contender(
    "tls", "mod_erlang_py by TLS", Speaks.ERLANG, "mod_python3", settings=(("event-source", "compiled"),), tls=True
)
THEIRS = Contender(
    "mod_erlang_event", "mod_erlang_event", Speaks.ERLANG, "mod_erlang_event", polls_requests=True, polls_events=True
)
THEIRS_5000 = Contender(
    "max-event-bulk",
    "its max-event-bulk 5000",
    Speaks.ERLANG,
    "mod_erlang_event",
    settings=(("max-event-bulk", "5000"),),
    polls_requests=True,
)
SOCKET = Contender("event_socket", "mod_event_socket, plain", Speaks.EVENT_PLAIN)
SOCKET_JSON = Contender("event_socket_json", "mod_event_socket, json", Speaks.EVENT_JSON)

CONTENDERS = (ALONE, OTP, OTP_TLS, COMPILED, PYTHON, TLS, THEIRS, THEIRS_5000, SOCKET, SOCKET_JSON)
"""In the order of their turns: what FreeSWITCH alone takes is known when the others are measured."""
ERLANG = (COMPILED, PYTHON, THEIRS)
"""Where the setting max-event-bulk makes no difference."""


class UnknownContender(ValueError):
    """A name that no contender has."""


def named(names: Sequence[str]) -> list[Contender]:
    """In the order of their turns, whatever that of the names; all when there are none. Raises UnknownContender."""
    unknown = set(names) - {contender.name for contender in CONTENDERS}
    if unknown:
        known = ", ".join(contender.name for contender in CONTENDERS)
        raise UnknownContender(f"no contender is called {sorted(unknown)[0]}; there are {known}")
    return [contender for contender in CONTENDERS if not names or contender.name in names]
