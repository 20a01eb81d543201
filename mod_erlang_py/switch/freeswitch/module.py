"""The module `mod_erlang_py`: registered with the switch from Python, as a compiled one is from its .so file."""

from __future__ import annotations

import ctypes
import logging
from typing import Any

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Module

from .ffi import (
    API_FUNCTION,
    API_INTERFACE,
    FALSE,
    LOAD_FUNCTION,
    RAW_WRITE_FUNCTION,
    SHUTDOWN_FUNCTION,
    SUCCESS,
    ApiInterface,
    lib,
)

log = logging.getLogger(__name__)

NAME = b"mod_erlang_py"

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
            module.shutdown()
        except Exception:
            log.exception("shutdown failed")
        return SUCCESS

    def load_module(interface: Any, pool: int) -> int:
        try:
            made = lib().switch_loadable_module_create_module_interface(pool, NAME)
            interface[0] = made
            command = ApiInterface.from_address(lib().switch_loadable_module_create_interface(made, API_INTERFACE))
            command.interface_name = b"erlang"
            command.desc = b"erlang information"
            command.syntax = b"<command> [<args>]"
            command.function = ctypes.cast(api_function, ctypes.c_void_p).value
            return SUCCESS
        except Exception:
            log.exception("registering failed")
            return FALSE

    api_function, load_function, shutdown_function = (
        API_FUNCTION(api),
        LOAD_FUNCTION(load_module),
        SHUTDOWN_FUNCTION(shutdown),
    )
    _given_to_c.append((api_function, load_function, shutdown_function))
    if lib().switch_loadable_module_build_dynamic(NAME, load_function, None, shutdown_function, 0) != SUCCESS:
        raise SwitchError("switch_loadable_module_build_dynamic", "refused")


def unload() -> None:
    """Raises SwitchError, for instance while one of the module's functions runs."""
    reason = ctypes.c_char_p()
    if lib().switch_loadable_module_unload_module(b"", NAME, 0, ctypes.byref(reason)) != SUCCESS:
        raise SwitchError("switch_loadable_module_unload_module", (reason.value or b"refused").decode())
