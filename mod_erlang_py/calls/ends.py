"""By what it is noticed that a call has ended."""

from __future__ import annotations

from mod_erlang_py.switch.port import Switch

HANGUP = "CHANNEL_HANGUP"
"""The first event that tells of it: further ones of the call follow."""
ENDS = frozenset({"CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY"})
"""Those after which there is nothing more."""


def has_ended(switch: Switch, uuid: str) -> bool:
    """Whether it has hung up, or there is no such call: for who may have missed the events, or was sent one by whoever
    may send events."""
    with switch.locate(uuid) as session:
        return session is None or session.has_hung_up()
