"""The session_ requests: which events of the calls that the sender has (handle_msg_session_event …)."""

from __future__ import annotations

from collections.abc import Callable

from mod_erlang_py.config.rights import Family
from mod_erlang_py.etf import Term
from mod_erlang_py.events.interest import NOTHING, Interest
from mod_erlang_py.node.target import Target

from .context import OK, Request, error
from .events import exactly, names
from .registry import request


@request("session_event", 1, family=Family.CALLS, or_more=True)
def session_event(ask: Request) -> Term:
    """`{session_event, Name, …}`: these too."""
    wanted = names(ask)
    return _change(ask, lambda now: now.add(wanted))


@request("session_nixevent", 1, family=Family.CALLS, or_more=True)
def session_nixevent(ask: Request) -> Term:
    """`{session_nixevent, Name, …}`: these no more."""
    unwanted = names(ask)
    return _change(ask, lambda now: now.nix(unwanted))


@request("session_setevent", 1, family=Family.CALLS, or_more=True)
def session_setevent(ask: Request) -> Term:
    """`{session_setevent, Name, …}`: exactly these. Not 'ALL'."""
    wanted = exactly(ask)
    return _change(ask, lambda _: wanted)


@request("session_noevents", 0, family=Family.CALLS)
def session_noevents(ask: Request) -> Term:
    """None any more. `{error, notlistening}`, as for all of these: the sender has no call."""
    return _change(ask, lambda _: NOTHING, cut=True)


def _change(ask: Request, change: Callable[[Interest], Interest], cut: bool = False) -> Term:
    """cut: not even what is about to be sent."""
    if ask.sender is None:
        return error("notlistening")
    return OK if ask.context.calls.change(Target(ask.link, ask.sender), change, cut) else error("notlistening")
