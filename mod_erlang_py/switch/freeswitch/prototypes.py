"""The C functions that are called, with their prototypes in FreeSWITCH 1.11.1, and what may keep the GIL."""

from __future__ import annotations

from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint, c_uint32, c_void_p
from dataclasses import dataclass
from typing import Any

from .structs import COMPLETE_FUNCTION, LOAD_FUNCTION, LOG_FUNCTION, SEARCH_FUNCTION, SHUTDOWN_FUNCTION, StreamHandle


@dataclass(frozen=True, slots=True)
class Prototype:
    """restype, argtypes: as ctypes has them. keeps_gil: why it may be called with the GIL kept; "" where it may not.
    may_run_python: how a Python script of somebody else's may come to run in it, on the calling thread."""

    restype: Any
    argtypes: tuple[Any, ...]
    keeps_gil: str = ""
    may_run_python: str = ""


_FIELD = "reads or writes one field of what we hold"
_TABLE = "reads a table that never changes"
_OWN_EVENT = "of an event that is in our hands alone; takes no mutex"
_OWN_QUEUE = "of a queue of our own, whose mutex nobody has for longer than it takes to move one pointer"
_COUNTING = "its mutex is held for as long as it takes to count one up; what is made is small"
_LIBC = "the C library's; takes no mutex of FreeSWITCH's"

