"""libfreeswitch by ctypes: the functions, structures and callbacks in use, with their C prototypes.

`lib` lets go of the GIL during a call, `quick` keeps it: for functions that take less than letting go would.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_int, c_int64, c_size_t, c_uint, c_uint32, c_void_p
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

SAF_SUPPORT_NOMEDIA = 1
"""switch_application_flag_enum_t."""


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


class ApplicationInterface(Structure):
    """switch_application_interface_t, the part that a module fills in."""

    _fields_ = (
        ("interface_name", c_char_p),
        ("application_function", c_void_p),
        ("long_desc", c_char_p),
        ("short_desc", c_char_p),
        ("syntax", c_char_p),
        ("flags", c_uint32),
    )


APPLICATION_FUNCTION = CFUNCTYPE(None, c_void_p, c_char_p)
"""void (switch_core_session_t *, const char *data)"""
API_FUNCTION = CFUNCTYPE(c_int, c_char_p, c_void_p, POINTER(StreamHandle))
"""switch_status_t (const char *cmd, switch_core_session_t *, switch_stream_handle_t *)"""
LOAD_FUNCTION = CFUNCTYPE(c_int, POINTER(c_void_p), c_void_p)
"""switch_status_t (switch_loadable_module_interface_t **, switch_memory_pool_t *)"""
SHUTDOWN_FUNCTION = CFUNCTYPE(c_int)
"""switch_status_t (void)"""


class LogNode(Structure):
    """switch_log_node_t, the part that log listeners see."""

    _fields_ = (
        ("data", c_char_p),
        ("file", c_char * 80),
        ("line", c_uint32),
        ("func", c_char * 80),
        ("level", c_int),
        ("timestamp", c_int64),
        ("content", c_char_p),
        ("userdata", c_char_p),
        ("channel", c_int),
    )


class EventStruct(Structure):
    """switch_event_t, up to its body."""

    _fields_ = (
        ("event_id", c_int),
        ("priority", c_int),
        ("owner", c_void_p),
        ("subclass_name", c_void_p),
        ("headers", c_void_p),
        ("last_header", c_void_p),
        ("body", c_void_p),
    )


COMPLETE_FUNCTION = CFUNCTYPE(c_int, c_char_p, c_char_p, POINTER(c_void_p))
"""switch_status_t (const char *line, const char *last_word, switch_console_callback_match_t **matches)"""
LOG_FUNCTION = CFUNCTYPE(c_int, POINTER(LogNode), c_int)
"""switch_status_t (const switch_log_node_t *, switch_log_level_t)"""
SEARCH_FUNCTION = CFUNCTYPE(c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, c_void_p, c_void_p)
"""switch_xml_t (section, tag_name, key_name, key_value, switch_event_t *params, void *user_data)"""
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
    # switch_status_t (switch_event_t **copy, switch_event_t *)
    "switch_event_dup": (c_int, (POINTER(c_void_p), c_void_p)),
    # void (switch_event_t **)
    "switch_event_destroy": (None, (POINTER(c_void_p),)),
    # int EventConsumer::bind(const char *event_name, const char *subclass_name), void EventConsumer::cleanup()
    "_ZN13EventConsumer4bindEPKcS1_": (c_int, (c_void_p, c_char_p, c_char_p)),
    "_ZN13EventConsumer7cleanupEv": (None, (c_void_p,)),
    # switch_status_t (switch_event_node_t **)
    "switch_event_unbind": (c_int, (POINTER(c_void_p),)),
    # switch_status_t (switch_queue_t *, void *data)
    "switch_queue_trypush": (c_int, (c_void_p, c_void_p)),
    # switch_status_t (switch_queue_t *, void **data[, switch_interval_time_t microseconds])
    "switch_queue_trypop": (c_int, (c_void_p, POINTER(c_void_p))),
    "switch_queue_pop_timeout": (c_int, (c_void_p, POINTER(c_void_p), c_int64)),
    # unsigned int (switch_queue_t *)
    "switch_queue_size": (c_uint, (c_void_p,)),
    # switch_status_t (switch_queue_t *)
    "switch_queue_interrupt_all": (c_int, (c_void_p,)),
    # switch_status_t (switch_event_t *, char **str); the caller frees
    "switch_event_serialize_json": (c_int, (c_void_p, POINTER(c_void_p))),
    # char *(switch_event_t *, const char *name, int idx)
    "switch_event_get_header_idx": (c_char_p, (c_void_p, c_char_p, c_int)),
    # switch_core_session_t *(const char *uuid, file, func, line)
    "switch_core_session_perform_locate": (c_void_p, (c_char_p, c_char_p, c_char_p, c_int)),
    "switch_core_session_perform_force_locate": (c_void_p, (c_char_p, c_char_p, c_char_p, c_int)),
    # void (switch_core_session_t *)
    "switch_core_session_rwunlock": (None, (c_void_p,)),
    "switch_core_session_soft_unlock": (None, (c_void_p,)),
    # void (switch_core_session_t *, uint32_t seconds)
    "switch_core_session_soft_lock": (None, (c_void_p, c_uint32)),
    # char *(switch_core_session_t *)
    "switch_core_session_get_uuid": (c_char_p, (c_void_p,)),
    # switch_channel_t *(switch_core_session_t *)
    "switch_core_session_get_channel": (c_void_p, (c_void_p,)),
    # switch_status_t (switch_core_session_t *, switch_event_t **, switch_bool_t priority)
    "switch_core_session_queue_private_event": (c_int, (c_void_p, POINTER(c_void_p), c_int)),
    # const char *(switch_channel_t *, const char *name, switch_bool_t dup, int idx)
    "switch_channel_get_variable_dup": (c_char_p, (c_void_p, c_char_p, c_int, c_int)),
    # uint32_t (switch_channel_t *, switch_channel_flag_t), void (the same)
    "switch_channel_test_flag": (c_uint32, (c_void_p, c_int)),
    "switch_channel_clear_flag": (None, (c_void_p, c_int)),
    # switch_channel_state_t (switch_channel_t *), const char *(switch_channel_state_t)
    "switch_channel_get_state": (c_int, (c_void_p,)),
    "switch_channel_state_name": (c_char_p, (c_int,)),
    # switch_caller_profile_t *(switch_channel_t *)
    "switch_channel_get_caller_profile": (c_void_p, (c_void_p,)),
    # void (switch_caller_profile_t *, const char *prefix, switch_event_t *)
    "switch_caller_profile_event_set_data": (None, (c_void_p, c_char_p, c_void_p)),
    # void (switch_channel_t *, switch_event_t *)
    "switch_channel_event_set_data": (None, (c_void_p, c_void_p)),
    # switch_call_cause_t (const char *)
    "switch_channel_str2cause": (c_int, (c_char_p,)),
    # switch_channel_state_t (switch_channel_t *, file, func, line, switch_call_cause_t)
    "switch_channel_perform_hangup": (c_int, (c_void_p, c_char_p, c_char_p, c_int, c_int)),
    # switch_status_t (switch_core_session_t *, extension, dialplan, context)
    "switch_ivr_session_transfer": (c_int, (c_void_p, c_char_p, c_char_p, c_char_p)),
    # switch_status_t (switch_core_session_t *, switch_input_args_t *)
    "switch_ivr_park": (c_int, (c_void_p, c_void_p)),
    # switch_regex_t *(const char *pattern, int options, int *errorcode, unsigned *erroroffset, void *context)
    "switch_regex_compile": (c_void_p, (c_char_p, c_int, c_void_p, c_void_p, c_void_p)),
    # void (void *)
    "switch_regex_free": (None, (c_void_p,)),
    # switch_status_t (const char *target, const char *expression)
    "switch_regex_match": (c_int, (c_char_p, c_char_p)),
    # switch_status_t (switch_log_function_t, switch_log_level_t, switch_bool_t is_console)
    "switch_log_bind_logger": (c_int, (LOG_FUNCTION, c_int, c_int)),
    # switch_status_t (switch_log_function_t)
    "switch_log_unbind_logger": (c_int, (LOG_FUNCTION,)),
    # switch_bool_t (const char *ip, const char *list_name, const char **token)
    "switch_check_network_list_ip_token": (c_int, (c_char_p, c_char_p, c_void_p)),
    # const char *(void)
    "switch_core_get_hostname": (c_char_p, ()),
    "switch_version_full": (c_char_p, ()),
    # switch_status_t (function, switch_xml_section_t, void *user_data, switch_xml_binding_t **)
    "switch_xml_bind_search_function_ret": (c_int, (SEARCH_FUNCTION, c_int, c_void_p, POINTER(c_void_p))),
    # switch_status_t (switch_xml_binding_t **)
    "switch_xml_unbind_search_function": (c_int, (POINTER(c_void_p),)),
    # void (switch_xml_binding_t *, switch_xml_section_t)
    "switch_xml_set_binding_sections": (None, (c_void_p, c_int)),
    # switch_xml_t (char *, switch_bool_t dup)
    "switch_xml_parse_str_dynamic": (c_void_p, (c_char_p, c_int)),
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
    # uint32_t (void)
    "switch_core_flags": (c_uint32, ()),
    # switch_status_t (const char *string)
    "switch_console_set_complete": (c_int, (c_char_p,)),
    # switch_status_t (const char *name[, switch_console_complete_callback_t])
    "switch_console_add_complete_func": (c_int, (c_char_p, COMPLETE_FUNCTION)),
    "switch_console_del_complete_func": (c_int, (c_char_p,)),
    # void (switch_console_callback_match_t **, const char *new_val)
    "switch_console_push_match": (None, (POINTER(c_void_p), c_char_p)),
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
