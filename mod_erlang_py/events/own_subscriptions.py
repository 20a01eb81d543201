"""Subscriptions of one's own: what subscribe, unsubscribe and ack change. Any number for each process.

Each has a reference, which is in its messages. It ends with its target, with its call, or by unsubscribe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from mod_erlang_py.errors import Exhausted
from mod_erlang_py.etf import VERSION, Atom, Pid, Reference, encode, encode_atom
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Encoder, Form, Received

from .filters import NO_FILTERS, Filters
from .flow import Backlog, Flow
from .interest import Interest
from .shape import Choice, Format, Shape, Shapes
from .subscription import Held, Notice, Subscription
from .subscriptions import Subscriptions

MAX_BYTES_OF_NODE = 16 * 1024 * 1024
"""Of the texts in them."""
TEXT_SIZE = 64
"""Bytes that a text counts for, besides those that it has."""
FIRST_EVENT, LAST_EVENT = "CHANNEL_CREATE", "CHANNEL_DESTROY"
"""Of a call."""
ABOUT_CALL = frozenset({FIRST_EVENT, LAST_EVENT})

EVENT = VERSION + b"h\x03" + encode_atom("event")
"""What stands before `SubRef, Event}`."""
LOST = Atom("lost")
UNSUBSCRIBED = Atom("unsubscribed")
HANGUP = Atom("hangup")


@dataclass(frozen=True, slots=True)
class Options:
    """call: the Unique-ID of the one whose events they are; None for everybody's. window: how many may be sent and not
    acknowledged; None for any number."""

    form: Form
    interest: Interest
    filters: Filters = NO_FILTERS
    choice: Choice | None = None
    format: Format = Format.LIST
    call: bytes | None = None
    window: int | None = None

    @property
    def size(self) -> int:
        """Bytes of their texts."""
        texts = [*self.interest.subclasses, *(self.choice.patterns if self.choice is not None else ())]
        texts += chain.from_iterable(one.words for one in self.filters)
        return sum(map(len, texts)) + TEXT_SIZE * len(texts)


class OwnSubscription:
    """owner: who asked for it. backlog: of its node. begun, over: whether its call is.

    gone: called once its target is, or that one's node. notice: called with its call's first event, and the last.
    """

    def __init__(
        self,
        owner: Pid,
        target: Target,
        options: Options,
        shape: Shape | None,
        backlog: Backlog,
        gone: Callable[[OwnSubscription], None],
        notice: Callable[[OwnSubscription, Received], None],
    ) -> None:
        self.reference = target.link.reference()
        self.owner = owner
        self.target = target
        self.options = options
        self.flow = None if options.window is None else Flow(options.window, self._lost, backlog)
        self.leave: Callable[[], None] = lambda: None
        self.begun = False
        self.over = False
        self.subscription = Subscription(
            options.form,
            lambda _: gone(self),
            EVENT + self.reference.binary(),
            target=target,
            interest=options.interest,
            filters=options.filters,
            call=options.call,
            held=self.flow or Held(),
            shape=shape,
            notice=None if options.call is None else Notice(ABOUT_CALL, lambda received: notice(self, received)),
        )

    def _lost(self, count: int) -> bytes:
        return encode((LOST, self.reference, count))


@dataclass(slots=True)
class _OfNode:
    """count: of the subscriptions whose events go there. size: bytes of their texts."""

    count: int = 0
    size: int = 0
    backlog: Backlog = field(default_factory=Backlog)


class OwnSubscriptions:
    """encoders: of each format and form. exists: whether the switch has a call of that UUID, perhaps one that has hung
    up. has_ended: whether it has none, but for that: its word, which an event's is not. of_node: subscriptions whose
    events go to the processes of one node, at most."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        encoders: Mapping[tuple[Format, Form], Encoder],
        exists: Callable[[str], bool],
        has_ended: Callable[[str], bool],
        of_node: int,
    ) -> None:
        self._of_node = of_node
        self._subscriptions = subscriptions
        self._shapes = Shapes(encoders)
        self._exists = exists
        self._has_ended = has_ended
        self._lock = threading.Lock()
        self._all: dict[Reference, OwnSubscription] = {}
        self._of_nodes: dict[Link, _OfNode] = {}

    def configure(self, of_node: int) -> None:
        self._of_node = of_node

    # for requests and operators

    def subscribe(self, owner: Pid, target: Target, options: Options) -> OwnSubscription | None:
        """A subscription whose events are kept from now on, until it is opened. None when the target's node is gone.
        Raises Exhausted."""
        shape = self._shapes.of(options.format, options.form, options.choice)
        size = options.size
        with self._lock:
            of_node = self._of_nodes.setdefault(target.link, _OfNode())
            if of_node.count >= self._of_node:
                raise Exhausted(f"max-subscriptions: {self._of_node} subscriptions go to {target.link.name}")
            if of_node.size + size > MAX_BYTES_OF_NODE:
                raise Exhausted(f"subscriptions of {of_node.size} bytes go to {target.link.name}")
            of_node.count += 1
            of_node.size += size
            own = OwnSubscription(owner, target, options, shape, of_node.backlog, self.gone, self._notice)
            self._all[own.reference] = own
        if not self._subscriptions.add(own.subscription):
            self._forget(own)
            return None
        if options.call is not None and self._exists(options.call.decode()):  # only now: its end is not missed
            own.begun = True
        return own

    def watched(self, own: OwnSubscription, leave: Callable[[], None]) -> None:
        """Its target is watched. leave: ends that."""
        own.leave = leave
        if own.subscription.ended:  # before this was known
            leave()

    def open(self, own: OwnSubscription) -> None:
        """Its target gets what was kept, and each event as it comes."""
        self._subscriptions.open(own.subscription, own.target)
        self._end_if_over(own)

    def unsubscribe(self, reference: Reference, node: str) -> bool:
        """By a process of the node of whoever asked for it, or gets it. False when there is no such subscription."""
        own = self._find(reference)
        return own is not None and node in (own.owner.node, own.target.link.name) and self.end(own)

    def unsubscribe_all(self, owner: Pid) -> None:
        """All that a process asked for."""
        for own in self._which(lambda own: own.owner == owner):
            self.end(own)

    def acknowledge(self, reference: Reference, count: int) -> bool:
        """So many of its events were. False when none of it are to be."""
        own = self._find(reference)
        if own is None or not self._subscriptions.acknowledge(own.subscription, count):
            return False
        self._end_if_over(own)
        return True

    def of(self, link: Link) -> list[OwnSubscription]:
        """Those whose events go to a node."""
        return self._which(lambda own: own.target.link is link)

    def __len__(self) -> int:
        return len(self._all)

    # ending

    def end(self, own: OwnSubscription, last: bytes = b"") -> bool:
        """Whether you are the one who ended it. last: see Subscriptions.end."""
        if not self._subscriptions.end(own.subscription, last):
            return False
        self._forget(own)
        return True

    def gone(self, own: OwnSubscription) -> None:
        """Its target is, or that one's node."""
        self.end(own)

    def _notice(self, own: OwnSubscription, received: Received) -> None:
        """In the pump's thread."""
        if received.name == FIRST_EVENT:
            own.begun = True
        elif self._has_ended((own.options.call or b"").decode()):
            own.over = True
            self._end_if_over(own)

    def look_after(self) -> None:
        """Events were lost: end the subscriptions to calls whose end was among them."""
        for own in self._which(lambda own: own.begun and not own.over):
            if not self._exists((own.options.call or b"").decode()):
                own.over = True
                self._end_if_over(own)

    def _end_if_over(self, own: OwnSubscription) -> None:
        """Once its call is, and the target has all of its events, which it is told."""
        if own.over and own.subscription.is_open and (own.flow is None or not own.flow.waiting):
            self.end(own, encode((UNSUBSCRIBED, own.reference, HANGUP)))

    def _forget(self, own: OwnSubscription) -> None:
        size = own.options.size
        with self._lock:
            del self._all[own.reference]
            of_node = self._of_nodes[own.target.link]
            of_node.count -= 1
            of_node.size -= size
            if not of_node.count:
                del self._of_nodes[own.target.link]
        own.leave()

    def _find(self, reference: Reference) -> OwnSubscription | None:
        with self._lock:
            return self._all.get(reference)

    def _which(self, does: Callable[[OwnSubscription], bool]) -> list[OwnSubscription]:
        with self._lock:
            return [own for own in self._all.values() if does(own)]
