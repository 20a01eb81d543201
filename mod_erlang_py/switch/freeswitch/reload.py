"""What FreeSWITCH's command `reload` leaves undone: it unloads us, and then looks for a file mod_erlang_py.so.

There is none. So, when we are unloaded, a thread stays behind for a moment and looks which command it was: the switch
tells of each, once it is done. After a `reload` it starts the node as an operator would.
"""

from __future__ import annotations

import logging
import threading
import time

from mod_erlang_py.log_levels import NOTICE
from mod_erlang_py.switch.port import Received, Wanted

from .core import execute, is_shutting_down
from .source.python import PythonSource

log = logging.getLogger(__name__)

SECONDS = 10.0
"""That the command may take, once we have shut down."""
LOOK = 0.2
"""Seconds between two looks whether the switch is shutting down."""
SCRIPT = b"erlang_py"


def follow(module: bytes) -> None:
    """Start the node again if it is a `reload` that unloads the module now."""
    source = PythonSource({}, 1000)
    source.want(Wanted(frozenset({"API"})))
    threading.Thread(target=_follow, args=(source, module), name="erlang:reload", daemon=True).start()


def _follow(source: PythonSource, module: bytes) -> None:
    try:
        if _command(source, module) == b"reload":
            log.log(NOTICE, "reload %s: no file to load; starting again, as `pyrun erlang_py` does", module.decode())
            execute("pyrun", SCRIPT)
    except Exception:
        log.exception("after unloading %s", module)
    finally:
        source.close()


def _command(source: PythonSource, module: bytes) -> bytes | None:
    """That unloaded it; None if it was none."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and not is_shutting_down():
        for event in source.take(LOOK, 100):
            command = (event.header(b"API-Command") or b"").lower()
            if command in (b"reload", b"unload") and _argument(event).split()[-1:] == [module]:
                return command
    return None


def _argument(event: Received) -> bytes:
    return event.header(b"API-Command-Argument") or b""
