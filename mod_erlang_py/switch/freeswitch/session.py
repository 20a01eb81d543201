"""Sessions: the calls of the switch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import byref

from mod_erlang_py.switch.port import Event, Header

from .event_source import StructPeek, read
from .events import FILE, create
from .ffi import STACK_BOTTOM, SUCCESS, lib, quick

CF_CONTROLLED = 16
"""switch_channel_flag_t; the same since FreeSWITCH 1.6 at least."""
CS_HANGUP = 10
"""switch_channel_state_t."""


class FreeSwitchSession:
    """The Session of port.py. pointer: switch_core_session_t *, which somebody else holds as long as this is used."""

    def __init__(self, pointer: int) -> None:
        self._session = pointer
        self._channel: int = quick().switch_core_session_get_channel(pointer)
        uuid: bytes = quick().switch_core_session_get_uuid(pointer)
        self.uuid = uuid.decode(errors="replace")

    def variable(self, name: str) -> bytes | None:
        value: bytes | None = quick().switch_channel_get_variable_dup(self._channel, name.encode(), 1, -1)
        return value

    def is_controlled(self) -> bool:
        return bool(quick().switch_channel_test_flag(self._channel, CF_CONTROLLED))

    def has_hung_up(self) -> bool:
        return bool(quick().switch_channel_get_state(self._channel) >= CS_HANGUP)

    def state(self) -> str:
        name: bytes = quick().switch_channel_state_name(quick().switch_channel_get_state(self._channel))
        return name.decode()

    def data(self) -> Event:
        event = create("CHANNEL_DATA")
        try:
            profile = quick().switch_channel_get_caller_profile(self._channel)
            quick().switch_caller_profile_event_set_data(profile, b"Channel", event)
            lib().switch_channel_event_set_data(self._channel, event)
            assert event.value is not None
            return read(StructPeek(event.value))
        finally:
            lib().switch_event_destroy(byref(event))

    def send_message(self, headers: Sequence[Header]) -> bool:
        event = create("SEND_MESSAGE")
        for name, value in headers:
            quick().switch_event_add_header_string(event, STACK_BOTTOM, name, value)
        if lib().switch_core_session_queue_private_event(self._session, byref(event), 0) == SUCCESS:
            return True
        quick().switch_event_destroy(byref(event))
        return False

    def park(self) -> None:
        lib().switch_ivr_park(self._session, None)

    def let_go(self) -> bool:
        if not self.is_controlled():
            return False
        quick().switch_channel_clear_flag(self._channel, CF_CONTROLLED)
        return True

    def hangup(self, cause: str) -> None:
        number = quick().switch_channel_str2cause(cause.encode())
        lib().switch_channel_perform_hangup(self._channel, FILE, b"hangup", 0, number)

    def transfer(self, extension: str, dialplan: str | None, context: str | None) -> None:
        lib().switch_ivr_session_transfer(self._session, extension.encode(), _c(dialplan), _c(context))

    def soft_lock(self, seconds: int) -> None:
        quick().switch_core_session_soft_lock(self._session, seconds)

    def soft_unlock(self) -> None:
        quick().switch_core_session_soft_unlock(self._session)


@contextmanager
def locate(uuid: str, ended: bool = False) -> Iterator[FreeSwitchSession | None]:
    """The session, which cannot be destroyed within the `with` block."""
    find = lib().switch_core_session_perform_force_locate if ended else quick().switch_core_session_perform_locate
    pointer = find(uuid.encode(), FILE, b"locate", 0)
    if not pointer:
        yield None
        return
    try:
        yield FreeSwitchSession(pointer)
    finally:
        quick().switch_core_session_rwunlock(pointer)


def _c(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
