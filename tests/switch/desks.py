"""A switch with a dialplan of the test's own, and what tests do with calls on it: simulated, or a real FreeSWITCH."""

from __future__ import annotations

import io
import re
import threading
import time
import uuid as uuids
from abc import ABC, abstractmethod
from pathlib import Path

from mod_erlang_py.switch.port import ALL, Application, Event, Module, Wanted
from mod_erlang_py.switch.simulated import SimulatedSwitch
from scripts.scratch import ScratchFreeSwitch
from tests.batches import take
from tests.switch.event_socket import EventSocket
from tests.waiting import wait_until

WAIT = 10.0  # seconds, for what comes at once

DIALPLAN = """\
<include>
  <extension name="answered">
    <condition field="destination_number" expression="^answered$">
      <action application="answer"/>
      <action application="park"/>
    </condition>
  </extension>
  <extension name="early">
    <condition field="destination_number" expression="^early$">
      <action application="playback" data="silence_stream://1"/>
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


class Desk(ABC):
    """Makes calls and watches them. Its dialplan is DIALPLAN, in the context "default"."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @abstractmethod
    def ask(self, command: str) -> str:
        """What it printed."""

    @abstractmethod
    def send(self, uuid: str, **headers: str) -> bool:
        """A message to the channel, `_` in a header's name being `-`; whether it was taken."""

    @abstractmethod
    def take(self, timeout: float) -> Event | None:
        """The next event."""

    @abstractmethod
    def log(self) -> str:
        """The switch's log so far."""

    @abstractmethod
    def close(self) -> None: ...

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
            event = self.take(left)
            if event is None:
                continue
            self.events.append(event)
            if event.name == name and (uuid is None or event.uuid == uuid.encode()) and _has(event, headers):
                return event
        raise AssertionError(f"no {name} {uuid} {headers}\n{self.log()[-3000:]}")

    def find(self, name: str, uuid: str, **headers: str) -> Event:
        """The first event like that, whether it came already or not."""
        for event in self.events:
            if event.name == name and event.uuid == uuid.encode() and _has(event, headers):
                return event
        return self.next(name, uuid, **headers)

    def story(self, uuid: str) -> list[str]:
        """A channel's events until it is destroyed, with what each is about; but for two that only FreeSWITCH has."""
        self.find("CHANNEL_STATE", uuid, Channel_State="CS_DESTROY")
        events = (event for event in self.events if event.uuid == uuid.encode())
        return [about(event) for event in events if event.name not in ("CODEC", "CALL_UPDATE")]

    def sessions(self) -> int:
        """How many channels there are."""
        found = re.search(r"^(\d+) session\(s\) - ", self.ask("status"), re.MULTILINE)
        assert found
        return int(found.group(1))

    def all_gone(self) -> None:
        """Returns when no channel is left."""
        wait_until(lambda: self.sessions() == 0, WAIT)

    def drain(self) -> None:
        """All events that were fired so far are in `events` then."""
        marker = str(uuids.uuid4())
        self.ask(f"echo {marker}")
        self.next("API", API_Command_Argument=marker)


class SimulatedDesk(Desk):
    def __init__(self, folder: Path, extensions: str = "", applications: tuple[Application, ...] = ()) -> None:
        super().__init__()
        (folder / "dialplan" / "default").mkdir(parents=True)
        (folder / "dialplan" / "default" / "test.xml").write_text(DIALPLAN % extensions)
        self.console = io.StringIO()
        self.switch = SimulatedSwitch(folder, heartbeat=0, log_to=self.console)
        self.source = self.switch.events({})
        self.source.want(Wanted(frozenset({ALL})))
        self.switch.start()
        if applications:
            self.switch.load(Module(lambda line: line, lambda: None, applications))

    def ask(self, command: str) -> str:
        name, _, argument = command.partition(" ")
        return self.switch.execute(name, argument.encode()).output.decode()

    def send(self, uuid: str, **headers: str) -> bool:
        with self.switch.locate(uuid) as session:
            told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
            return session is not None and session.send_message(told)

    def take(self, timeout: float) -> Event | None:
        for received in take(self.source, timeout, 1):
            return Event(received.name, received.headers())
        return None

    def log(self) -> str:
        return self.console.getvalue()

    def all_gone(self) -> None:
        """Nor a thread of one."""
        deadline = time.monotonic() + WAIT
        while threads() and time.monotonic() < deadline:
            for thread in threads():
                thread.join(deadline - time.monotonic())
        assert threads() == []
        assert self.sessions() == 0

    def close(self) -> None:
        self.switch.stop()
        assert threads() == []


class FreeSwitchDesk(Desk):
    """In a FreeSWITCH that others use before and after, where it leaves no call."""

    def __init__(self, switch: ScratchFreeSwitch, extensions: str = "") -> None:
        super().__init__()
        self._switch = switch
        folder = switch.conf_dir / "dialplan" / "default"
        folder.mkdir(exist_ok=True)
        (folder / "test.xml").write_text(DIALPLAN % extensions)
        assert self.ask("reloadxml") == "+OK [Success]\n"
        self._logged = len(switch.log())
        self._events = EventSocket(switch)
        assert self._events.subscribe(ALL).startswith("+OK")

    def ask(self, command: str) -> str:
        with EventSocket(self._switch) as connection:
            return connection.api(command).decode()

    def send(self, uuid: str, **headers: str) -> bool:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        with EventSocket(self._switch) as connection:
            return connection.send_message(uuid, told) == "+OK"

    def take(self, timeout: float) -> Event | None:
        return self._events.take(timeout)

    def log(self) -> str:
        return self._switch.log()[self._logged :]

    def all_gone(self) -> None:
        """Nor a row of one, which goes a little later."""
        super().all_gone()
        wait_until(lambda: self.ask("show channels count") == "\n0 total.\n", WAIT)

    def close(self) -> None:
        self.ask("hupall")
        self.all_gone()
        with self._events:
            pass


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


def about(event: Event) -> str:
    """Its name, and what tells it from others of that name: "CHANNEL_EXECUTE park"."""
    return " ".join([event.name, *(text(event, name) or "" for name in _ABOUT.get(event.name, ()))])
