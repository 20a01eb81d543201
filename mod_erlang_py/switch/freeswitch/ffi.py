"""libfreeswitch by ctypes: the functions, structures and callbacks in use, with their C prototypes.

`lib` lets go of the GIL during a call, `quick` keeps it: for functions that take less than letting go would.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_size_t, c_void_p
from functools import cache
from typing import Any

from mod_erlang_py.errors import SwitchError

SUCCESS = 0
FALSE = 1
"""switch_status_t."""

APPLICATION_INTERFACE = 4
API_INTERFACE = 5
"""switch_module_interface_name_t."""

STACK_BOTTOM = 0
"""switch_stack_t."""


class StreamHandle(Structure):
    """switch_stream_handle_t."""

    _fields_ = (
        ("read_function", c_void_p),
        ("write_function", c_void_p),
        ("raw_write_function", c_void_p),
        ("data", c_void_p),
        ("end", c_void_p),
        ("data_size", c_size_t),
        ("data_len", c_size_t),
        ("alloc_len", c_size_t),
        ("alloc_chunk", c_size_t),
        ("param_event", c_void_p),
    )


class ApiInterface(Structure):
    """switch_api_interface_t, the part that a module fills in."""

    _fields_ = (
        ("interface_name", c_char_p),
        ("desc", c_char_p),
        ("function", c_void_p),
        ("syntax", c_char_p),
    )


API_FUNCTION = CFUNCTYPE(c_int, c_char_p, c_void_p, POINTER(StreamHandle))
"""switch_status_t (const char *cmd, switch_core_session_t *, switch_stream_handle_t *)"""
LOAD_FUNCTION = CFUNCTYPE(c_int, POINTER(c_void_p), c_void_p)
"""switch_status_t (switch_loadable_module_interface_t **, switch_memory_pool_t *)"""
SHUTDOWN_FUNCTION = CFUNCTYPE(c_int)
"""switch_status_t (void)"""
RAW_WRITE_FUNCTION = CFUNCTYPE(c_int, POINTER(StreamHandle), c_char_p, c_size_t)
"""switch_status_t (switch_stream_handle_t *, uint8_t *data, switch_size_t len)"""

_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    # switch_status_t (const char *cmd, const char *arg, switch_core_session_t *, switch_stream_handle_t *)
    "switch_api_execute": (c_int, (c_char_p, c_char_p, c_void_p, POINTER(StreamHandle))),
    # switch_status_t (const char *name, switch_event_types_t *)
    "switch_name_event": (c_int, (c_char_p, POINTER(c_int))),
    # const char *(switch_event_types_t)
    "switch_event_name": (c_char_p, (c_int,)),
    # switch_status_t (file, func, line, switch_event_t **, switch_event_types_t, const char *subclass)
    "switch_event_create_subclass_detailed": (
        c_int,
        (c_char_p, c_char_p, c_int, POINTER(c_void_p), c_int, c_char_p),
    ),
    # switch_status_t (switch_event_t *, switch_stack_t, const char *name, const char *value)
    "switch_event_add_header_string": (c_int, (c_void_p, c_int, c_char_p, c_char_p)),
    # switch_status_t (switch_event_t *, const char *body)
    "switch_event_set_body": (c_int, (c_void_p, c_char_p)),
    # switch_status_t (file, func, line, switch_event_t **, void *user_data)
    "switch_event_fire_detailed": (c_int, (c_char_p, c_char_p, c_int, POINTER(c_void_p), c_void_p)),
    # void (switch_event_t **)
    "switch_event_destroy": (None, (POINTER(c_void_p),)),
    # const char *(void)
    "switch_core_get_hostname": (c_char_p, ()),
    "switch_version_full": (c_char_p, ()),
    # switch_xml_t (const char *file_path, switch_xml_t *node, switch_event_t *params)
    "switch_xml_open_cfg": (c_void_p, (c_char_p, POINTER(c_void_p), c_void_p)),
    # char *(switch_xml_t, switch_bool_t prn_header, switch_bool_t use_utf8_encoding); the caller frees
    "switch_xml_toxml_ex": (c_void_p, (c_void_p, c_int, c_int)),
    # void (switch_xml_t)
    "switch_xml_free": (None, (c_void_p,)),
    # void (switch_text_channel_t, file, func, int line, userdata, switch_log_level_t, const char *fmt, ...)
    "switch_log_printf": (None, (c_int, c_char_p, c_char_p, c_int, c_char_p, c_int, c_char_p, c_char_p)),
    # switch_status_t (filename, load, runtime, shutdown, switch_bool_t runtime)
    "switch_loadable_module_build_dynamic": (
        c_int,
        (c_char_p, LOAD_FUNCTION, c_void_p, SHUTDOWN_FUNCTION, c_int),
    ),
    # switch_loadable_module_interface_t *(switch_memory_pool_t *, const char *name)
    "switch_loadable_module_create_module_interface": (c_void_p, (c_void_p, c_char_p)),
    # void *(switch_loadable_module_interface_t *, switch_module_interface_name_t)
    "switch_loadable_module_create_interface": (c_void_p, (c_void_p, c_int)),
    # switch_status_t (const char *dir, const char *fname, switch_bool_t force, const char **err)
    "switch_loadable_module_unload_module": (c_int, (c_char_p, c_char_p, c_int, POINTER(c_char_p))),
    # void *(size_t, size_t), void (void *)
    "calloc": (c_void_p, (c_size_t, c_size_t)),
    "free": (None, (c_void_p,)),
}


class Library:
    """The functions of _PROTOTYPES, as attributes. Raises SwitchError naming every one that this process lacks."""

    def __init__(self, loaded: ctypes.CDLL) -> None:
        missing = []
        for name, (restype, argtypes) in _PROTOTYPES.items():
            try:
                function = getattr(loaded, name)
            except AttributeError:
                missing.append(name)
                continue
            function.restype = restype
            function.argtypes = argtypes
            setattr(self, name, function)
        if missing:
            raise SwitchError("libfreeswitch", f"this process has no {', '.join(missing)}")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(f"{name} has no prototype here")


@cache
def lib() -> Library:
    """The process's own symbols; the GIL is let go of during a call."""
    return Library(ctypes.CDLL(None))


@cache
def quick() -> Library:
    """The same, but the GIL is kept."""
    return Library(ctypes.PyDLL(None))


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
        quick().free(pointer)


__all__ = [
    "API_FUNCTION",
    "API_INTERFACE",
    "APPLICATION_INTERFACE",
    "FALSE",
    "LOAD_FUNCTION",
    "RAW_WRITE_FUNCTION",
    "SHUTDOWN_FUNCTION",
    "STACK_BOTTOM",
    "SUCCESS",
    "ApiInterface",
    "Library",
    "StreamHandle",
    "address_of",
    "lib",
    "quick",
    "take_string",
]
