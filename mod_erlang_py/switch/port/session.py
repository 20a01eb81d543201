"""A call of the switch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .events import Event, Header


class Session(Protocol):
    """A call's session, as long as it is held: by the application that runs on it, or within Switch.locate."""

    uuid: str

    def variable(self, name: str) -> bytes | None:
        """A channel variable."""

    def is_controlled(self) -> bool:
        """Whether somebody controls the channel already (CF_CONTROLLED): it is parked."""

    def has_hung_up(self) -> bool:
        """Whether its state is CS_HANGUP or later."""

    def state(self) -> str:
        """ "CS_EXECUTE" and the like."""

    def data(self) -> Event:
        """A CHANNEL_DATA event: the caller profile (prefix "Channel"), the channel's data and variables, as
        notify_new_session of mod_erlang_event makes it, without its last two headers."""

    def send_message(self, headers: Sequence[Header]) -> bool:
        """Queue a private SEND_MESSAGE event, which the session executes; False when it takes no more."""

    def park(self) -> None:
        """Park until the call is let go or ends (switch_ivr_park). On the session's own thread only."""

    def let_go(self) -> bool:
        """End the parking: its application returns, and the dialplan goes on. False when it is not parked."""

    def hangup(self, cause: str) -> None:
        """cause: "NORMAL_CLEARING" or any other name that the switch knows."""

    def transfer(self, extension: str, dialplan: str | None, context: str | None) -> None:
        """None: as it is now."""

    def soft_lock(self, seconds: int) -> None:
        """Keep the session for so long after the call's end, until soft_unlock."""

    def soft_unlock(self) -> None: ...
