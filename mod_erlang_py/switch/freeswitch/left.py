"""Leaving Python for a call in which the switch may come back into it, by another module, on the same thread.

mod_python3 runs each script in a thread state of its own. When the thread has one already, because Python called the
switch, the interpreter goes on taking that one for the thread's (PyGILState keeps one for each thread): a callback of
ours that the script causes, be it by `API().executeString("erlang status")`, waits for the GIL in its name, while the
script's state holds it, on the same thread, for ever. So the interpreter is made to forget the thread's state for as
long as such a call lasts, as if this were a thread of the switch that never was in Python; there all that works.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from ctypes import c_int, c_uint, c_void_p
from functools import cache
from typing import Any

log = logging.getLogger(__name__)

MAX_KEYS = 1024
"""PTHREAD_KEYS_MAX."""

_state_of_this_thread = ctypes.pythonapi.PyGILState_GetThisThreadState
_state_of_this_thread.restype = c_void_p
_state_of_this_thread.argtypes = ()
# The GIL is kept in these: the state is forgotten when it is let go of for the call itself, and not before.
_c = ctypes.PyDLL(None)
_get, _set = _c.pthread_getspecific, _c.pthread_setspecific
_get.restype, _get.argtypes = c_void_p, (c_uint,)
_set.restype, _set.argtypes = c_int, (c_uint, c_void_p)


@cache
def _key() -> int | None:
    """Where the interpreter keeps the state of each thread; None where that cannot be found out."""
    mine = _state_of_this_thread()
    for key in range(MAX_KEYS):
        if mine and _get(key) == mine:
            _set(key, None)
            forgotten = _state_of_this_thread() is None
            _set(key, mine)
            if forgotten:
                return key
    log.warning("Python keeps its thread states elsewhere: a script that is run from Erlang must not call back into us")
    return None


def left(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, called as from a thread that is not in Python."""

    def call(*arguments: Any) -> Any:
        key = _key()
        if key is None:
            return function(*arguments)
        state = _state_of_this_thread()
        _set(key, None)
        try:
            return function(*arguments)
        finally:
            _set(key, state)

    return call
