"""libfreeswitch by ctypes: its functions, which are called with the GIL kept or without it, as the call says.

Whoever waits for a mutex with the GIL kept stops all of Python, for as long as another has the mutex; and for ever when
that one is waiting for the GIL. So a function is called without the GIL, unless its prototype says why it need not be.
And one that may come back into Python on the same thread is called as if that thread had never been in Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from ctypes import c_void_p
from functools import cache
from typing import Any

from mod_erlang_py.errors import SwitchError

from .left import left
from .prototypes import PROTOTYPES, Prototype


class Library:
    """Functions, as attributes. Raises SwitchError naming every one that this process lacks."""

    def __init__(self, loaded: ctypes.CDLL, prototypes: Mapping[str, Prototype]) -> None:
        missing = []
        for name, prototype in prototypes.items():
            try:
                function = getattr(loaded, name)
            except AttributeError:
                missing.append(name)
                continue
            function.restype = prototype.restype
            function.argtypes = prototype.argtypes
            setattr(self, name, function)
        if missing:
            raise SwitchError("libfreeswitch", f"this process has no {', '.join(missing)}")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(f"{name}: no such prototype, or not one that keeps the GIL")


@cache
def without_gil() -> Library:
    """Functions that no Python runs in; other Python threads run while one of them does."""
    may = {name: prototype for name, prototype in PROTOTYPES.items() if not prototype.may_run_python}
    return Library(ctypes.CDLL(None), may)


@cache
def leaving_python() -> Library:
    """The functions in which a Python script of somebody else's may run; see left.py. Without the GIL, too."""
    may = {name: prototype for name, prototype in PROTOTYPES.items() if prototype.may_run_python}
    library = Library(ctypes.CDLL(None), may)
    for name in may:
        setattr(library, name, left(getattr(library, name)))
    return library


@cache
def keeping_gil() -> Library:
    """Those that may keep the GIL: they take less time than letting go of it, and getting it back, would."""
    may = {name: prototype for name, prototype in PROTOTYPES.items() if prototype.keeps_gil}
    return Library(ctypes.PyDLL(None), may)


def address_of(name: str) -> int:
    """The address of a C function, to be put into a structure."""
    address = ctypes.cast(getattr(ctypes.CDLL(None), name), c_void_p).value
    assert address is not None
    return address


def take_string(pointer: int | None) -> bytes:
    """The bytes of a C string that we own, which is freed."""
    if not pointer:
        return b""
    try:
        return ctypes.string_at(pointer)
    finally:
        keeping_gil().free(pointer)
