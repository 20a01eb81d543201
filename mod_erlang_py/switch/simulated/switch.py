"""The simulated switch itself."""

from __future__ import annotations

import ipaddress
import logging
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.log_levels import NOTICE, LogLevel
from mod_erlang_py.switch.port import (
    ApiResult,
    Encoder,
    Event,
    EventSource,
    Fetch,
    Form,
    Header,
    Implementation,
    LogLine,
    Module,
    Params,
    Section,
    Session,
    Settings,
    XmlBinding,
)
from mod_erlang_py.switch.simulated.calls import applications
from mod_erlang_py.switch.simulated.calls.applications import Application, Calls
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.dialplan.files import DialplanFiles
from mod_erlang_py.switch.simulated.calls.exchange import Exchange
from mod_erlang_py.switch.simulated.calls.services import Services
from mod_erlang_py.switch.simulated.calls.session import ChannelSession
from mod_erlang_py.switch.simulated.commands import Context, Function, built_in
from mod_erlang_py.switch.simulated.core import Core
from mod_erlang_py.switch.simulated.directory import Directory
from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES, event_type
from mod_erlang_py.switch.simulated.events import EventBus
from mod_erlang_py.switch.simulated.heartbeat import Heartbeat, heartbeat_event
from mod_erlang_py.switch.simulated.loadable import API_NAME, Loadable
from mod_erlang_py.switch.simulated.log import ConsoleHandler, ConsoleLog
from mod_erlang_py.switch.simulated.loose_xml import parse_loosely
from mod_erlang_py.switch.simulated.origin import Origin
from mod_erlang_py.switch.simulated.regex import matcher
from mod_erlang_py.switch.simulated.settings import read_settings, settings_in, settings_path
from mod_erlang_py.switch.simulated.variables import Variables
from mod_erlang_py.switch.simulated.words import c_string
from mod_erlang_py.switch.simulated.xml_bindings import XmlBindings

_WHITESPACE = " \t\n\r\v"

DEMO_CONF = Path(__file__).resolve().parents[3] / "conf"
"""The configuration that comes with the sources; its dialplan is used where no other is given."""


