"""`python -m mod_erlang_py`: the node on the simulated switch, to try it out without a FreeSWITCH."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
from pathlib import Path

from mod_erlang_py.errors import ConfigError
from mod_erlang_py.log_lines import LineHandler
from mod_erlang_py.service import Service
from mod_erlang_py.switch.simulated import SimulatedSwitch


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mod_erlang_py", description=__doc__)
    parser.add_argument("--conf", type=Path, metavar="DIR", help="folder with autoload_configs/erlang_event.conf.xml")
    arguments = parser.parse_args()

    switch = SimulatedSwitch(arguments.conf)
    log = logging.getLogger("mod_erlang_py")
    lines = LineHandler(switch.log_handler())
    log.addHandler(lines)
    log.setLevel(logging.DEBUG)
    switch.start()
    try:
        service = Service(switch, lines.configure)
    except ConfigError as error:
        log.error("%s", error)
        switch.stop()
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Not signal.pause(): it would sleep on when the signal comes just before it, or is another thread's to take.
    waiting, waking = socket.socketpair()
    waking.setblocking(False)
    signal.set_wakeup_fd(waking.fileno())
    try:
        service.start()
        while True:
            waiting.recv(1)
    except KeyboardInterrupt:
        service.stop()
        switch.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
