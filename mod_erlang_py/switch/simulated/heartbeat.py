"""The HEARTBEAT event, every so many seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mod_erlang_py.switch.port import Event
from mod_erlang_py.switch.simulated.calls.table import Counts
from mod_erlang_py.switch.simulated.core import (
    IDLE_CPU,
    MAX_SESSIONS,
    SESSIONS_PER_SECOND,
    VERSION,
    Core,
    duration,
)


def heartbeat_event(core: Core, counts: Counts) -> Event:
    """FreeSWITCH's. Source: send_heartbeat in switch_core.c."""
    uptime = core.uptime()
    texts = (
        ("Event-Info", "System Ready"),
        ("Up-Time", duration(uptime)),
        ("FreeSWITCH-Version", f"{VERSION}~64bit"),
        ("Uptime-msec", str(uptime // 1000)),
        ("Session-Count", str(counts.now)),
        ("Max-Sessions", str(MAX_SESSIONS)),
        ("Session-Per-Sec", str(SESSIONS_PER_SECOND)),
        ("Session-Per-Sec-Last", str(counts.rate)),
        ("Session-Per-Sec-Max", str(counts.rate_peak)),
        ("Session-Per-Sec-FiveMin", str(counts.rate_five_minutes)),
        ("Session-Since-Startup", str(counts.ever)),
        ("Session-Peak-Max", str(counts.peak)),
        ("Session-Peak-FiveMin", str(counts.peak_five_minutes)),
        ("Idle-CPU", f"{IDLE_CPU:.6f}"),
    )
    return Event("HEARTBEAT", tuple((name.encode(), value.encode()) for name, value in texts))


class Heartbeat:
    """Calls `beat` every `interval` seconds in a daemon thread, first one interval after start()."""

    def __init__(self, interval: float, beat: Callable[[], None]) -> None:
        self._interval = interval
        self._beat = beat
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended. A start() that comes later has no effect."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            self._beat()
            due += self._interval
