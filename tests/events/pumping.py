"""Events of a simulated switch on their way to links that lead nowhere."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

from mod_erlang_py.etf.event import EventEncoder
from mod_erlang_py.events.event_handlers import EventHandlers
from mod_erlang_py.events.interest import Interest, Names
from mod_erlang_py.events.pump import Pump
from mod_erlang_py.events.subscription import Subscription
from mod_erlang_py.events.subscriptions import Subscriptions
from mod_erlang_py.node.threads import Threads
from mod_erlang_py.switch.port import Encoder, Event, Form
from mod_erlang_py.switch.simulated import SimulatedSwitch
from tests.fakes import FakeLink, header


def wants(*types: str, subclasses: tuple[bytes, ...] = ()) -> Callable[[Interest], Interest]:
    return lambda now: now.add(Names(frozenset(types), frozenset(subclasses)))


class Bench:
    """Events of a simulated switch, with the pump running."""

    def __init__(self, bulk: int = 32, regexes: int = 200) -> None:
        self.switch = SimulatedSwitch(log_to=io.StringIO())
        encoders: dict[Form, Encoder] = {Form.STRING: lambda *event: EventEncoder.headers(self.encoder, *event)}
        self.encoder = EventEncoder(False)
        self.source = self.switch.events(encoders)
        self.subscriptions = Subscriptions(self.source, self.switch.fire)
        self.events = EventHandlers(self.subscriptions, Form.STRING)
        self.losses = 0
        self.pump = Pump(self.source, self.subscriptions, bulk, regexes, self._lost)
        self.threads = Threads()
        self.fired = 0
        self._counting = threading.Lock()

    def start(self) -> Bench:
        self.threads.start("events", self.pump.run)
        return self

    def stop(self) -> None:
        self.pump.stop()
        assert self.threads.join(10) == []

    def _lost(self) -> None:
        self.losses += 1

    def down(self, link: FakeLink) -> None:
        """As the service does."""
        self.subscriptions.down(link.link)
        self.events.down(link.link)

    def handler(self, link: FakeLink) -> Subscription:
        handler = self.events.of(link.link)
        assert handler is not None
        return handler

    def link(self, *types: str, subclasses: tuple[bytes, ...] = (), name: str = "peer@localhost") -> FakeLink:
        """A link whose process wants those events."""
        link = FakeLink(name)
        self.events.register(link.link, link.pid)
        self.events.change(link.link, wants(*types, subclasses=subclasses))
        return link

    def fire(self, name: str, *pairs: tuple[bytes, bytes], body: bytes | None = None) -> int:
        """An event with a number of its own in the header N."""
        with self._counting:  # a stream and the test fire at once
            self.fired += 1
            number = self.fired
        self.switch.fire(Event(name, (*pairs, (b"N", b"%d" % number)), body))
        return number


def numbers(link: FakeLink) -> list[int]:
    return [int(header(term, b"N")) for _, term in link.messages()]


def settled(bench: Bench, *links: FakeLink) -> None:
    """Everything fired so far has passed the pump: a link that wants RELOADXML has seen one fired now."""
    last = bench.link("RELOADXML", name="last@localhost")
    bench.fire("RELOADXML")
    last.wait_for(1)
    bench.down(last)
