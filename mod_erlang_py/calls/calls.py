"""Calls that are attached to Erlang processes.

A call is attached in two steps. It becomes a candidate first, so that its events are kept from then on, while a
process is asked for; whoever has the call already notices nothing. `attach` then gives it to the process that was
found: `call`, the kept events, and each further one as it comes. The pump ends it with `call_hangup`, after
CHANNEL_HANGUP_COMPLETE. Whatever happens at once, Subscriptions.end has one of them be the one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain

from mod_erlang_py import etf
from mod_erlang_py.config.disposition import Continue, Disposition, Hangup, Park, Transfer, disposition
from mod_erlang_py.errors import Exhausted, NotConnected
from mod_erlang_py.etf import VERSION, Pid, Term, atom_text
from mod_erlang_py.etf.event import EVENT, tagged
from mod_erlang_py.etf.show import show
from mod_erlang_py.events.encoding import encode
from mod_erlang_py.events.interest import EVERYTHING, Interest
from mod_erlang_py.events.subscription import Held, Notice, Subscription
from mod_erlang_py.events.subscriptions import NOCONNECTION, Subscriptions
from mod_erlang_py.log_lines import about
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.processes import NOPROC, Processes
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Encoder, Event, Form, Header, Received, Session, Switch

from .asking import Asking, Found
from .ends import ENDS, HANGUP, has_ended
from .loads import Loads
from .parking import Parking
from .waiting import HungUp, NoAnswer, Taken, Waiting

log = logging.getLogger(__name__)

SOFT_LOCK = 5
"""Seconds that a session waits, after its end, for us to let go of it (session_elem_create)."""
ON_HANDLER_EXIT = "erlang_on_handler_exit"

CALL = VERSION + tagged(etf.encode_atom("call"), EVENT)
CALL_EVENT = VERSION + tagged(etf.encode_atom("call_event"), EVENT)
CALL_HANGUP = etf.encode_atom("call_hangup")
CALL_TAKEN = etf.encode_atom("call_taken")


class Call:
    """A call, from when its events are kept. since: the number of the first of them. named: the application's data.

    has_ended: the switch's word, which an event's is not. ended: called in the pump's thread once the call has ended.
    lost: called once its process is gone.
    """

    def __init__(
        self,
        uuid: str,
        form: Form,
        since: int,
        named: bytes,
        has_ended: Callable[[], bool],
        ended: Callable[[Call], None],
        lost: Callable[[Call, Term], None],
    ) -> None:
        self.uuid = uuid
        self.named = named
        self.waiting = Waiting()
        self.found: Found | None = None
        self.over = False
        self._has_ended = has_ended
        self._ended = ended
        self.subscription = Subscription(
            form,
            lambda reason: lost(self, reason),
            CALL_EVENT,
            interest=EVERYTHING,
            call=uuid.encode(),
            since=since,
            held=Held(),
            notice=Notice(ENDS | {HANGUP}, self._ends),
        )

    def _ends(self, received: Received) -> None:
        if not self._has_ended():
            return
        self.waiting.end(HungUp())
        if received.name != HANGUP:
            self.over = True
            self._ended(self)


class Calls:
    """ever: how many were attached so far."""

    def __init__(
        self,
        switch: Switch,
        processes: Processes,
        subscriptions: Subscriptions,
        asking: Asking,
        parking: Parking,
        encoder: Encoder,
        form: Form,
        text: Callable[[bytes], Term],
        on_exit: Disposition,
        loads: Loads,
    ) -> None:
        self._switch = switch
        self._processes = processes
        self._subscriptions = subscriptions
        self._asking = asking
        self._parking = parking
        self._encoder = encoder
        self._form = form
        self._text = text
        self._on_exit = on_exit
        self._loads = loads
        self._lock = threading.Lock()
        self._attached: dict[str, Call] = {}
        self._candidates: dict[str, tuple[Call, ...]] = {}
        self.ever = 0

    def configure(self, on_exit: Disposition) -> None:
        self._on_exit = on_exit

    # attaching

    def candidate(self, session: Session, named: bytes = b"") -> Call:
        """The call's events are kept from now on, for the process that will be found."""
        uuid, since = session.uuid, self._switch.sequence()
        ends = partial(has_ended, self._switch, uuid)
        call = Call(uuid, self._form, since, named, ends, self._ended, self._lost)
        with self._lock:
            self._candidates[call.uuid] = (*self._candidates.get(call.uuid, ()), call)
        with self.or_let_out(call):
            self._subscriptions.add(call.subscription)
            session.soft_lock(SOFT_LOCK)
            if session.has_hung_up():  # perhaps before its events were kept
                call.waiting.end(HungUp())
        return call

    @contextmanager
    def or_let_out(self, call: Call) -> Iterator[None]:
        """A call is being handed over; whatever is raised withdraws it."""
        try:
            yield
        except BaseException:
            self.withdraw(call)
            raise

    def withdraw(self, call: Call) -> bool:
        """Nobody was found for a candidate. False when another process has the call."""
        if self._subscriptions.end(call.subscription):
            self._forget(call)
        self._loads.forget(call)  # also of one that was ended while somebody was looked for
        with self._lock:
            self._no_candidate(call)
            elsewhere = call.uuid in self._attached
        self._unlock(call.uuid)
        return not elsewhere

    def attach(self, call: Call, found: Found, data: bytes) -> None:
        """A candidate is given to a process, and taken from the one that has it. data: what `data` made."""
        call.found = found
        with self._lock:
            self._no_candidate(call)
            before = self._attached.get(call.uuid)
            self._attached[call.uuid] = call
            self.ever += 1
            self._loads.count(call, found.target.to)
            asking = [one for one in self._candidates.get(call.uuid, ()) if one.named]
        if before is not None:
            self._take_from(before)
        for one in asking:  # the dialplan's search is over
            one.waiting.end(Taken())
        watched = self._watch(call, found)
        if self._subscriptions.open(call.subscription, found.target, data):
            if call.over:
                self._end(call)
            elif not (watched and self._is_there(found)):
                self._lost(call, NOPROC)
        elif found.target.link.ended:
            self._lost(call, NOCONNECTION)
        else:  # somebody else took it before it could be given
            found.target.put(self._about(CALL_TAKEN, call.uuid))

    def _no_candidate(self, call: Call) -> None:
        """With the lock held."""
        left = tuple(one for one in self._candidates.get(call.uuid, ()) if one is not call)
        if left:
            self._candidates[call.uuid] = left
        else:
            self._candidates.pop(call.uuid, None)

    def _watch(self, call: Call, found: Found) -> bool:
        """Hear of the end of the call's process. False when it is gone already, or there can be no more links."""
        if isinstance(found.target.to, Pid) and found.monitor is None:
            try:
                self._processes.link(found.target.link, found.target.to)
            except Exhausted as error:
                log.error("%s: erlang: %s", call.uuid, error)
                return False
        return self._asking.watch(found, lambda reason: self._lost(call, reason))

    def _is_there(self, found: Found) -> bool:
        """Not when a linked process has ended before its call could be found by it."""
        to = found.target.to
        return not isinstance(to, Pid) or found.monitor is not None or self._processes.is_linked(found.target.link, to)

    def data(self, session: Session, *more: Header) -> bytes:
        """The message `call` (notify_new_session). more: headers that mod_erlang_event does not have."""
        data = session.data()
        last = ((b"Content-Type", b"command/reply"), (b"Reply-Text", b"+OK\n"))
        return CALL + encode(self._encoder, Event(data.name, (*data.headers, *more, *last)))

    def handlecall(self, uuid: str, target: Target) -> Callable[[], None] | str:
        """Attach an existing call to a process.

        Returns what attaches it, to be called once the request is answered; or the reason why not, all being as before.
        """
        with self._switch.locate(uuid) as session:
            if session is None:
                return "badsession"
            call = self.candidate(session)
            try:
                with self.or_let_out(call):
                    if call.waiting.hung_up:
                        raise HungUp
                    found = Found(target) if isinstance(target.to, Pid) else self._asking.named(call.waiting, target)
                    data = self.data(session)
            except (HungUp, NoAnswer, NotConnected) as error:
                why = str(error) or "it has hung up"
                log.warning("%s: handlecall: %s", uuid, why, extra=about(target.link.name))
                return "session_attach_failed"

        def attach() -> None:
            with self.or_let_out(call):
                self.attach(call, found, data)

        return attach

    # ending

    def _ended(self, call: Call) -> None:
        """In the pump's thread. One whose process has not been told of it yet is ended once it has been."""
        if call.subscription.held is None:
            self._end(call)

    def _end(self, call: Call) -> None:
        """`call_hangup`, and the session may go."""
        if self._subscriptions.end(call.subscription, self._about(CALL_HANGUP, call.uuid)):
            self._forget(call)
            self._unlock(call.uuid)

    def _take_from(self, call: Call) -> None:
        """Another process has the call now."""
        if self._subscriptions.end(call.subscription, self._about(CALL_TAKEN, call.uuid)):
            self._forget(call)

    def _lost(self, call: Call, reason: Term) -> None:
        """The call's process is gone: on purpose, then the dialplan goes on; else as on-handler-exit says."""
        if not self._subscriptions.end(call.subscription):
            return
        self._forget(call)
        meant = _meant(reason)
        if not meant:
            log.warning("%s: its handler is gone: %s", call.uuid, show(reason, 200))
        with self._switch.locate(call.uuid) as session:
            if session is not None:
                self._dispose(session, Continue() if meant else self._disposition(session))
        self._unlock(call.uuid)

    def _dispose(self, session: Session, what: Disposition) -> None:
        match what:
            case Continue():
                self._parking.let_go(session)
            case Hangup(cause):
                session.hangup(cause)
            case Transfer(extension, dialplan, context):
                session.transfer(extension, dialplan, context)
            case Park():
                pass

    def _disposition(self, session: Session) -> Disposition:
        chosen = session.variable(ON_HANDLER_EXIT)
        if not chosen:
            return self._on_exit
        try:
            return disposition(chosen.decode(errors="replace"))
        except ValueError as error:
            log.error("%s: %s=%r: expected %s", session.uuid, ON_HANDLER_EXIT, chosen, error)
            return self._on_exit

    def nohandle(self, uuid: str, parked: bool, asker: Pid | None) -> bool:
        """Let go of a call, which stays parked or goes on in the dialplan. False when it is not attached.

        asker: the process that wants it; another one that has the call is told.
        """
        with self._lock:
            call = self._attached.get(uuid)
        if call is None:
            return False
        own = call.found is not None and call.found.target.to == asker
        if not self._subscriptions.end(call.subscription, b"" if own else self._about(CALL_TAKEN, uuid)):
            return False
        self._forget(call)
        with self._switch.locate(uuid) as session:
            if session is not None and not parked:
                self._parking.let_go(session)
        self._unlock(uuid)
        return True

    def look_after(self) -> None:
        """Events were lost: end the calls whose end was among them, and the search for a process too."""
        with self._lock:
            calls = [*self._attached.values(), *chain.from_iterable(self._candidates.values())]
        for call in calls:
            if has_ended(self._switch, call.uuid):
                call.waiting.end(HungUp())
                call.over = True
                self._ended(call)
        self._parking.look_after()

    # for requests and operators

    def change(self, target: Target, change: Callable[[Interest], Interest], cut: bool = False) -> bool:
        """Change which events of its calls a process gets. False when it has none. cut: see Subscriptions.change."""
        changed = False
        for one in self._subscriptions.of(target):
            if self._is_attached(one):
                changed |= self._subscriptions.change(one, cut, interest=change(one.interest))
        return changed

    def _is_attached(self, one: Subscription) -> bool:
        """Whether it is that of a call, and not somebody's who has a call's events otherwise."""
        with self._lock:
            call = self._attached.get((one.call or b"").decode(errors="replace"))
        return call is not None and call.subscription is one

    def named(self, uuid: str) -> bytes | None:
        """The application's data by which a call was attached; b"" when it was otherwise, None when it is not."""
        with self._lock:
            call = self._attached.get(uuid)
        return None if call is None else call.named

    def of(self, link: Link) -> list[str]:
        """The UUIDs of the calls that processes of a node have."""
        with self._lock:
            return [uuid for uuid, call in self._attached.items() if call.found and call.found.target.link is link]

    def __len__(self) -> int:
        return len(self._attached)

    def _about(self, tag: bytes, uuid: str) -> bytes:
        """`{Tag, UUID}`"""
        return VERSION + tagged(tag, etf.encode_bare(self._text(uuid.encode())))

    def _forget(self, call: Call) -> None:
        """Nothing is to do with it any more."""
        with self._lock:
            if self._attached.get(call.uuid) is call:
                del self._attached[call.uuid]
        self._loads.forget(call)
        if call.found is not None:
            self._asking.leave(call.found)

    def _unlock(self, uuid: str) -> None:
        """Let the session end, or its waiting end, unless somebody has the call or will have it."""
        while not self._is_wanted(uuid):
            with self._switch.locate(uuid, ended=True) as session:
                if session is None:
                    return
                session.soft_unlock()
                if not self._is_wanted(uuid):
                    return
                session.soft_lock(SOFT_LOCK)  # as somebody did who came meanwhile

    def _is_wanted(self, uuid: str) -> bool:
        with self._lock:
            return uuid in self._attached or uuid in self._candidates


def _meant(reason: Term) -> bool:
    """Whether a process that ends with this reason has done its work: normal, shutdown, {shutdown, _}."""
    word = atom_text(reason[0] if isinstance(reason, tuple) and len(reason) == 2 else reason)
    return word == "shutdown" or (word == "normal" and not isinstance(reason, tuple))
