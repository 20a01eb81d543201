"""The module `mod_erlang_py`: registered with the switch from Python, as a compiled one is from its .so file.

What the switch is given is made once and stays: a thread of it may be on its way into a callback of a module that was
just unloaded. So the callbacks look up what is loaded when they are called.

The applications are a module of their own, which is never unloaded: the switch would refuse to while a call is in one
of them, and hangs up those that have been in one last (do_shutdown, switch_loadable_module_unprocess). So it is up to
us what becomes of the calls when `mod_erlang_py` is unloaded.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from functools import cache, partial
from typing import Any

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Application, Module

from . import completion, reload
from . import log as switch_log
from .core import is_shutting_down
from .ffi import without_gil
from .names import Keeper
from .session import FreeSwitchSession
from .structs import (
    API_FUNCTION,
    API_INTERFACE,
    APPLICATION_FUNCTION,
    APPLICATION_INTERFACE,
    FALSE,
    LOAD_FUNCTION,
    NOUNLOAD,
    RAW_WRITE_FUNCTION,
    SAF_SUPPORT_NOMEDIA,
    SHUTDOWN_FUNCTION,
    SUCCESS,
    ApiInterface,
    ApplicationInterface,
)

log = logging.getLogger(__name__)

NAME = b"mod_erlang_py"
APPLICATIONS = b"mod_erlang_py_applications"
API = b"erlang"

_loading = threading.RLock()
_loaded: Module | None = None
_keeper: Keeper | None = None
_by_us = False
"""Whether it is us who unload it."""
_calls: list[int] = []
"""Those that are in an application of ours, by their sessions."""


def load(module: Module) -> None:
    """Register the module and its API command. Raises SwitchError when the switch will not have it."""
    global _loaded, _keeper
    with _loading:
        if _loaded is not None:
            raise SwitchError("switch_loadable_module_build_dynamic", "the module is loaded already")
        _loaded = module
        try:
            _register()
        except BaseException:
            _loaded = None
            raise
        _keeper = Keeper(NAME, API, _register_again)


def _register() -> None:
    _build(APPLICATIONS, _load_applications_function, SHUTDOWN_FUNCTION())
    _build(NAME, _load_function, _shutdown_function)


def _build(name: bytes, load_function: Any, shutdown_function: Any) -> None:
    if without_gil().switch_loadable_module_build_dynamic(name, load_function, None, shutdown_function, 0) != SUCCESS:
        raise SwitchError("switch_loadable_module_build_dynamic", "refused")


def _register_again() -> None:
    """All of it, in the place of what was registered before: that, a few KiB, the switch keeps for ever, since calls
    may be in it. Raises SwitchError."""
    with _loading:
        if _loaded is not None and _exists() and not is_shutting_down():
            completion.remove(API, _loaded.completion)
            _register()


def _exists() -> bool:
    """Whether the switch has the module: no longer once it begins to unload it."""
    status: int = without_gil().switch_loadable_module_exists(NAME)
    return status == SUCCESS


def unload() -> None:
    """Raises SwitchError, for instance while one of the module's functions runs."""
    global _by_us
    _by_us = True
    try:
        _unload()
    finally:
        _by_us = False


def _unload() -> None:
    reason = ctypes.c_char_p()
    if without_gil().switch_loadable_module_unload_module(b"", NAME, 0, ctypes.byref(reason)) != SUCCESS:
        raise SwitchError("switch_loadable_module_unload_module", (reason.value or b"refused").decode())


def faults() -> tuple[str, ...]:
    """What keeps others from reaching the module."""
    keeper = _keeper
    return (keeper.fault,) if keeper and keeper.fault else ()


def is_used() -> bool:
    """Whether calls are in applications of this code, also when it is loaded no more: they come back to it, so
    erlang_py.py keeps it meanwhile."""
    return bool(_calls)


def is_loaded() -> bool:
    return _loaded is not None


