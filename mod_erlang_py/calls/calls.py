"""Calls that are attached to Erlang processes.

A call is attached in two steps. `_attach` registers it, so that its events are kept from then on, and `announce` tells
the process: `call`, then the kept events, then each further one as it comes. The pump ends it with `call_hangup`, after
CHANNEL_HANGUP_COMPLETE. Whoever takes a call out of the table (its end, a lost handler, nohandle, another handler) has
it to himself: so there is one end, whatever happens at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mod_erlang_py import etf
from mod_erlang_py.calls.asking import Handler, Handlers, HungUp, NoAnswer, Waiting
from mod_erlang_py.calls.dialplan import Target, parse
from mod_erlang_py.config import disposition
from mod_erlang_py.config.disposition import Continue, Disposition
from mod_erlang_py.distribution.connection import encode_frame
from mod_erlang_py.errors import ErlangNodeError, NotConnected
from mod_erlang_py.etf import Atom, Pid, Term, atom_text
from mod_erlang_py.etf.event import EventEncoder, event, tagged
from mod_erlang_py.etf.show import show
from mod_erlang_py.events.interest import Subscription
from mod_erlang_py.events.pump import VERSION, Events, encode
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.node import Node
from mod_erlang_py.switch.port import Event, Peek, Session, Switch

log = logging.getLogger(__name__)

SOFT_LOCK = 5
"""Seconds that a session waits, after its end, for us to let go of it (session_elem_create)."""
NO_ANSWER_CAUSE = "DESTINATION_OUT_OF_ORDER"
ON_HANDLER_EXIT = "erlang_on_handler_exit"
HANGUP = "CHANNEL_HANGUP"
ENDS = (HANGUP, "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY")
PARK_TIME = 1.0
"""Seconds that an application which is about to park its call may take to do so."""


class Call:
    """One call. since: the number of the first event that is its handler's; 0 once that has come. named: the
    application's data that attached it. kept: events until it is announced, then None."""

    def __init__(self, uuid: str, since: int, named: bytes = b"") -> None:
        self.uuid = uuid
        self.since = since
        self.named = named
        self.lock = threading.Lock()
        self.handler: Handler | None = None
        self.control = b""
        self.subscription = Subscription(everything=True)
        self.kept: list[bytes] | None = []
        self.over = False
        self.waiting = Waiting()


@dataclass(slots=True)
class Parking:
    """The application `erlang`, as it runs on a call's thread. go_on: whether the call was let go meanwhile."""

    thread: int
    go_on: bool = False