class SimulatedSwitch:
    """A Switch whose calls are loopback calls.

    Everything works before start() too, which brings STARTUP and the heartbeat.
    """

    description: str = "simulated switch"

    def __init__(
        self,
        conf_dir: Path | None = None,
        settings: Mapping[str, Params] = MappingProxyType({}),
        heartbeat: float = 20.0,
        log_to: TextIO | None = None,
    ) -> None:
        """
        Args:
            conf_dir: the folder with autoload_configs/, dialplan/ and directory/. Without one, dialplan/ of DEMO_CONF.
            settings: the params by file ("erlang_event.conf"); goes before conf_dir.
            heartbeat: seconds between two HEARTBEAT events; 0 for none.
            log_to: gets the log; standard error if None.
        """
        self._conf_dir = conf_dir
        self._settings = {file: tuple(params) for file, params in settings.items()}
        self._console = ConsoleLog(sys.stderr if log_to is None else log_to)
        # Outside the tree of loggers: what a program does to those must not silence its switch.
        self._log = logging.Logger("simulated switch")  # noqa: LOG001
        self._log.addHandler(ConsoleHandler(self._console))
        self._core = Core.of_this_machine()
        self._variables = _global_variables(self._core, conf_dir)
        self._bus = EventBus(self._core, self._queue_is_full)
        self._modules = Loadable(self.fire, self._log)
        self._bindings = XmlBindings(self._log)
        services = Services(
            wanted=self._bus.wanted,
            fire=self._fire_headers,
            make=self._bus.make,
            log=self._log_of_call,
            variable=self._variables.get,
        )
        dialplan = DialplanFiles((conf_dir or DEMO_CONF) / "dialplan", self._variables.get)
        self._exchange = Exchange(services, dialplan, self._bindings.look_up, self._application)
        directory = Directory(
            self._bindings.look_up,
            conf_dir and conf_dir / "directory",
            self._variable,
            lambda params: self._bus.make("REQUEST_PARAMS", params, Origin.caller(0)),
            self._log,
        )
        self._context = Context(
            core=self._core,
            variables=self._variables,
            modules=self._modules,
            console=self._console,
            exchange=self._exchange,
            directory=directory,
            fire=self.fire,
        )
        self._lock = threading.Lock()
        self._started = self._stopped = False
        self._heartbeat = Heartbeat(heartbeat, self._beat) if heartbeat > 0 else None

    def start(self) -> None:
        """Raises SwitchError when it was started before: a switch is started once."""
        with self._lock:
            if self._started or self._stopped:
                raise SwitchError("start", "a simulated switch can be started once")
            self._started = True
        self._log.log(NOTICE, "This is the simulated switch of mod_erlang_py, not FreeSWITCH: only loopback calls.")
        self.fire(_info("STARTUP", b"System Ready"))
        if self._heartbeat is not None:
            self._heartbeat.start()

    def stop(self) -> None:
        """Fires SHUTDOWN, ends all calls, shuts the module down, ends the heartbeat; then delivers nothing any more."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            started = self._started
        self.fire(_info("SHUTDOWN", b"System Shutting Down"))
        self._exchange.close()
        self._modules.unload()
        self._exchange.join()
        if started and self._heartbeat is not None:
            self._heartbeat.stop()
        self._bus.close()
        self._console.close()

    def execute(self, command: str, arguments: bytes) -> ApiResult:
        """As switch_api_execute: whitespace around both is stripped, and the API event follows at the end."""
        name = command.partition("\0")[0].strip(_WHITESPACE)
        argument = c_string(arguments).strip(_WHITESPACE.encode())
        said = ((b"API-Command", os.fsencode(name)), (b"API-Command-Argument", argument))
        event = self._bus.complete(Event("API", said), Origin.caller(0))
        result = self._run(name.lower(), argument)
        self._bus.deliver(event)
        return result

    def event_type(self, name: str) -> str | None:
        return event_type(name)

    def event_types(self) -> Sequence[str]:
        return tuple(name for name in EVENT_TYPES if name != "ALL")

    def fire(self, event: Event) -> None:
        self._bus.fire(event, Origin.caller(1))

    def events(
        self, encoders: Mapping[Form, Encoder], implementation: Implementation = Implementation.AUTO
    ) -> EventSource:
        """It has but one."""
        return self._bus.source(encoders)

    def matcher(self, expression: bytes) -> Callable[[bytes], bool]:
        return matcher(expression)

    def bind_log(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        return self._console.bind(listener)

    def bind_xml(self, answer: Callable[[Fetch], bytes | None]) -> XmlBinding:
        """Asked are they for the dialplan, settings and users; nothing else is looked up."""
        return self._bindings.bind(answer)

    def xml_error(self, text: bytes) -> str | None:
        try:
            parse_loosely(text)
        except SwitchError as error:
            return error.reason
        return None

    def variable(self, name: bytes) -> bytes | None:
        return self._variables.get(name)

    def set_variable(self, name: bytes, value: bytes) -> None:
        self._variables.set(name, value)

    @contextmanager
    def locate(self, uuid: str, ended: bool = False) -> Iterator[Session | None]:
        with self._exchange.held(uuid, ended) as channel:
            yield None if channel is None else ChannelSession(channel)

    def allows(self, acl: str, ip: str) -> bool:
        """`loopback.auto` and networks in CIDR form; it has no other lists."""
        address = ipaddress.ip_address(ip)
        if acl == "loopback.auto":
            return address.is_loopback
        try:
            return address in ipaddress.ip_network(acl, strict=False)
        except ValueError:
            return False

    def has_acl(self, acl: str) -> bool:
        if acl == "loopback.auto":
            return True
        try:
            ipaddress.ip_network(acl, strict=False)
        except ValueError:
            return False
        return True

    def create_uuid(self) -> str:
        return str(uuid.uuid4())

    def sequence(self) -> int:
        return self._bus.sequence()

    def hostname(self) -> str:
        return self._core.hostname

    def settings(self, file: str) -> Settings:
        """Raises SwitchError for a file that is there but cannot be used."""
        if file in self._settings:
            return Settings(self._settings[file])
        found = self._bindings.look_up(Section.CONFIG, b"configuration", b"name", file.encode(), lambda: None)
        if found is not None:
            return settings_in(found, file, self._variable)
        if self._conf_dir is None:
            return Settings()
        return read_settings(self._conf_dir, file, self._variable)

    def settings_path(self, file: str) -> Path | None:
        return None if self._conf_dir is None else settings_path(self._conf_dir, file)

    def reload_xml(self) -> None:
        self.execute("reloadxml", b"")

    def settings_error(self, file: str) -> str | None:
        try:
            self.settings(file)
        except SwitchError as error:
            return error.reason
        return None

    def log_handler(self) -> logging.Handler:
        return ConsoleHandler(self._console)

    def load(self, module: Module) -> None:
        self._modules.load(module)

    def unload(self) -> None:
        """Does nothing when no module is loaded. Raises SwitchError while one of its applications runs."""
        self._modules.unload()

    def faults(self) -> tuple[str, ...]:
        return ()

    def _application(self, name: str) -> Application | None:
        """The module's, or else the switch's own."""
        ours = self._modules.application(name)
        if ours is None:
            return applications.find(name)
        run = ours.run

        def on_channel(channel: Channel, data: bytes, _calls: Calls) -> None:
            run(ChannelSession(channel), data)

        return Application(ours.name, on_channel)

    def _fire_headers(self, name: str, headers: list[Header], origin: Origin) -> None:
        self._bus.deliver(self._bus.make(name, headers, origin))

    def _log_of_call(self, level: LogLevel, text: str, uuid: str, origin: Origin) -> None:
        self._console.write(level, origin, text, uuid=uuid)

    def _command(self, name: str) -> Function | None:
        """The module's, or else the switch's own. name: in lower case."""
        module = self._modules.module
        if module is None or name != API_NAME:
            return built_in().get(name)
        api = module.api

        def erlang(_context: Context, argument: bytes) -> bytes:
            return api(argument.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

        return erlang

    def _run(self, name: str, argument: bytes) -> ApiResult:
        function = self._command(name)
        if function is None:
            return ApiResult(False, False, b"INVALID COMMAND!\n")
        try:
            return ApiResult(True, True, function(self._context, argument))
        except Exception:
            self._log.exception("the command %s failed", name)
            return ApiResult(True, False, b"COMMAND RETURNED ERROR!\n")

    def _variable(self, name: str) -> str | None:
        value = self._variables.get(name.encode())
        return None if value is None else value.decode("utf-8", "replace")

    def _beat(self) -> None:
        self.fire(heartbeat_event(self._core, self._exchange.counts()))

    def _queue_is_full(self, limit: int) -> None:
        self._log.error("An event queue is full (%d events); events are dropped until there is room", limit)


def _info(name: str, text: bytes) -> Event:
    return Event(name, ((b"Event-Info", text),))


def _global_variables(core: Core, conf_dir: Path | None) -> Variables:
    texts = {
        "hostname": core.hostname,
        "local_ip_v4": core.ipv4,
        "local_ip_v6": core.ipv6,
        "conf_dir": "" if conf_dir is None else str(conf_dir),
        "core_uuid": core.uuid,
    }
    return Variables((name.encode(), os.fsencode(value)) for name, value in texts.items())
