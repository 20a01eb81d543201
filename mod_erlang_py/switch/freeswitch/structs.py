"""Numbers, structures and callback types of FreeSWITCH's headers, as far as they are used."""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint32,
    c_ulong,
    c_void_p,
)

SUCCESS = 0
FALSE = 1
NOUNLOAD = 16
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


class ConsumerStruct(Structure):
    """The class EventConsumer of switch_cpp.h, which has no virtual functions, up to what follows:
    `switch_event_node_t *enodes[SWITCH_EVENT_ALL + 1]; uint32_t node_index`."""

    _fields_ = (
        ("pool", c_void_p),
        ("ready", c_int),
        ("events", c_void_p),
        ("e_event_id", c_int),
        ("e_callback", c_void_p),
        ("e_subclass_name", c_void_p),
        ("e_cb_arg", c_void_p),
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


class HeaderStruct(Structure):
    """switch_event_header_t."""

    _fields_ = (
        ("name", c_void_p),
        ("value", c_void_p),
        ("array", c_void_p),
        ("idx", c_int),
        ("hash", c_ulong),
        ("next", c_void_p),
    )


COMPLETE_FUNCTION = CFUNCTYPE(c_int, c_char_p, c_char_p, POINTER(c_void_p))
"""switch_status_t (const char *line, const char *last_word, switch_console_callback_match_t **matches)"""
LOG_FUNCTION = CFUNCTYPE(c_int, POINTER(LogNode), c_int)
"""switch_status_t (const switch_log_node_t *, switch_log_level_t)"""
SEARCH_FUNCTION = CFUNCTYPE(c_void_p, c_char_p, c_char_p, c_char_p, c_char_p, c_void_p, c_void_p)
"""switch_xml_t (section, tag_name, key_name, key_value, switch_event_t *params, void *user_data)"""
RAW_WRITE_FUNCTION = CFUNCTYPE(c_int, POINTER(StreamHandle), c_char_p, c_size_t)
"""switch_status_t (switch_stream_handle_t *, uint8_t *data, switch_size_t len)"""
