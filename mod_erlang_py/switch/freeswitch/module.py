"""The module `mod_erlang_py`: registered with the switch from Python, as a compiled one is from its .so file."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from typing import Any

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Application, Module

from . import completion
from .ffi import (
    API_FUNCTION,
    API_INTERFACE,
    APPLICATION_FUNCTION,
    APPLICATION_INTERFACE,
    FALSE,
    LOAD_FUNCTION,
    RAW_WRITE_FUNCTION,
    SAF_SUPPORT_NOMEDIA,
    SHUTDOWN_FUNCTION,
    SUCCESS,
    ApiInterface,
    ApplicationInterface,
    lib,
)
from .session import FreeSwitchSession

log = logging.getLogger(__name__)

NAME = b"mod_erlang_py"
API = b"erlang"

_given_to_c: list[Any] = []
"""What the switch holds pointers to. Never let go of: a thread of the switch may be on its way into a callback of a
module that was just unloaded."""


def load(module: Module) -> None:
    """Register the module and its API command. Raises SwitchError when the switch will not have it."""

    def api(command: bytes | None, _session: int | None, stream: Any) -> int:
        try:
            answer = module.api((command or b"").decode(errors="replace")).encode(errors="replace")
        except Exception:
            log.exception("erlang %r failed", command)
            answer = b"-ERR internal error, see the log\n"
        write = RAW_WRITE_FUNCTION(stream.contents.raw_write_function)
        write(stream, answer, len(answer))
        return SUCCESS

    def shutdown() -> int:
        try:
            try:
                completion.remove(API, module.completion)
            finally:
                module.shutdown()
        except Exception:
            log.exception("shutdown failed")
        return SUCCESS

    def load_module(interface: Any, pool: int) -> int:
        try:
            made = lib().switch_loadable_module_create_module_interface(pool, NAME)
            interface[0] = made
            command = ApiInterface.from_address(lib().switch_loadable_module_create_interface(made, API_INTERFACE))
            command.interface_name = API
            command.desc = b"erlang information"
            command.syntax = b"<command> [<args>]"
            command.function = _address(api_function)
            for application, function in zip(module.applications, application_functions, strict=True):
                _add(made, application, function)
            completion.add(API, module.completion)
            return SUCCESS
        except Exception:
            log.exception("registering failed")
            return FALSE

    api_function = API_FUNCTION(api)
    application_functions = [APPLICATION_FUNCTION(_runner(application)) for application in module.applications]
    load_function, shutdown_function = LOAD_FUNCTION(load_module), SHUTDOWN_FUNCTION(shutdown)
    _given_to_c.append((module, api_function, application_functions, load_function, shutdown_function))
    if lib().switch_loadable_module_build_dynamic(NAME, load_function, None, shutdown_function, 0) != SUCCESS:
        raise SwitchError("switch_loadable_module_build_dynamic", "refused")


def _runner(application: Application) -> Callable[[int, bytes | None], None]:
    """The application as the switch calls it. What goes wrong in it costs its call, not the switch."""

    def run(session: int, data: bytes | None) -> None:
        try:
            application.run(FreeSwitchSession(session), data or b"")
        except Exception:
            log.exception("application %s failed", application.name)

    return run


def _add(interface: int, application: Application, function: Any) -> None:
    """Register an application. The switch keeps pointers to the texts, which _given_to_c keeps alive."""
    made = ApplicationInterface.from_address(
        lib().switch_loadable_module_create_interface(interface, APPLICATION_INTERFACE)
    )
    texts = [text.encode() for text in (application.name, application.description, application.syntax)]
    _given_to_c.append(texts)
    made.interface_name, made.long_desc, made.syntax = texts
    made.short_desc = texts[1]
    made.application_function = _address(function)
    made.flags = SAF_SUPPORT_NOMEDIA


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


def unload() -> None:
    """Raises SwitchError, for instance while one of the module's functions runs."""
    reason = ctypes.c_char_p()
    if lib().switch_loadable_module_unload_module(b"", NAME, 0, ctypes.byref(reason)) != SUCCESS:
        raise SwitchError("switch_loadable_module_unload_module", (reason.value or b"refused").decode())
