"""What a request may use, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mod_erlang_py.calls.asking import Asking
from mod_erlang_py.calls.calls import Calls
from mod_erlang_py.calls.executes import Executes
from mod_erlang_py.calls.watching import Watching
from mod_erlang_py.config.complaints import Complaints
from mod_erlang_py.config.reload import Reloaded
from mod_erlang_py.config.settings import Encoding
from mod_erlang_py.errors import BadArg, BadOption
from mod_erlang_py.etf import Atom, Binary, Pid, Term, atom_text
from mod_erlang_py.events.event_handlers import EventHandlers
from mod_erlang_py.events.own_subscriptions import OwnSubscriptions
from mod_erlang_py.events.pump import Pump
from mod_erlang_py.events.subscriptions import Subscriptions
from mod_erlang_py.logs import Logs
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.workers import Workers
from mod_erlang_py.switch.port import Switch
from mod_erlang_py.xml.fetches import Fetches

OK = Atom("ok")
ERROR = Atom("error")


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of the running service that requests work on."""

    node: Node
    switch: Switch
    workers: Workers
    subscriptions: Subscriptions
    event_handlers: EventHandlers
    own_subscriptions: OwnSubscriptions
    pump: Pump
    logs: Logs
    calls: Calls
    asking: Asking
    executes: Executes
    watching: Watching
    fetches: Fetches
    text: Callable[[bytes], Term]
    """A text of the switch, as the `encoding` setting has it."""
    reload: Callable[[], Reloaded]
    """Read the settings again. Raises ConfigError, SwitchError: then all is as it was."""
    complaints: Complaints


def as_text(encoding: Encoding, value: bytes) -> Term:
    """A string or a binary."""
    return Binary(value) if encoding is Encoding.BINARY else value


class Request(NamedTuple):
    """One request, out of its envelope. A tuple, which a frozen dataclass takes four times as long to be made as.

    by: the link that it came by, whose node's rights count. link: to the sender's node, which in an envelope may be
    another. to: the process that it was sent to, by its pid or by a registered name. term: the
    request. reply: the answer, by the way the request came; once, at once or later. awaited: whether somebody waits for
    the answer, as for that of a call.
    """

    context: Context
    by: Link
    link: Link
    sender: Pid | None
    to: Pid | str
    term: Term
    reply: Callable[[Term], None]
    awaited: bool = False

    def tell(self, term: Term) -> None:
        """A message to the sender, besides the answer. Raises EncodeError."""
        if self.sender is not None:
            self.link.send(self.sender, term)


@dataclass(frozen=True, slots=True)
class ReplyThen:
    """A reply, and what is to be done once it is on its way."""

    reply: Term
    then: Callable[[], None]


class NoReply:
    """The answer of a request that gets none; whoever calls waits for one all the same, and is answered `ok`."""


NO_REPLY = NoReply()


class ReplyLater(NoReply):
    """The answer of a request that answers later, by its `reply`."""


REPLY_LATER = ReplyLater()


def error(reason: str) -> Term:
    """`{error, Reason}`"""
    return (ERROR, Atom(reason))


def badarg(context: Context, why: BadArg) -> Term:
    """`{error, badarg}`, or `{error, {badarg, S}}`, where S says what was expected."""
    if isinstance(why, BadOption):
        return (ERROR, (Atom("badarg"), context.text(str(why).encode())))
    return error("badarg")


def is_error(term: Term) -> bool:
    """`{error, …}`"""
    return isinstance(term, tuple) and bool(term) and atom_text(term[0]) == ERROR.value
