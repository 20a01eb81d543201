"""Functions of libfreeswitch, in a process that has none; tests/in_switch/test_ffi.py is inside one."""

from __future__ import annotations

import ctypes
from ctypes import c_int

import pytest

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.freeswitch import FreeSwitch
from mod_erlang_py.switch.freeswitch.ffi import Library
from mod_erlang_py.switch.freeswitch.prototypes import Prototype


def test_what_the_process_lacks_is_named() -> None:
    with pytest.raises(SwitchError, match="switch_version_full"):
        FreeSwitch()


def test_a_function_without_a_prototype_is_refused() -> None:
    library = Library(ctypes.CDLL(None), {"abs": Prototype(c_int, (c_int,))})
    assert library.abs(-7) == 7
    with pytest.raises(AttributeError, match="labs: no such prototype, or not one that keeps the GIL"):
        library.labs  # noqa: B018