def _load(interface: Any, pool: int) -> int:
    try:
        assert _loaded is not None
        made = without_gil().switch_loadable_module_create_module_interface(pool, NAME)
        interface[0] = made
        api = ApiInterface.from_address(_interface(made, API_INTERFACE))
        api.interface_name, api.desc, api.syntax = API, b"erlang information", b"<command> [<args>]"
        api.function = _address(_api_function)
        completion.add(API, _loaded.completion)
        return SUCCESS
    except Exception:
        log.exception("registering failed")
        return FALSE


def _load_applications(interface: Any, pool: int) -> int:
    try:
        assert _loaded is not None
        made = without_gil().switch_loadable_module_create_module_interface(pool, APPLICATIONS)
        interface[0] = made
        for application in _loaded.applications:
            one = ApplicationInterface.from_address(_interface(made, APPLICATION_INTERFACE))
            one.interface_name, one.syntax = _text(application.name), _text(application.syntax)
            one.long_desc = one.short_desc = _text(application.description)
            one.application_function = _address(_application(application.name))
            one.flags = SAF_SUPPORT_NOMEDIA
        return NOUNLOAD
    except Exception:
        log.exception("registering the applications failed")
        return FALSE


def _shutdown() -> int:
    """A step that fails keeps no other from being done."""
    module, keeper = _let_go()
    if module is None or keeper is None:  # of what was registered again, too late
        return SUCCESS
    steps = (keeper.close, partial(completion.remove, API, module.completion), module.shutdown, switch_log.unbind)
    for step in (*steps, _follow):
        try:
            step()
        except Exception:
            log.exception("shutdown failed")
    return SUCCESS


def _let_go() -> tuple[Module | None, Keeper | None]:
    """What was loaded. From now on nothing is registered again."""
    global _loaded, _keeper
    with _loading:
        module, keeper = _loaded, _keeper
        _loaded = _keeper = None
        if module is not None and _exists() and not is_shutting_down():
            _unload()  # what was registered again when the switch had begun to unload
    return module, keeper


def _follow() -> None:
    if not _by_us and not is_shutting_down():
        reload.follow(NAME)


def _api(command: bytes | None, _session: int | None, stream: Any) -> int:
    try:
        if _loaded is None:
            answer = b"-ERR the module is being unloaded\n"
        else:
            answer = _loaded.api((command or b"").decode(errors="replace")).encode(errors="replace")
    except Exception:
        log.exception("erlang %r failed", command)
        answer = b"-ERR internal error, see the log\n"
    write = RAW_WRITE_FUNCTION(stream.contents.raw_write_function)
    write(stream, answer, len(answer))
    return SUCCESS


_load_function, _load_applications_function, _shutdown_function, _api_function = (
    LOAD_FUNCTION(_load),
    LOAD_FUNCTION(_load_applications),
    SHUTDOWN_FUNCTION(_shutdown),
    API_FUNCTION(_api),
)


@cache
def _application(name: str) -> Any:
    """The application of that name, as the switch calls it. What goes wrong in it costs its call, not the switch."""

    def run(session: int, data: bytes | None) -> None:
        _calls.append(session)
        try:
            application = _find(name)
            if application is None:
                _without_us(name, FreeSwitchSession(session))
            else:
                application.run(FreeSwitchSession(session), data or b"")
        except Exception:
            log.exception("application %s failed", name)
        finally:
            _calls.remove(session)

    return APPLICATION_FUNCTION(run)


def _without_us(name: str, session: FreeSwitchSession) -> None:
    """What the switch does where there is no such application."""
    log.error("%s: %s: %s is not loaded", session.uuid, name, NAME.decode())
    session.hangup("DESTINATION_OUT_OF_ORDER")


def _find(name: str) -> Application | None:
    applications = _loaded.applications if _loaded else ()
    return next((application for application in applications if application.name == name), None)


@cache
def _text(text: str) -> bytes:
    """For a structure of the switch's, which keeps a pointer to it."""
    return text.encode()


def _interface(module: int, kind: int) -> int:
    made: int = without_gil().switch_loadable_module_create_interface(module, kind)
    return made


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value
