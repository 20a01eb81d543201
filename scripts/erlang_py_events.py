"""Fires events, as fast as the switch takes them or at a rate.

    pyrun erlang_py_events COUNT [RATE [HEADERS [LIBRARY]]]

For scripts/bench.py and the tests, inside FreeSWITCH. The events are CUSTOM, of the subclass `erlang_py::bench`,
numbered by the header Number from 1, with their time in Sent (nanoseconds since the epoch), these two last; RATE is
events a second, 0 for no limit. They are copies of one, so that firing costs little and lets other Python threads run.
LIBRARY: bench_fire.c, compiled: fires from C, without the interpreter.
"""

import ctypes
import sys
import time
from ctypes import byref, c_long, c_void_p
from pathlib import Path

PACKAGES = Path(__file__).resolve().parent / "erlang_py_packages"
SUBCLASS = b"erlang_py::bench"


def runtime(args: str) -> None:
    if str(PACKAGES) not in sys.path and PACKAGES.is_dir():
        sys.path.append(str(PACKAGES))
    given = args.split()
    count, rate, headers = (int(word) for word in (given + ["0", "75"][len(given) - 1 :])[:3])
    fire(count, rate, headers, given[3] if len(given) > 3 else None)


def fire(count: int, rate: int, headers: int, library: str | None = None) -> None:
    from mod_erlang_py.switch.freeswitch.events import event_id
    from mod_erlang_py.switch.freeswitch.ffi import keeping_gil, without_gil
    from mod_erlang_py.switch.freeswitch.structs import STACK_BOTTOM

    call, free = keeping_gil(), without_gil()
    template = c_void_p()
    free.switch_event_create_subclass_detailed(b"bench", b"fire", 0, byref(template), event_id("CUSTOM"), SUBCLASS)
    # 14 are the switch's own, and Number and Sent
    for number in range(headers - 16):
        value = b"sip:%d@127.0.0.1:5060;transport=udp" % number if number % 3 else b"a value, number %d" % number
        call.switch_event_add_header_string(template, STACK_BOTTOM, b"variable_bench_header_%d" % number, value)
    if library is not None:
        ctypes.CDLL(library).bench_fire(template, c_long(count), c_long(rate))
        count = 0
    began = time.perf_counter()
    for number in range(1, count + 1):
        if rate:
            ahead = began + number / rate - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
        event = c_void_p()
        free.switch_event_dup(byref(event), template)
        call.switch_event_add_header_string(event, STACK_BOTTOM, b"Number", b"%d" % number)
        call.switch_event_add_header_string(event, STACK_BOTTOM, b"Sent", b"%d" % time.time_ns())
        free.switch_event_fire_detailed(b"bench", b"fire", 0, byref(event), None)
    free.switch_event_destroy(byref(template))
