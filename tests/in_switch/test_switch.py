"""The rest of what the node needs of a switch; and that the simulated one has it right."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch import FreeSwitch
from mod_erlang_py.switch.freeswitch.switch import AUTOMATIC_LISTS
from mod_erlang_py.switch.freeswitch.xml import plainly
from mod_erlang_py.switch.port import Event, Wanted
from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES
from tests.batches import take


@pytest.fixture
def conf_dir(switch: FreeSwitch) -> Path:
    return Path((switch.variable(b"conf_dir") or b"").decode())


def test_commands(switch: FreeSwitch) -> None:
    assert switch.execute("eval", b"two words").output == b"two words"
    failed = switch.execute("uuid_kill", b"nobody")
    assert failed.found
    assert failed.output.startswith(b"-ERR")
    unknown = switch.execute("no_such_command", b"")
    assert (unknown.found, unknown.success) == (False, False)


def test_a_command_runs_without_the_gil(switch: FreeSwitch) -> None:
    """So many at once would take 20 s, one after the other."""
    threads = [threading.Thread(target=switch.execute, args=("msleep", b"1000")) for _ in range(20)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 15


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
        (event,) = take(source, 10, 1)
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


def test_access_control_lists(switch: FreeSwitch, conf_dir: Path) -> None:
    assert all(switch.has_acl(name) for name in ("loopback.auto", "wan_v4.auto", "10.0.0.0/8", "::1/128"))
    assert not switch.has_acl("office")
    file = conf_dir / "autoload_configs" / "acl.conf.xml"
    before = file.read_text()
    try:
        file.write_text(before.replace("<network-lists>", '<network-lists><list name="office" default="allow"/>'))
        switch.reload_xml()
        assert switch.has_acl("office")
    finally:
        file.write_text(before)
        switch.reload_xml()
    assert not switch.has_acl("office")


def test_the_automatic_lists_are_those_of_the_switch(switch: FreeSwitch) -> None:
    """Each of them lets somebody in."""
    addresses = ("127.0.0.1", "::1", "10.0.0.1", "100.64.0.1", "192.0.2.1", "2001:db8::1")
    refusing = {name for name in AUTOMATIC_LISTS if not any(switch.allows(name, ip) for ip in addresses)}
    assert refusing <= {"localnet.auto", "nat.auto"}  # of this machine's own network


GOOD = '<configuration name="broken.conf"><settings><param name="a" value="1"/></settings></configuration>'


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (GOOD, None),
        (f'<?xml version="1.0"?>\n<!-- {GOOD} -->\n{GOOD}', None),
        (f"<include>\n{GOOD}\n</include>\n", None),
        (f"{GOOD}\n{GOOD}", None),
        (GOOD.replace('"1"', '"$${domain}&"'), None),
        (GOOD.replace("<settings>", "<settings>\n<param>"), "unexpected closing tag </settings>, near line 2"),
        (GOOD.replace("<settings>", "\n\n<settings><!--"), "unclosed <!--, near line 3"),
        (GOOD.replace("</configuration>", ""), "unclosed tag <configuration>, near line 1"),
    ],
)
def test_broken_xml(switch: FreeSwitch, conf_dir: Path, text: str, wrong: str | None) -> None:
    """Of a file, as the switch's own parser has it; and of reloadxml, which says +OK to it."""
    file = conf_dir / "autoload_configs" / "broken.conf.xml"
    assert switch.settings_error("broken.conf") is None
    assert switch.settings_path("broken.conf") == file
    try:
        file.write_text(text)
        found = switch.settings_error("broken.conf")
        if wrong is None:
            assert found is None
            switch.reload_xml()
            assert dict(switch.settings("broken.conf").params)["a"].startswith(("1", "&", "$"))
        else:
            assert found == f"{file} is broken: {wrong}"
            with pytest.raises(SwitchError, match=r"^reloadxml: [^\[\]]*, near line \d+ of freeswitch.xml.fsxml"):
                switch.reload_xml()
            assert switch.settings("event_socket.conf").params
    finally:
        file.unlink()
        switch.reload_xml()


def test_words_that_are_no_error_in_a_line() -> None:
    assert plainly("[error near line 7]: unclosed <a>") == "unclosed <a>, near line 7"
    assert plainly("Cannot Open log directory or XML Root!") == "Cannot Open log directory or XML Root!"
