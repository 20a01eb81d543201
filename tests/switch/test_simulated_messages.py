"""SEND_MESSAGE: what a channel is told to do, in the simulated switch and in a real one."""

from __future__ import annotations

import pytest

from tests.switch.conftest import MakeDesk
from tests.switch.desks import Desk, text

FOR_EVER = "silence_stream://-1"


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()


@pytest.fixture
def uuid(desk: Desk) -> str:
    """A parked call's."""
    uuid = desk.call()
    desk.next("CHANNEL_PARK", uuid)
    return uuid


def execute(desk: Desk, uuid: str, application: str, argument: str, **more: str) -> None:
    assert desk.send(uuid, call_command="execute", execute_app_name=application, execute_app_arg=argument, **more), (
        application
    )


def test_execute(desk: Desk, uuid: str) -> None:
    execute(desk, uuid, "set", "a=${uuid}", event_uuid="mine")
    complete = desk.next("CHANNEL_EXECUTE_COMPLETE", uuid)
    assert text(complete, "Application") == "set"
    assert text(complete, "variable_a") == uuid
    assert text(complete, "Application-UUID") == "mine"
    assert text(complete, "Channel-State") == "CS_EXECUTE"
    assert desk.ask(f"uuid_exists {uuid}") == "true"
    assert "CHANNEL_UNPARK" not in [event.name for event in desk.events if event.uuid == uuid.encode()]


@pytest.mark.parametrize(("given", "cause"), [("USER_BUSY", "USER_BUSY"), ("", "NORMAL_CLEARING")])
def test_hangup_with_and_without_a_cause(desk: Desk, uuid: str, given: str, cause: str) -> None:
    told = {"hangup_cause": given} if given else {}
    assert desk.send(uuid, call_command="hangup", **told)
    assert text(desk.next("CHANNEL_HANGUP", uuid), "Hangup-Cause") == cause


def test_what_is_told_during_the_play_is_done_during_the_play(desk: Desk, uuid: str) -> None:
    execute(desk, uuid, "playback", FOR_EVER)
    desk.next("PLAYBACK_START", uuid)
    execute(desk, uuid, "set", "a=b")
    desk.next("CHANNEL_EXECUTE_COMPLETE", uuid, Application="set")
    desk.send(uuid, call_command="hangup")
    story = desk.story(uuid)
    assert story.index("CHANNEL_EXECUTE_COMPLETE set") < story.index("CHANNEL_EXECUTE_COMPLETE playback")


def test_unless_it_is_locked(desk: Desk, uuid: str) -> None:
    execute(desk, uuid, "playback", "silence_stream://60", event_lock="true")
    desk.next("PLAYBACK_START", uuid)
    execute(desk, uuid, "set", "a=b")
    desk.next("CHANNEL_EXECUTE_COMPLETE", uuid, Application="set")
    told = [event for event in desk.events if event.name.startswith("CHANNEL_EXECUTE")]
    assert [text(event, "Application") for event in told if event.uuid == uuid.encode()] == [
        "park",
        "playback",
        "playback",
        "set",
        "set",
    ]


def test_nobody_is_told_after_the_hangup(desk: Desk, uuid: str) -> None:
    desk.ask(f"uuid_kill {uuid}")
    desk.next("CHANNEL_DESTROY", uuid)
    assert not desk.send(uuid, call_command="hangup")
