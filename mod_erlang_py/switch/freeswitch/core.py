"""The switch as a whole: its API commands, and whether it is ending."""

from __future__ import annotations

from functools import cache

from mod_erlang_py.switch.port import ApiResult

from .ffi import address_of, keeping_gil, leaving_python, take_string, without_gil
from .structs import SUCCESS, StreamHandle

CHUNK = 1024
"""SWITCH_CMD_CHUNK_LEN."""
INVALID_COMMAND = b"INVALID COMMAND!\n"
"""What switch_api_execute writes when no module has the command."""
SCF_SHUTTING_DOWN = 1 << 3
"""switch_core_flag_enum_t; the same since 2011."""


def execute(command: str, arguments: bytes) -> ApiResult:
    stream = StreamHandle.from_buffer_copy(_empty())
    stream.data = stream.end = keeping_gil().calloc(1, CHUNK)
    status = leaving_python().switch_api_execute(command.encode(), arguments, None, stream)
    output = take_string(stream.data)
    return ApiResult(status == SUCCESS or output != INVALID_COMMAND, status == SUCCESS, output)


@cache
def _empty() -> StreamHandle:
    return StreamHandle(
        write_function=address_of("switch_console_stream_write"),
        raw_write_function=address_of("switch_console_stream_raw_write"),
        data_size=CHUNK,
        alloc_len=CHUNK,
        alloc_chunk=CHUNK,
    )


def is_shutting_down() -> bool:
    return bool(without_gil().switch_core_flags() & SCF_SHUTTING_DOWN)
