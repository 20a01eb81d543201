"""The port's Session."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event, Header
from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel
from mod_erlang_py.switch.simulated.calls.messages import Message
from mod_erlang_py.switch.simulated.calls.parking import park
from mod_erlang_py.switch.simulated.calls.transfer import transfer


class ChannelSession:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.uuid = channel.uuid

    def variable(self, name: str) -> bytes | None:
        return self._channel.variable(_bytes(name))

    def is_controlled(self) -> bool:
        return self._channel.controlled

    def has_hung_up(self) -> bool:
        return self._channel.has_hung_up

    def state(self) -> str:
        return self._channel.state.text

    def data(self) -> Event:
        return self._channel.data(b"Channel")

    def send_message(self, headers: Sequence[Header]) -> bool:
        return self._channel.send(Message.of(headers))

    def park(self) -> None:
        """Raises SwitchError on another thread than the channel's."""
        if threading.current_thread() is not self._channel.thread:
            raise SwitchError("switch_ivr_park", "not on the session's own thread")
        park(self._channel)

    def let_go(self) -> bool:
        return self._channel.let_go()

    def hangup(self, cause: str) -> None:
        """NORMAL_CLEARING for a cause that the switch does not know."""
        self._channel.hangup(Cause.of(cause))

    def transfer(self, extension: str, dialplan: str | None, context: str | None) -> None:
        transfer(self._channel, _bytes(extension), _bytes(dialplan), _bytes(context))

    def soft_lock(self, seconds: int) -> None:
        self._channel.keeping.soft_lock(seconds)

    def soft_unlock(self) -> None:
        self._channel.keeping.soft_lock(0)


def _bytes(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "surrogateescape")
