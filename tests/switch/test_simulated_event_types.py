"""The names of events: a real FreeSWITCH takes each of them. That it has no others is asked in it."""

from __future__ import annotations

import pytest

from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES, UNIQUE_HEADERS, event_type
from scripts.scratch import ScratchFreeSwitch
from tests.switch.event_socket import EventSocket

SPELLINGS = ["heartbeat", "All", "SWITCH_EVENT_HEARTBEAT", "switch_event_custom", "any_13_chars_TRAP"]
NO_NAMES = ["NO_SUCH", "SWITCH_EVENT_", "HEARTBEATX"]


def test_the_types_are_named_once() -> None:
    assert len(EVENT_TYPES) == len(set(EVENT_TYPES)) == 94
    assert set(EVENT_TYPES) > UNIQUE_HEADERS
    assert all(event_type(name) for name in SPELLINGS)
    assert not any(event_type(name) for name in NO_NAMES)


@pytest.mark.freeswitch
def test_freeswitch_takes_them(freeswitch: ScratchFreeSwitch) -> None:
    for name in [*EVENT_TYPES, *SPELLINGS, *NO_NAMES]:
        with EventSocket(freeswitch) as connection:
            taken = connection.subscribe(name).startswith("+OK")
        assert taken is (name not in NO_NAMES), name
