"""Runs inside FreeSWITCH. `python soak_objects`: how many blocks of memory Python's objects have."""

import gc
import sys
from typing import Any


def fsapi(_session: object, stream: Any, _environment: object, _args: str) -> None:
    gc.collect()
    stream.write(str(sys.getallocatedblocks()))
