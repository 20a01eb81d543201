"""The rest of what the node needs of a switch; and that the simulated one has it right."""

from __future__ import annotations

import socket
import threading

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch import FreeSwitch
from mod_erlang_py.switch.port import Event, Wanted
from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES


def test_commands(switch: FreeSwitch) -> None:
    assert switch.execute("eval", b"two words").output == b"two words"
    failed = switch.execute("uuid_kill", b"nobody")
    assert failed.found
    assert failed.output.startswith(b"-ERR")
    unknown = switch.execute("no_such_command", b"")
    assert (unknown.found, unknown.success) == (False, False)


def test_a_command_runs_without_the_gil(switch: FreeSwitch) -> None:
    """So many at once take as long as one."""
    threads = [threading.Thread(target=switch.execute, args=("msleep", b"300")) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3)
        assert not thread.is_alive()


def test_event_types_are_those_of_the_simulated_switch(switch: FreeSwitch) -> None:
    assert (*switch.event_types(), "ALL") == EVENT_TYPES


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("heartbeat", "HEARTBEAT"),
        ("All", "ALL"),
        ("SWITCH_EVENT_HEARTBEAT", "HEARTBEAT"),
        ("NO_SUCH", None),
        ("", None),
        ("HEARTBEAT ", None),
        ("SWITCH_EVENT_", None),
    ],
)
def test_names_of_types(switch: FreeSwitch, name: str, found: str | None) -> None:
    assert switch.event_type(name) == found


def test_firing_what_is_no_event(switch: FreeSwitch) -> None:
    for event in (Event("NO_SUCH"), Event("")):
        with pytest.raises(SwitchError, match="is no event"):
            switch.fire(event)


def test_sequence(switch: FreeSwitch) -> None:
    """Comes after what was fired, and before what will be."""
    source = switch.events({})
    source.want(Wanted(frozenset({"TRAP"})))
    numbers = []
    for _ in range(10):
        numbers.append(switch.sequence())
        switch.fire(Event("TRAP"))
        (event,) = source.take(10, 1)
        numbers.append(event.sequence)
    assert numbers == sorted(set(numbers))
    source.close()


def test_lists_of_addresses(switch: FreeSwitch) -> None:
    assert switch.allows("127.0.0.0/8", "127.1.2.3")
    assert not switch.allows("127.0.0.0/8", "10.0.0.1")
    assert switch.allows("loopback.auto", "127.0.0.1")
    assert not switch.allows("no_such_list", "127.0.0.1")


def test_names(switch: FreeSwitch) -> None:
    assert switch.hostname() == socket.gethostname()
    assert switch.description.startswith("FreeSWITCH 1.")
    assert len({switch.create_uuid() for _ in range(100)}) == 100
