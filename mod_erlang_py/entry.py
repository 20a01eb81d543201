"""Start inside FreeSWITCH; called by scripts/erlang_py.py."""

from __future__ import annotations

import atexit
import logging
import sys
import threading

from mod_erlang_py.log_lines import LineHandler
from mod_erlang_py.service import Service
from mod_erlang_py.switch.freeswitch import FreeSwitch

log = logging.getLogger("mod_erlang_py")

SWITCH_INTERVAL = 0.0005
"""Seconds that a thread may keep the interpreter from others (sys.setswitchinterval; 5 ms else): a writer, or a call,
would wait for the pump as long before each of its steps."""

_lock = threading.Lock()
_running: Service | None = None


def start() -> None:
    """Start the node in this switch, unless it runs already. What this raises leaves nothing of it behind: it can be
    tried again."""
    global _running
    with _lock:
        if _running is not None and not _running.stopped:
            log.warning("already running; `unload mod_erlang_py` stops it")
            return
        sys.setswitchinterval(SWITCH_INTERVAL)
        switch = FreeSwitch()
        service = Service(switch, _lines(switch).configure)
        try:
            service.start()
        except BaseException:
            _undo(switch, service)
            raise
        if _running is None:
            atexit.register(_stop)
        _running = service


def _lines(switch: FreeSwitch) -> LineHandler:
    """What our log goes through on its way to the switch."""
    for handler in log.handlers:
        if isinstance(handler, LineHandler):
            return handler
    lines = LineHandler(switch.log_handler())
    log.addHandler(lines)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    return lines


def _undo(switch: FreeSwitch, service: Service) -> None:
    """End what was started, however far that came."""
    try:
        service.stop()
    except Exception:
        log.exception("what was started could not be stopped")
    try:
        if switch.has_module():
            switch.unload()
    except Exception:
        log.exception("`unload mod_erlang_py` before the next start")


def _stop() -> None:
    if _running is not None:
        _running.stop()