class Calls:
    """ever: how many were attached so far."""

    def __init__(
        self,
        node: Node,
        switch: Switch,
        events: Events,
        encoder: EventEncoder,
        text: Callable[[bytes], Term],
        on_exit: Disposition,
        handlers: Handlers,
    ) -> None:
        self._node = node
        self._switch = switch
        self._events = events
        self._encoder = encoder
        self._text = text
        self._on_exit = on_exit
        self._handlers = handlers
        self._lock = threading.Lock()
        self._calls: dict[str, Call] = {}
        self.ever = 0
        self._parking: dict[str, Parking] = {}

    def configure(self, on_exit: Disposition) -> None:
        self._on_exit = on_exit

    # the application

    def application(self, session: Session, data: bytes) -> None:
        """`erlang`: attach the call to the process that data names, and park it (erlang_outbound_function)."""
        try:
            target, nodes = parse(data)
        except ValueError as error:
            log.error("%s: erlang %r: %s", session.uuid, data.decode(errors="replace"), error)
            return
        if session.is_controlled():
            log.error("%s: erlang: the channel is under control already", session.uuid)
            return
        parking = Parking(threading.get_ident())
        with self._lock:
            known = self._calls.get(session.uuid)
            self._parking[session.uuid] = parking
        try:
            if known is not None and known.named == data:
                log.debug("%s: erlang: attached already", session.uuid)
            elif not self._hand_over(session, data, target, nodes):
                return
            if not parking.go_on:
                session.park()
        finally:
            with self._lock:
                del self._parking[session.uuid]

    def _hand_over(self, session: Session, data: bytes, target: Target, nodes: list[str]) -> bool:
        call = self._attach(session, data)
        answered = True
        for node in nodes:
            try:
                handler = self._handlers.find(call.uuid, call.waiting, target, node)
            except HungUp:
                log.info("%s: erlang: hung up before %s had it", session.uuid, node)
                break
            except NotConnected as error:
                log.error("%s: erlang: %s", session.uuid, error)
                answered = True
            except NoAnswer as error:
                log.warning("%s: erlang: %s at %s: %s", session.uuid, target, node, error)
                answered = False
            else:
                self.announce(call, handler, session)
                return True
        if self._take(call):
            session.soft_unlock()
        if not answered:
            session.hangup(NO_ANSWER_CAUSE)
        return False

    def sendmsg_application(self, session: Session, data: bytes) -> None:
        """`erlang_sendmsg`: `{freeswitch_sendmsg, S}` to a registered process (erlang_sendmsg_function)."""
        match data.split(b" ", 2):
            case [name, node, text] if name and node:
                try:
                    link = self._node.connect(node.decode(), self._handlers.timeout)
                    link.send_name(name.decode(), (Atom("freeswitch_sendmsg"), self._text(text)))
                except (ErlangNodeError, UnicodeDecodeError) as error:
                    log.error("%s: erlang_sendmsg: %s", session.uuid, error)
            case _:
                log.error("%s: erlang_sendmsg: expected NAME NODE TEXT, got %r", session.uuid, data)

    # attaching

    def _attach(self, session: Session, named: bytes = b"") -> Call:
        """Register the call, so that its events are kept. Another handler that had it does so no more."""
        call = Call(session.uuid, self._switch.sequence(), named)
        with self._lock:
            before = self._calls.get(call.uuid)
            self._calls[call.uuid] = call
            self.ever += 1
        if before is not None:
            self._leave(before)
        self._events.calls_changed()
        session.soft_lock(SOFT_LOCK)
        return call

    def handlecall(self, uuid: str, link: Link, to: Pid | str) -> Callable[[], None] | str:
        """Attach an existing call to a process.

        Returns what announces it, to be called once the request is answered; or the reason why not.
        """
        with self._switch.locate(uuid) as session:
            if session is None:
                return "badsession"
            call = self._attach(session)
            try:
                if session.has_hung_up():  # after it was attached: else its end might have been missed
                    raise HungUp
                handler = self._handlers.named(call.waiting, link, to) if isinstance(to, str) else Handler(link, to)
            except (HungUp, NoAnswer) as error:
                log.warning("%s: handlecall: %s", uuid, error or "it has hung up")
                if self._take(call):
                    session.soft_unlock()
                return "session_attach_failed"
            data = self._data(session)
        return lambda: self._announce(call, handler, data)

    def announce(self, call: Call, handler: Handler, session: Session) -> None:
        self._announce(call, handler, self._data(session))

    def _data(self, session: Session) -> bytes:
        """The `{event, …}` of a `call` message (notify_new_session)."""
        data = session.data()
        last = ((b"Content-Type", b"command/reply"), (b"Reply-Text", b"+OK\n"))
        return event(encode(self._encoder, Event(data.name, (*data.headers, *last))))

    def _announce(self, call: Call, handler: Handler, data: bytes) -> None:
        """`call`, then what was kept, and from now on everything as it comes."""
        with self._lock:
            current = self._calls.get(call.uuid) is call
        if not current:
            self._handlers.leave(handler)
            return
        watched = self._handlers.watch(handler, lambda reason: self._lost([call], reason))
        gone = handler.link.ended or not watched
        with handler.link.outbox.gathering(), call.lock:
            if isinstance(handler.to, Pid):
                self._node.processes.link(handler.link, handler.to)
            call.handler = handler
            call.control = handler.control()
            self._put(call, CALL, data)
            for kept in call.kept or ():
                self._put(call, CALL_EVENT, kept)
            call.kept = None
            over = call.over
        if over:
            self._end(call)
        elif gone or handler.link.ended:
            self._lost([call], Atom("noproc"))

    def _put(self, call: Call, tag: bytes, term: bytes) -> None:
        if call.handler is not None:
            call.handler.link.outbox.put(encode_frame(call.control, VERSION + tagged(tag, term)))

    # events, in the pump's thread

    def __len__(self) -> int:
        return len(self._calls)

    def want(self, what: Peek) -> bool:
        """Whether the event is about an attached call, and either about its end, or from after its attaching and of
        interest to its process."""
        call = self._of(what)
        if call is None:
            return False
        if what.name in ENDS:
            return True
        if call.since and what.sequence < call.since:
            return False
        return call.kept is not None or call.subscription.wants(what.name, what.subclass)

    def _of(self, what: Peek) -> Call | None:
        if not self._calls:
            return None
        return self._calls.get((what.uuid or b"").decode(errors="replace"))

    def deliver(self, what: Event, headers: Callable[[], bytes]) -> None:
        """Hand an event to the process that has its call. headers: its `[UUID | Headers]`."""
        call = self._of(what)
        if call is None:
            return
        over = what.name in ENDS and what.name != HANGUP
        if call.since and what.sequence >= call.since:
            call.since = 0
        with call.lock:
            if call.kept is not None:
                call.over = call.over or over
            if call.since:
                pass  # it was fired before the call was attached
            elif call.kept is not None:
                call.kept.append(event(headers()))
            elif call.handler is not None and call.subscription.wants(what.name, what.subclass):
                frame = encode_frame(call.control, VERSION + tagged(CALL_EVENT, event(headers())))
                self._events.send(call.handler.link, frame)
            announced = call.kept is None
        if what.name in ENDS:
            call.waiting.hang_up()
        if over and announced and call.handler is not None:
            with call.handler.link.outbox.gathering():
                self._events.flush()
                told = self._tell_end(call)
            if told:
                self._unlock(call.uuid)

    def _end(self, call: Call) -> None:
        """`call_hangup`, and the session may go."""
        if self._tell_end(call):
            self._unlock(call.uuid)

    def _tell_end(self, call: Call) -> bool:
        """`call_hangup`, unless somebody else took the call."""
        if not self._take(call):
            return False
        self._leave(call)
        with call.lock:
            self._put(call, CALL_HANGUP, etf.encode_bare(self._text(call.uuid.encode())))
        return True

    def look_after(self) -> None:
        """Events were lost: end the calls whose end was among them."""
        with self._lock:
            calls = list(self._calls.values())
        for call in calls:
            with self._switch.locate(call.uuid) as session:
                gone = session is None or session.has_hung_up()
            if gone and call.kept is None:
                self._end(call)

    # letting go

    def exited(self, pid: Pid, reason: Term) -> None:
        """A process has ended."""
        with self._lock:
            calls = [call for call in self._calls.values() if call.handler is not None and call.handler.to == pid]
        self._lost(calls, reason)

    def down(self, link: Link) -> None:
        """A connection has ended."""
        with self._lock:
            calls = [call for call in self._calls.values() if call.handler is not None and call.handler.link is link]
        self._lost(calls, Atom("noconnection"))

    def _lost(self, calls: Iterable[Call], reason: Term) -> None:
        """The handler of these calls is gone: on purpose, then the call goes on; else as on-handler-exit says."""
        meant = _meant(reason)
        for call in calls:
            if not self._take(call):
                continue
            self._leave(call)
            if not meant:
                log.warning("%s: its handler is gone: %s", call.uuid, show(reason, 200))
            with self._switch.locate(call.uuid) as session:
                if session is not None:
                    match Continue() if meant else self._disposition(session):
                        case Continue():
                            self._let_go(session)
                        case other:
                            other.apply(session)
            self._unlock(call.uuid)

    def _let_go(self, session: Session) -> None:
        """Have the dialplan go on: now, or once the application that was about to park the call has done so."""
        with self._lock:
            parking = self._parking.get(session.uuid)
            if parking is not None:
                parking.go_on = True
        deadline = time.monotonic() + PARK_TIME
        while not session.let_go():
            with self._lock:
                parks = self._parking.get(session.uuid)
            if parks is None or parks is not parking or parks.thread == threading.get_ident():
                return
            if time.monotonic() > deadline:
                log.error("%s: erlang: it was let go, but does not park", session.uuid)
                return
            time.sleep(0.001)

    def _disposition(self, session: Session) -> Disposition:
        chosen = session.variable(ON_HANDLER_EXIT)
        if not chosen:
            return self._on_exit
        try:
            return disposition.parse(chosen.decode(errors="replace"))
        except ValueError as error:
            log.error("%s: %s=%r: expected %s", session.uuid, ON_HANDLER_EXIT, chosen, error)
            return self._on_exit

    def nohandle(self, uuid: str, parked: bool) -> bool:
        """Let go of a call, which stays parked or goes on in the dialplan. False when it is not attached."""
        with self._lock:
            call = self._calls.get(uuid)
        if call is None or not self._take(call):
            return False
        self._leave(call)
        with self._switch.locate(uuid) as session:
            if session is not None and not parked:
                self._let_go(session)
        self._unlock(uuid)
        return True

    def subscribe(self, pid: Pid | None, change: Callable[[Subscription], Subscription]) -> bool:
        """Change which events of its calls a process gets. False when it has none."""
        with self._lock:
            calls = [call for call in self._calls.values() if call.handler is not None and call.handler.to == pid]
        for call in calls:
            with call.lock:
                call.subscription = change(call.subscription)
        return bool(calls)

    def of(self, link: Link) -> list[str]:
        """The UUIDs of the calls that processes of a node have."""
        with self._lock:
            return [uuid for uuid, call in self._calls.items() if call.handler and call.handler.link is link]

    def _take(self, call: Call) -> bool:
        """Take the call out of the table; False when somebody else did."""
        with self._lock:
            if self._calls.get(call.uuid) is not call:
                return False
            del self._calls[call.uuid]
        self._events.calls_changed()
        return True

    def _leave(self, call: Call) -> None:
        """The handler has nothing to do with the call any more."""
        if call.handler is not None:
            self._handlers.leave(call.handler)

    def _unlock(self, uuid: str) -> None:
        """Let the session end, or its waiting end."""
        with self._switch.locate(uuid, ended=True) as session:
            if session is not None:
                session.soft_unlock()


def _meant(reason: Term) -> bool:
    """Whether a process that ends with this reason has done its work: normal, shutdown, {shutdown, _}."""
    word = atom_text(reason[0] if isinstance(reason, tuple) and len(reason) == 2 else reason)
    return word == "shutdown" or (word == "normal" and not isinstance(reason, tuple))


CALL = etf.encode_atom("call")
CALL_EVENT = etf.encode_atom("call_event")
CALL_HANGUP = etf.encode_atom("call_hangup")
