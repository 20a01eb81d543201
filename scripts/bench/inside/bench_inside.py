"""Runs a function of bench_inside.c inside FreeSWITCH: by `pyrun`, which returns at once, or by `python`, which returns
when it is done.

    pyrun bench_inside LIBRARY bench_fire NAME SUBCLASS|- UUID|- COUNT RATE HEADERS
    pyrun bench_inside LIBRARY bench_log COUNT RATE

LIBRARY: bench_inside.c, compiled. bench_fire fires COUNT events of that name, RATE a second or, with 0, as fast as
FreeSWITCH takes them, numbered by the header Number from 1, with their time in Sent (nanoseconds since the epoch),
these two last. bench_log writes so many log lines of the level DEBUG. The interpreter's lock is not held.
"""

import ctypes
from typing import Any


def runtime(args: str) -> None:
    library, function, *arguments = args.split()
    values = [ctypes.c_long(int(word)) if word.isdecimal() else word.encode() for word in arguments]
    getattr(ctypes.CDLL(library), function)(*values)


def fsapi(_session: object, stream: Any, _environment: object, args: str) -> None:
    runtime(args)
    stream.write("+OK")
