"""The dialplan applications `erlang` and `erlang_sendmsg`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from mod_erlang_py.errors import ErlangNodeError, NotConnected
from mod_erlang_py.etf import Atom, Term
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Application, Header, Session

from .asking import Asking
from .calls import Call, Calls
from .dialplan import Group, Wish, destination
from .groups import Groups
from .parking import Parking
from .waiting import HungUp, NoAnswer, Taken
from .words import words

log = logging.getLogger(__name__)

ERLANG_NODE = b"Erlang-Node"
"""The header of `call` that says whose it is."""
NO_ANSWER_CAUSE = "DESTINATION_OUT_OF_ORDER"


class Applications:
    """text: a text of the switch as a term."""

    def __init__(
        self,
        node: Node,
        calls: Calls,
        asking: Asking,
        groups: Groups,
        parking: Parking,
        text: Callable[[bytes], Term],
    ) -> None:
        self._node = node
        self._calls = calls
        self._asking = asking
        self._groups = groups
        self._parking = parking
        self._text = text

    def all(self) -> tuple[Application, ...]:
        """As they are registered with the switch."""
        return (
            Application(
                "erlang",
                "Yield call control to an Erlang process",
                "<process> <node@host>[|<node@host>…]",
                self.erlang,
            ),
            Application(
                "erlang_sendmsg",
                "Send a message to an Erlang process",
                "<name> <node@host> <message>",
                self.erlang_sendmsg,
            ),
        )

    def erlang(self, session: Session, data: bytes) -> None:
        """Attach the call to the process that data names, and park it (erlang_outbound_function)."""
        try:
            wish, nodes = destination(data)
        except ValueError as error:
            log.error("%s: erlang %r: %s", session.uuid, data.decode(errors="replace"), error)
            return
        if session.is_controlled():
            log.error("%s: erlang: the channel is under control already", session.uuid)
            return
        with self._parking.run(session.uuid) as run:
            if self._calls.named(session.uuid) == data:
                log.debug("%s: erlang: attached already", session.uuid)
            elif not self._hand_over(session, data, wish, nodes):
                return
            if not run.go_on:
                session.park()

    def _hand_over(self, session: Session, data: bytes, wish: Wish, nodes: list[str]) -> bool:
        """Whether a process has the call now."""
        call = self._calls.candidate(session, data)
        with self._calls.or_let_out(call):
            return self._find_and_attach(session, call, wish, nodes)

    def _find_and_attach(self, session: Session, call: Call, wish: Wish, nodes: list[str]) -> bool:
        answered = True
        for node in nodes:
            try:
                order = partial(self._groups.order, session, call)
                found = self._asking.find(call.uuid, call.waiting, wish, node, order)
            except HungUp:
                log.info("%s: erlang: hung up before %s had it", session.uuid, node)
                break
            except Taken:
                log.info("%s: erlang: another process took it before %s had it", session.uuid, node)
                break
            except NotConnected as error:
                log.error("%s: erlang: %s", session.uuid, error)
                answered = True
            except NoAnswer as error:
                log.warning("%s: erlang: %s at %s: %s", session.uuid, wish, node, error)
                answered = False
            else:
                self._calls.attach(call, found, self._calls.data(session, *self._more(wish)))
                return True
        if not self._calls.withdraw(call):
            return True
        if not answered:
            session.hangup(NO_ANSWER_CAUSE)
        return False

    def _more(self, wish: Wish) -> tuple[Header, ...]:
        """A member of a group may have calls of several switches."""
        return ((ERLANG_NODE, self._node.name.encode()),) if isinstance(wish, Group) else ()

    def erlang_sendmsg(self, session: Session, data: bytes) -> None:
        """`{freeswitch_sendmsg, S}` to a registered process (erlang_sendmsg_function)."""
        match words(data, most=3):
            case [name, node, text] if name and node:
                try:
                    link = self._node.connect(node.decode(), self._asking.timeout)
                    Target(link, name.decode()).send((Atom("freeswitch_sendmsg"), self._text(text)))
                except (ErlangNodeError, UnicodeDecodeError) as error:
                    log.error("%s: erlang_sendmsg: %s", session.uuid, error)
            case _:
                log.error(
                    "%s: erlang_sendmsg: expected NAME NODE TEXT, got %r", session.uuid, data.decode(errors="replace")
                )