PROTOTYPES: dict[str, Prototype] = {
    # switch_status_t (const char *cmd, const char *arg, switch_core_session_t *, switch_stream_handle_t *)
    "switch_api_execute": Prototype(
        c_int, (c_char_p, c_char_p, c_void_p, POINTER(StreamHandle)), may_run_python="`python`, `pyrun`, hooks"
    ),
    # switch_status_t (const char *name, switch_event_types_t *)
    "switch_name_event": Prototype(c_int, (c_char_p, POINTER(c_int))),
    # const char *(switch_event_types_t)
    "switch_event_name": Prototype(c_char_p, (c_int,), _TABLE),
    # switch_status_t (file, func, line, switch_event_t **, switch_event_types_t, const char *subclass)
    "switch_event_create_subclass_detailed": Prototype(
        c_int, (c_char_p, c_char_p, c_int, POINTER(c_void_p), c_int, c_char_p), _COUNTING
    ),
    # switch_status_t (switch_event_t *, switch_stack_t, const char *name, const char *value)
    "switch_event_add_header_string": Prototype(c_int, (c_void_p, c_int, c_char_p, c_char_p), _OWN_EVENT),
    # switch_status_t (switch_event_t *, const char *body)
    "switch_event_set_body": Prototype(c_int, (c_void_p, c_char_p)),
    # switch_status_t (file, func, line, switch_event_t **, void *user_data)
    "switch_event_fire_detailed": Prototype(
        c_int,
        (c_char_p, c_char_p, c_int, POINTER(c_void_p), c_void_p),
        may_run_python="who is bound, where no thread dispatches",
    ),
    # switch_status_t (switch_event_t **copy, switch_event_t *)
    "switch_event_dup": Prototype(c_int, (POINTER(c_void_p), c_void_p)),
    # void (switch_event_t **)
    "switch_event_destroy": Prototype(None, (POINTER(c_void_p),), _OWN_EVENT),
    # EventConsumer::EventConsumer(const char *event_name, const char *subclass_name, int length)
    "_ZN13EventConsumerC1EPKcS1_i": Prototype(None, (c_void_p, c_char_p, c_char_p, c_int)),
    # int EventConsumer::bind(const char *event_name, const char *subclass_name), void EventConsumer::cleanup()
    "_ZN13EventConsumer4bindEPKcS1_": Prototype(c_int, (c_void_p, c_char_p, c_char_p)),
    "_ZN13EventConsumer7cleanupEv": Prototype(None, (c_void_p,)),
    # switch_status_t (switch_event_node_t **)
    "switch_event_unbind": Prototype(c_int, (POINTER(c_void_p),)),
    # switch_status_t (switch_queue_t *, void *data)
    "switch_queue_trypush": Prototype(c_int, (c_void_p, c_void_p), _OWN_QUEUE),
    # switch_status_t (switch_queue_t *, void **data[, switch_interval_time_t microseconds])
    "switch_queue_trypop": Prototype(c_int, (c_void_p, POINTER(c_void_p)), _OWN_QUEUE),
    "switch_queue_pop_timeout": Prototype(c_int, (c_void_p, POINTER(c_void_p), c_int64)),
    # unsigned int (switch_queue_t *)
    "switch_queue_size": Prototype(c_uint, (c_void_p,), _FIELD),
    # switch_status_t (switch_event_t *, char **str); the caller frees
    "switch_event_serialize_json": Prototype(c_int, (c_void_p, POINTER(c_void_p))),
    # char *(switch_event_t *, const char *name, int idx)
    "switch_event_get_header_idx": Prototype(c_char_p, (c_void_p, c_char_p, c_int), _OWN_EVENT),
    # switch_event_header_t *(switch_event_t *, const char *name), char *(switch_event_t *)
    "switch_event_get_header_ptr": Prototype(c_void_p, (c_void_p, c_char_p), _OWN_EVENT),
    "switch_event_get_body": Prototype(c_void_p, (c_void_p,), _FIELD),
    # switch_core_session_t *(const char *uuid, file, func, line)
    "switch_core_session_perform_locate": Prototype(c_void_p, (c_char_p, c_char_p, c_char_p, c_int)),
    "switch_core_session_perform_force_locate": Prototype(c_void_p, (c_char_p, c_char_p, c_char_p, c_int)),
    # void (switch_core_session_t *)
    "switch_core_session_rwunlock": Prototype(None, (c_void_p,), "lets go of a lock, and waits for none"),
    "switch_core_session_soft_unlock": Prototype(None, (c_void_p,), _FIELD),
    # void (switch_core_session_t *, uint32_t seconds)
    "switch_core_session_soft_lock": Prototype(None, (c_void_p, c_uint32), _FIELD),
    # char *(switch_core_session_t *)
    "switch_core_session_get_uuid": Prototype(c_char_p, (c_void_p,), _FIELD),
    # switch_channel_t *(switch_core_session_t *)
    "switch_core_session_get_channel": Prototype(c_void_p, (c_void_p,), _FIELD),
    # switch_status_t (switch_core_session_t *, switch_event_t **, switch_bool_t priority)
    "switch_core_session_queue_private_event": Prototype(c_int, (c_void_p, POINTER(c_void_p), c_int)),
    # const char *(switch_channel_t *, const char *name, switch_bool_t dup, int idx)
    "switch_channel_get_variable_dup": Prototype(c_char_p, (c_void_p, c_char_p, c_int, c_int)),
    # uint32_t (switch_channel_t *, switch_channel_flag_t), void (the same)
    "switch_channel_test_flag": Prototype(c_uint32, (c_void_p, c_int)),
    "switch_channel_clear_flag": Prototype(None, (c_void_p, c_int)),
    # switch_channel_state_t (switch_channel_t *), const char *(switch_channel_state_t)
    "switch_channel_get_state": Prototype(c_int, (c_void_p,), _FIELD),
    "switch_channel_state_name": Prototype(c_char_p, (c_int,), _TABLE),
    # switch_caller_profile_t *(switch_channel_t *)
    "switch_channel_get_caller_profile": Prototype(c_void_p, (c_void_p,)),
    # void (switch_caller_profile_t *, const char *prefix, switch_event_t *)
    "switch_caller_profile_event_set_data": Prototype(None, (c_void_p, c_char_p, c_void_p)),
    # void (switch_channel_t *, switch_event_t *)
    "switch_channel_event_set_data": Prototype(None, (c_void_p, c_void_p)),
    # switch_call_cause_t (const char *)
    "switch_channel_str2cause": Prototype(c_int, (c_char_p,)),
    # switch_channel_state_t (switch_channel_t *, file, func, line, switch_call_cause_t)
    "switch_channel_perform_hangup": Prototype(
        c_int, (c_void_p, c_char_p, c_char_p, c_int, c_int), may_run_python="hooks"
    ),
    # switch_status_t (switch_core_session_t *, extension, dialplan, context)
    "switch_ivr_session_transfer": Prototype(c_int, (c_void_p, c_char_p, c_char_p, c_char_p), may_run_python="hooks"),
    # switch_status_t (switch_core_session_t *, switch_input_args_t *)
    "switch_ivr_park": Prototype(c_int, (c_void_p, c_void_p), may_run_python="applications"),
    # switch_regex_t *(const char *pattern, int options, int *errorcode, unsigned *erroroffset, void *context)
    "switch_regex_compile": Prototype(c_void_p, (c_char_p, c_int, c_void_p, c_void_p, c_void_p)),
    # void (void *)
    "switch_regex_free": Prototype(None, (c_void_p,)),
    # switch_status_t (const char *target, const char *expression)
    "switch_regex_match": Prototype(c_int, (c_char_p, c_char_p)),
    # switch_status_t (switch_log_function_t, switch_log_level_t, switch_bool_t is_console)
    "switch_log_bind_logger": Prototype(c_int, (LOG_FUNCTION, c_int, c_int)),
    # switch_status_t (switch_log_function_t)
    "switch_log_unbind_logger": Prototype(c_int, (LOG_FUNCTION,)),
    # switch_bool_t (const char *ip, const char *list_name, const char **token)
    "switch_check_network_list_ip_token": Prototype(c_int, (c_char_p, c_char_p, c_void_p)),
    # const char *(void)
    "switch_core_get_hostname": Prototype(c_char_p, ()),
    "switch_version_full": Prototype(c_char_p, ()),
    # switch_status_t (function, switch_xml_section_t, void *user_data, switch_xml_binding_t **)
    "switch_xml_bind_search_function_ret": Prototype(c_int, (SEARCH_FUNCTION, c_int, c_void_p, POINTER(c_void_p))),
    # switch_status_t (switch_xml_binding_t **)
    "switch_xml_unbind_search_function": Prototype(c_int, (POINTER(c_void_p),)),
    # void (switch_xml_binding_t *, switch_xml_section_t)
    "switch_xml_set_binding_sections": Prototype(None, (c_void_p, c_int)),
    # switch_xml_t (char *, switch_bool_t dup)
    "switch_xml_parse_str_dynamic": Prototype(c_void_p, (c_char_p, c_int)),
    # const char *(switch_xml_t): "" for none
    "switch_xml_error": Prototype(c_char_p, (c_void_p,)),
    # char *(const char *name); the caller frees
    "switch_core_get_variable_dup": Prototype(c_void_p, (c_char_p,)),
    # void (const char *name, const char *value)
    "switch_core_set_variable": Prototype(None, (c_char_p, c_char_p)),
    # switch_xml_t (const char *file_path, switch_xml_t *node, switch_event_t *params)
    "switch_xml_open_cfg": Prototype(
        c_void_p, (c_char_p, POINTER(c_void_p), c_void_p), may_run_python="an XML binding of mod_python3"
    ),
    # char *(switch_xml_t, switch_bool_t prn_header, switch_bool_t use_utf8_encoding); the caller frees
    "switch_xml_toxml_ex": Prototype(c_void_p, (c_void_p, c_int, c_int)),
    # void (switch_xml_t)
    "switch_xml_free": Prototype(None, (c_void_p,)),
    # void (switch_text_channel_t, file, func, int line, userdata, switch_log_level_t, const char *fmt, ...)
    "switch_log_printf": Prototype(None, (c_int, c_char_p, c_char_p, c_int, c_char_p, c_int, c_char_p, c_char_p)),
    # switch_status_t (filename, load, runtime, shutdown, switch_bool_t runtime)
    "switch_loadable_module_build_dynamic": Prototype(
        c_int, (c_char_p, LOAD_FUNCTION, c_void_p, SHUTDOWN_FUNCTION, c_int)
    ),
    # switch_loadable_module_interface_t *(switch_memory_pool_t *, const char *name)
    "switch_loadable_module_create_module_interface": Prototype(c_void_p, (c_void_p, c_char_p)),
    # void *(switch_loadable_module_interface_t *, switch_module_interface_name_t)
    "switch_loadable_module_create_interface": Prototype(c_void_p, (c_void_p, c_int)),
    # switch_status_t (const char *mod)
    "switch_loadable_module_exists": Prototype(c_int, (c_char_p,)),
    # switch_status_t (const char *dir, const char *fname, switch_bool_t force, const char **err)
    "switch_loadable_module_unload_module": Prototype(c_int, (c_char_p, c_char_p, c_int, POINTER(c_char_p))),
    # uint32_t (void)
    "switch_core_flags": Prototype(c_uint32, ()),
    # switch_status_t (const char *string)
    "switch_console_set_complete": Prototype(c_int, (c_char_p,)),
    # switch_status_t (const char *name[, switch_console_complete_callback_t])
    "switch_console_add_complete_func": Prototype(c_int, (c_char_p, COMPLETE_FUNCTION)),
    "switch_console_del_complete_func": Prototype(c_int, (c_char_p,)),
    # void (switch_console_callback_match_t **, const char *new_val)
    "switch_console_push_match": Prototype(None, (POINTER(c_void_p), c_char_p)),
    # void *(size_t, size_t), void (void *)
    "calloc": Prototype(c_void_p, (c_size_t, c_size_t), _LIBC),
    "free": Prototype(None, (c_void_p,), _LIBC),
}
