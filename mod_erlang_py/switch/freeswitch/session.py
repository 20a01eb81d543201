"""Sessions: the calls of the switch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import byref

from mod_erlang_py.switch.port import Event, Header

from .events import FILE, create, destroy, read
from .ffi import keeping_gil, leaving_python, without_gil
from .structs import STACK_BOTTOM, SUCCESS

CF_CONTROLLED = 16
"""switch_channel_flag_t; the same since FreeSWITCH 1.6 at least."""
CS_HANGUP = 10
"""switch_channel_state_t."""


class FreeSwitchSession:
    """The Session of switch/port.

    pointer: switch_core_session_t *, which somebody else holds as long as this is used.
    """

    def __init__(self, pointer: int) -> None:
        self._session = pointer
        self._channel: int = keeping_gil().switch_core_session_get_channel(pointer)
        uuid: bytes = keeping_gil().switch_core_session_get_uuid(pointer)
        self.uuid = uuid.decode(errors="replace")

    def variable(self, name: str) -> bytes | None:
        value: bytes | None = without_gil().switch_channel_get_variable_dup(self._channel, name.encode(), 1, -1)
        return value

    def is_controlled(self) -> bool:
        return bool(without_gil().switch_channel_test_flag(self._channel, CF_CONTROLLED))

    def has_hung_up(self) -> bool:
        return bool(keeping_gil().switch_channel_get_state(self._channel) >= CS_HANGUP)

    def state(self) -> str:
        name: bytes = keeping_gil().switch_channel_state_name(keeping_gil().switch_channel_get_state(self._channel))
        return name.decode()

    def data(self) -> Event:
        event = create("CHANNEL_DATA")
        try:
            profile = without_gil().switch_channel_get_caller_profile(self._channel)
            without_gil().switch_caller_profile_event_set_data(profile, b"Channel", event)
            without_gil().switch_channel_event_set_data(self._channel, event)
            assert event.value is not None
            return read(event.value)
        finally:
            destroy(event)

    def send_message(self, headers: Sequence[Header]) -> bool:
        event = create("SEND_MESSAGE")
        for name, value in headers:
            keeping_gil().switch_event_add_header_string(event, STACK_BOTTOM, name, value)
        if without_gil().switch_core_session_queue_private_event(self._session, byref(event), 0) == SUCCESS:
            return True
        destroy(event)
        return False

    def park(self) -> None:
        leaving_python().switch_ivr_park(self._session, None)

    def let_go(self) -> bool:
        if not self.is_controlled():
            return False
        without_gil().switch_channel_clear_flag(self._channel, CF_CONTROLLED)
        return True

    def hangup(self, cause: str) -> None:
        number = without_gil().switch_channel_str2cause(cause.encode())
        leaving_python().switch_channel_perform_hangup(self._channel, FILE, b"hangup", 0, number)

    def transfer(self, extension: str, dialplan: str | None, context: str | None) -> None:
        leaving_python().switch_ivr_session_transfer(self._session, extension.encode(), _c(dialplan), _c(context))

    def soft_lock(self, seconds: int) -> None:
        keeping_gil().switch_core_session_soft_lock(self._session, seconds)

    def soft_unlock(self) -> None:
        keeping_gil().switch_core_session_soft_unlock(self._session)


@contextmanager
def locate(uuid: str, ended: bool = False) -> Iterator[FreeSwitchSession | None]:
    """The session, which cannot be destroyed within the `with` block."""
    call = without_gil()
    find = call.switch_core_session_perform_force_locate if ended else call.switch_core_session_perform_locate
    pointer = find(uuid.encode(), FILE, b"locate", 0)
    if not pointer:
        yield None
        return
    try:
        yield FreeSwitchSession(pointer)
    finally:
        keeping_gil().switch_core_session_rwunlock(pointer)


def _c(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
