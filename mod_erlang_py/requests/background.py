"""A command that runs in the background, for bgapi."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from mod_erlang_py.switch.port import ApiResult, Switch

PATIENCE = 0.5
"""Seconds that the answer to `bgapi` may wait for the calls that the command makes."""
LOOK = 0.0005
"""Seconds between two looks for such a call: the switch tells of it later than it can be found."""

_LATER = re.compile(rb"\||\s['\"]?&")
_NAMED = re.compile(rb"\borigination_uuid=['\"]?([^\s,;:'\"^$\[\]{}<>]+)", re.IGNORECASE)


class BackgroundJob:
    """finish: called with the result, in the thread that runs it, once the request is answered."""

    def __init__(self, switch: Switch, command: str, arguments: bytes, finish: Callable[[ApiResult], None]) -> None:
        self._switch = switch
        self._command = command
        self._arguments = arguments
        self._finish = finish
        self._begun = threading.Event()
        self._ended = threading.Event()
        self._answered = threading.Event()

    def run(self) -> None:
        """By a worker."""
        self._begun.set()
        try:
            result = self._switch.execute(self._command, self._arguments)
        finally:
            self._ended.set()
        self._answered.wait()
        self._finish(result)

    def answered(self) -> None:
        """The request is answered: from now on the result may follow."""
        self._answered.set()

    def wait_until_findable(self) -> None:
        """Until each call whose UUID the command names is there, or the command has ended; for PATIENCE at most.
        mod_event_socket waits for its thread, and looks every 10 ms: by then such a call exists."""
        deadline = time.monotonic() + PATIENCE
        for uuid in named_calls(self._arguments):
            self._begun.wait(PATIENCE)
            while not self._exists(uuid) and time.monotonic() < deadline:
                if self._ended.wait(LOOK):
                    return

    def _exists(self, uuid: str) -> bool:
        with self._switch.locate(uuid) as session:
            return session is not None


def named_calls(arguments: bytes) -> list[str]:
    """The UUIDs of the calls that a command's arguments name as those to be made at once: `origination_uuid=…`, in
    whatever brackets. Not those that may be made later: what is tried in turn (`a|b`), the application's (`&…`)."""
    found = _NAMED.findall(_LATER.split(arguments, maxsplit=1)[0])
    return [uuid.decode(errors="replace") for uuid in found]
