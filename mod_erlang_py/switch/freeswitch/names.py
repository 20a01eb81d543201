"""Keeps the names that our module has in the switch: its command, its applications.

A name belongs to whoever registered it last. When that module is unloaded the name is nobody's, whoever had it before:
mod_erlang_event, loaded and unloaded beside us, takes them all away. So, when it goes, ours are registered again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.log_levels import NOTICE
from mod_erlang_py.switch.port import Received, Wanted

from .source.python import PythonSource

log = logging.getLogger(__name__)

LOADED, UNLOADED = "MODULE_LOAD", "MODULE_UNLOAD"
SECONDS = 60.0
"""For one wait; it is woken at the end."""
STOP_SECONDS = 3.0


class Keeper:
    """module, command: ours. register: registers all of it again; raises SwitchError. Listens until `close`.

    The command stands for the applications, too: of a module that is unloaded they go first, and their events do not
    say whose they were.
    """

    def __init__(self, module: bytes, command: bytes, register: Callable[[], None]) -> None:
        self._module = module
        self._command = command
        self._register = register
        self._closing = False
        self.fault: str | None = None
        self._source = PythonSource({}, 1000)
        self._source.want(Wanted(frozenset({LOADED, UNLOADED})))
        self._thread = threading.Thread(target=self._run, name="erlang:names", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._closing:
                self._look(self._source.take(SECONDS, 100))
        except Exception:
            self.fault = "nobody looks any more whether another module takes our names: see the log"
            log.exception("thread erlang:names failed")

    def _look(self, events: Iterable[Received]) -> None:
        for event in events:
            other = event.header(b"key") or b""
            if event.header(b"type") == b"api" and event.header(b"name") == self._command and other != self._module:
                try:
                    self._changed(event.name, other.decode(errors="replace"))
                except Exception:
                    log.exception("%s may have lost the command %s", self._module, self._command)

    def _changed(self, event: str, other: str) -> None:
        command = self._command.decode()
        if event == LOADED:
            self.fault = f"{other} has our command `{command}`, and the applications that have its names: unload it"
            log.warning("%s", self.fault)
            return
        try:
            self._register()
        except SwitchError as error:
            self.fault = (
                f"our command `{command}`, and our applications, went with {other}, and cannot be registered again "
                f"({error}): unload mod_erlang_py, then pyrun erlang_py"
            )
            log.error("%s", self.fault)
        else:
            self.fault = None
            log.log(NOTICE, "our command `%s`, and our applications, went with %s: registered again", command, other)

    def close(self) -> None:
        """Once it returns nothing is registered any more."""
        self._closing = True
        self._source.wake()
        self._thread.join(STOP_SECONDS)
        self._source.close()
