"""What the node needs of a switch. `freeswitch/` is the real one, `simulated/` the stand-in.

Nothing here knows Erlang. Texts that come from or go to the switch's users are bytes, as FreeSWITCH keeps them: they
need not be UTF-8. Names that FreeSWITCH defines (commands, event types, files) are str.

switch.py   the switch
events.py   events, and where they come from
session.py  a call
module.py   what is registered with the switch
xml.py      look-ups
"""

from __future__ import annotations

from .events import (
    ALL,
    CUSTOM,
    Batch,
    BatchOfOne,
    Encoder,
    Event,
    EventSource,
    Form,
    Header,
    Headers,
    Implementation,
    Received,
    Wanted,
    sequence_number,
)
from .module import Application, Completion, Module
from .session import Session
from .switch import ApiResult, LogLine, Params, Settings, Switch
from .xml import Fetch, Section, XmlBinding

__all__ = [
    "ALL",
    "CUSTOM",
    "ApiResult",
    "Application",
    "Batch",
    "BatchOfOne",
    "Completion",
    "Encoder",
    "Event",
    "EventSource",
    "Fetch",
    "Form",
    "Header",
    "Headers",
    "Implementation",
    "LogLine",
    "Module",
    "Params",
    "Received",
    "Section",
    "Session",
    "Settings",
    "Switch",
    "Wanted",
    "XmlBinding",
    "sequence_number",
]
