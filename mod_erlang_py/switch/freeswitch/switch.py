"""FreeSWITCH as the Switch of switch/port."""

from __future__ import annotations

import ctypes
import logging
import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from lxml import etree

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import (
    ApiResult,
    Encoder,
    Event,
    EventSource,
    Fetch,
    Form,
    Implementation,
    LogLine,
    Module,
    Params,
    Session,
    Settings,
    XmlBinding,
)

from . import core, events, log, module, regex
from .ffi import leaving_python, take_string, without_gil
from .session import locate
from .source.choice import choose
from .xml import Binding, error_in, plainly

AUTOMATIC_LISTS = frozenset(
    {"any_v4.auto", "any_v6.auto", "localnet.auto", "loopback.auto", "nat.auto"}
    | {"rfc1918.auto", "rfc6598.auto", "wan.auto", "wan_v4.auto", "wan_v6.auto"}
)
"""Access control lists that the switch makes itself (switch_load_network_lists)."""


class FreeSwitch:
    """The running switch. Raises SwitchError when this process is none."""

    def __init__(self) -> None:
        version: bytes = without_gil().switch_version_full()
        self.description = f"FreeSWITCH {version.decode(errors='replace')}"

    def execute(self, command: str, arguments: bytes) -> ApiResult:
        return core.execute(command, arguments)

    def event_type(self, name: str) -> str | None:
        return events.event_type(name)

    def event_types(self) -> Sequence[str]:
        return events.event_names()

    def fire(self, event: Event) -> None:
        events.fire(event)

    def events(
        self, encoders: Mapping[Form, Encoder], implementation: Implementation = Implementation.AUTO
    ) -> EventSource:
        return choose(implementation, encoders)

    def matcher(self, expression: bytes) -> Callable[[bytes], bool]:
        return regex.matcher(expression)

    def bind_log(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        return log.bind(listener)

    def bind_xml(self, answer: Callable[[Fetch], bytes | None]) -> XmlBinding:
        return Binding(answer)

    def xml_error(self, text: bytes) -> str | None:
        return error_in(text)

    def variable(self, name: bytes) -> bytes | None:
        value = without_gil().switch_core_get_variable_dup(name)
        return take_string(value) if value else None

    def set_variable(self, name: bytes, value: bytes) -> None:
        without_gil().switch_core_set_variable(name, value)

    def locate(self, uuid: str, ended: bool = False) -> AbstractContextManager[Session | None]:
        return locate(uuid, ended)

    def allows(self, acl: str, ip: str) -> bool:
        return bool(without_gil().switch_check_network_list_ip_token(ip.encode(), acl.encode(), None))

    def has_acl(self, acl: str) -> bool:
        return "/" in acl or acl in AUTOMATIC_LISTS or acl in self._lists()

    def _lists(self) -> set[str]:
        """The names in acl.conf. One that is written there later is not in force before `reloadacl`."""
        root = self._configuration("acl.conf")
        return set() if root is None else {one.get("name", "") for one in root.iterfind("network-lists/list")}

    def create_uuid(self) -> str:
        return str(uuid.uuid4())

    def sequence(self) -> int:
        return events.sequence()

    def hostname(self) -> str:
        name: bytes = without_gil().switch_core_get_hostname()
        return name.decode(errors="replace")

    def settings(self, file: str) -> Settings:
        root = self._configuration(file)
        return Settings() if root is None else settings_in(root)

    def _configuration(self, file: str) -> etree._Element | None:
        """As the switch has it: read when it last read all of its XML, or answered by a binding."""
        configuration = ctypes.c_void_p()
        root = leaving_python().switch_xml_open_cfg(file.encode(), ctypes.byref(configuration), None)
        if not root:
            return None
        try:
            text = take_string(without_gil().switch_xml_toxml_ex(configuration, 0, 0))
        finally:
            without_gil().switch_xml_free(root)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
        return etree.fromstring(text, parser)

    def reload_xml(self) -> None:
        said = core.execute("reloadxml", b"").output.decode(errors="replace").strip()
        if said != "+OK [Success]":  # +OK with an error, too
            raise SwitchError("reloadxml", plainly(said.removeprefix("+OK ")))

    def settings_path(self, file: str) -> Path:
        return Path(os.fsdecode(self.variable(b"conf_dir") or b""), "autoload_configs", f"{file}.xml")

    def settings_error(self, file: str) -> str | None:
        path = self.settings_path(file)
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None  # it may be elsewhere
        except OSError as error:
            return f"{path}: {error.strerror}"
        said = error_in(text)
        if not said or not error_in(b"<include>%s</include>" % text):  # as it is read: between others
            return None
        return f"{path} is broken: {plainly(said)}"

    def log_handler(self) -> logging.Handler:
        return log.SwitchLogHandler()

    def load(self, module_: Module) -> None:
        module.load(module_)

    def unload(self) -> None:
        module.unload()

    def faults(self) -> tuple[str, ...]:
        return module.faults()

    def has_module(self) -> bool:
        """Whether ours is loaded."""
        return module.is_loaded()


def settings_in(configuration: etree._Element) -> Settings:
    """What is no <node> in <nodes>, or no <param> in a <node>, has its tag for a name: it is not passed over."""
    others = [one for one in configuration.iterfind("nodes/*") if one.tag != "node"]
    found = (*configuration.iter("node"), *others)
    nodes = [(_name(node, "node"), _params(node.iterfind("*"))) for node in found]
    return Settings(_params(configuration.iterfind("settings/param")), nodes)


def _params(found: Iterable[etree._Element]) -> Params:
    return [(_name(param, "param"), param.get("value", "")) for param in found]


def _name(element: etree._Element, tag: str) -> str:
    return element.get("name", "") if element.tag == tag else f"<{element.tag}>"
