"""FreeSWITCH as the Switch of port.py."""

from __future__ import annotations

import ctypes
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from lxml import etree

from mod_erlang_py.switch.port import (
    ApiResult,
    Encoder,
    Event,
    EventSource,
    Fetch,
    Form,
    LogLine,
    Module,
    Session,
    XmlBinding,
)

from . import events, log, module, regex
from .ffi import address_of, keeping_gil, take_string, without_gil
from .session import locate
from .source.python import PythonSource
from .structs import SUCCESS, StreamHandle
from .xml import Binding

CHUNK = 1024
"""SWITCH_CMD_CHUNK_LEN."""
INVALID_COMMAND = b"INVALID COMMAND!\n"
"""What switch_api_execute writes when no module has the command."""


class FreeSwitch:
    """The running switch. Raises SwitchError when this process is none."""

    def __init__(self) -> None:
        version: bytes = without_gil().switch_version_full()
        self.description = f"FreeSWITCH {version.decode(errors='replace')}"
        self._execute = without_gil().switch_api_execute
        self._calloc = keeping_gil().calloc
        self._empty = StreamHandle(
            write_function=address_of("switch_console_stream_write"),
            raw_write_function=address_of("switch_console_stream_raw_write"),
            data_size=CHUNK,
            alloc_len=CHUNK,
            alloc_chunk=CHUNK,
        )

    def execute(self, command: str, arguments: bytes) -> ApiResult:
        stream = StreamHandle.from_buffer_copy(self._empty)
        stream.data = stream.end = self._calloc(1, CHUNK)
        status = self._execute(command.encode(), arguments, None, stream)
        output = take_string(stream.data)
        return ApiResult(status == SUCCESS or output != INVALID_COMMAND, status == SUCCESS, output)

    def event_type(self, name: str) -> str | None:
        return events.event_type(name)

    def event_types(self) -> Sequence[str]:
        return events.event_names()

    def fire(self, event: Event) -> None:
        events.fire(event)

    def events(self, encoders: Mapping[Form, Encoder]) -> EventSource:
        return PythonSource(encoders)

    def matcher(self, expression: bytes) -> Callable[[bytes], bool]:
        return regex.matcher(expression)

    def bind_log(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        return log.bind(listener)

    def bind_xml(self, answer: Callable[[Fetch], bytes | None]) -> XmlBinding:
        return Binding(answer)

    def locate(self, uuid: str, ended: bool = False) -> AbstractContextManager[Session | None]:
        return locate(uuid, ended)

    def allows(self, acl: str, ip: str) -> bool:
        return bool(without_gil().switch_check_network_list_ip_token(ip.encode(), acl.encode(), None))

    def create_uuid(self) -> str:
        return str(uuid.uuid4())

    def sequence(self) -> int:
        return events.sequence()

    def hostname(self) -> str:
        name: bytes = without_gil().switch_core_get_hostname()
        return name.decode(errors="replace")

    def settings(self, file: str) -> list[tuple[str, str]]:
        configuration = ctypes.c_void_p()
        root = without_gil().switch_xml_open_cfg(file.encode(), ctypes.byref(configuration), None)
        if not root:
            return []
        try:
            text = take_string(without_gil().switch_xml_toxml_ex(configuration, 0, 0))
        finally:
            without_gil().switch_xml_free(root)
        return parameters(text)

    def log_handler(self) -> logging.Handler:
        return log.SwitchLogHandler()

    def load(self, module_: Module) -> None:
        module.load(module_)

    def unload(self) -> None:
        module.unload()

    def has_module(self) -> bool:
        """Whether ours is loaded."""
        return module.is_loaded()


def parameters(configuration: bytes) -> list[tuple[str, str]]:
    """The names and values in the <settings> of a <configuration>."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    root = etree.fromstring(configuration, parser)
    return [(param.get("name", ""), param.get("value", "")) for param in root.iterfind("settings/param")]
