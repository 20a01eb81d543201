"""The one loadable module, mod_erlang_py."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Application, Event, Module

OURS = "mod_erlang_py"
API_NAME = "erlang"
API_DESCRIPTION = "The Erlang node"


class Loadable:
    """Holds the loaded module. Neither `fire` nor the module is called while the lock is held."""

    def __init__(self, fire: Callable[[Event], None], log: logging.Logger) -> None:
        self._fire = fire
        self._log = log
        self._lock = threading.Lock()
        self._module: Module | None = None

    @property
    def module(self) -> Module | None:
        return self._module

    def load(self, module: Module) -> None:
        """Raises SwitchError when one is loaded."""
        with self._lock:
            if self._module is not None:
                raise SwitchError("load", "Module already loaded")
            self._module = module
        self._fire(_event("MODULE_LOAD"))

    def application(self, name: str) -> Application | None:
        module = self._module
        found = [one for one in module.applications if one.name.lower() == name.lower()] if module else []
        return found[0] if found else None

    def unload(self) -> bool:
        """Take the module out and call its shutdown, which is called once however many threads unload it.

        False when there was none. What shutdown raises is logged. Calls may be in its applications.
        """
        with self._lock:
            module, self._module = self._module, None
        if module is None:
            return False
        self._fire(_event("MODULE_UNLOAD"))
        try:
            module.shutdown()
        except Exception:
            self._log.exception("%s did not shut down well", OURS)
        return True


def _event(name: str) -> Event:
    texts = (
        ("type", "api"),
        ("name", API_NAME),
        ("description", API_DESCRIPTION),
        ("key", OURS),
        ("filename", OURS),
    )
    return Event(name, tuple((key.encode(), value.encode()) for key, value in texts))
