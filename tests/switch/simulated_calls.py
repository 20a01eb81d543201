"""A simulated switch with a dialplan of its own, and what tests do with calls on it."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

from mod_erlang_py.switch.port import Application, Event, Module
from mod_erlang_py.switch.simulated import SimulatedSwitch

WAIT = 10.0  # seconds, for what comes at once

DIALPLAN = """\
<include>
  <extension name="answered">
    <condition field="destination_number" expression="^answered$">
      <action application="answer"/>
      <action application="park"/>
    </condition>
  </extension>
  <extension name="ringing">
    <condition field="destination_number" expression="^ringing$">
      <action application="ring_ready"/>
      <action application="park"/>
    </condition>
  </extension>
  <extension name="early">
    <condition field="destination_number" expression="^early$">
      <action application="pre_answer"/>
      <action application="park"/>
    </condition>
  </extension>
  <extension name="busy">
    <condition field="destination_number" expression="^busy$">
      <action application="hangup" data="USER_BUSY"/>
    </condition>
  </extension>
  <extension name="park">
    <condition field="destination_number" expression="^park$">
      <action application="park"/>
    </condition>
  </extension>
%s
</include>
"""


def extension(name: str, *actions: str) -> str:
    """An extension with those actions, each "application data"."""
    inner = "".join(
        f'<action application="{application}" data="{data}"/>'
        for application, _, data in (action.partition(" ") for action in actions)
    )
    condition = f'<condition field="destination_number" expression="^{name}$">{inner}</condition>'
    return f'<extension name="{name}">{condition}</extension>\n'


class Desk:
    """Makes calls and watches them. extensions: XML, added to those of DIALPLAN, in the context "default"."""

    def __init__(self, folder: Path, extensions: str = "", applications: tuple[Application, ...] = ()) -> None:
        (folder / "dialplan" / "default").mkdir(parents=True)
        (folder / "dialplan" / "default" / "test.xml").write_text(DIALPLAN % extensions)
        self.console = io.StringIO()
        self.switch = SimulatedSwitch(folder, heartbeat=0, log_to=self.console)
        self.source = self.switch.events()
        self.source.want(frozenset({"ALL"}))
        self.events: list[Event] = []
        self.switch.start()
        if applications:
            self.switch.load(Module(lambda line: line, lambda: None, applications))

    def ask(self, command: str) -> str:
        name, _, argument = command.partition(" ")
        return self.switch.execute(name, argument.encode()).output.decode()

    def call(self, what: str = "loopback/answered &park") -> str:
        """originate; the UUID."""
        answer = self.ask(f"originate {what}")
        assert answer.startswith("+OK "), answer
        return answer[4:].strip()

    def other(self, uuid: str) -> str:
        """The other leg of the loopback pair."""
        return self.ask(f"uuid_getvar {uuid} other_loopback_leg_uuid")

    def next(self, name: str, uuid: str | None = None, **headers: str) -> Event:
        """The next event like that, `_` in a header's name being `-`; those before are kept in `events`."""
        deadline = time.monotonic() + WAIT
        while (left := deadline - time.monotonic()) > 0:
            event = self.source.pop(left)
            if event is None:
                continue
            self.events.append(event)
            if event.name == name and (uuid is None or event.uuid == uuid.encode()) and _has(event, headers):
                return event
        raise AssertionError(f"no {name} {uuid} {headers}\n{self.console.getvalue()[-3000:]}")

    def find(self, name: str, uuid: str) -> Event:
        """The first event like that, whether it came already or not."""
        for event in self.events:
            if event.name == name and event.uuid == uuid.encode():
                return event
        return self.next(name, uuid)

    def story(self, uuid: str) -> list[str]:
        """All of a channel's events until it is destroyed, with what each is about."""
        self.find("CHANNEL_DESTROY", uuid)
        self.next("CHANNEL_STATE", uuid, Channel_State="CS_DESTROY")
        return [_told(event) for event in self.events if event.uuid == uuid.encode()]

    def all_gone(self) -> None:
        """Returns when no channel and no thread of one is left."""
        deadline = time.monotonic() + WAIT
        while threads() and time.monotonic() < deadline:
            for thread in threads():
                thread.join(deadline - time.monotonic())
        assert threads() == []
        assert self.ask("show channels count") == "\n0 total.\n"

    def close(self) -> None:
        self.switch.stop()
        assert threads() == []


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("simulated-call")]


def text(event: Event, name: str) -> str | None:
    value = event.header(name.encode())
    return None if value is None else value.decode()


def _has(event: Event, headers: dict[str, str]) -> bool:
    return all(text(event, name.replace("_", "-")) == value for name, value in headers.items())


_ABOUT = {
    "CHANNEL_STATE": ("Channel-State",),
    "CHANNEL_CALLSTATE": ("Channel-Call-State",),
    "CHANNEL_EXECUTE": ("Application",),
    "CHANNEL_EXECUTE_COMPLETE": ("Application",),
    "CHANNEL_HANGUP": ("Hangup-Cause",),
    "DTMF": ("DTMF-Digit",),
}


def _told(event: Event) -> str:
    return " ".join([event.name, *(text(event, name) or "" for name in _ABOUT.get(event.name, ()))])
