"""Connections to a node, ours and its own at once: whoever wants the link has it, or hears why not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import pytest

from mod_erlang_py.config.settings import Config
from mod_erlang_py.errors import DistError, NotConnected
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.links import Attempt
from mod_erlang_py.node.node import CONNECT_TIME, Node
from mod_erlang_py.node.outbox import Room
from tests.models.scheduler import Scheduler
from tests.models.schedules import DEPTH, InTurn, explore

PEER = "peer@localhost"
IP = "127.0.0.1"
SECONDS = 5.0


class PlayedLink(Link):
    """Without a stream; its reader is played too."""

    def __init__(self, world: LinkWorld) -> None:
        self.address = f"{IP}:1"
        self.why = ""
        self.requests = 0
        self._world = world

    @property
    def name(self) -> str:
        return PEER

    @property
    def ended(self) -> bool:
        return bool(self.why)

    @property
    def long_requests(self) -> int:
        return 0

    def end(self, reason: str) -> None:
        self._world.scheduler.point("a link is to end")
        self.why = self.why or reason

    def read(self) -> None:
        self._world.scheduler.block(lambda: self.ended, "the link's end")
        self._world.node._down(self, self.why)


class LinkWorld:
    """handshake: how ours ends: "up", "fails", or "makes way" to that of the peer."""

    def __init__(self, scheduler: Scheduler, handshake: str) -> None:
        self.scheduler = scheduler
        receiver: Any = self
        self.node = Node("freeswitch@localhost", Config(), Room(1000, 100), receiver)
        played: Any = self.node
        played._dial = self._dial
        played.threads.start = self._start
        self.node._named.set()
        self.links: list[PlayedLink] = []
        self.taken_down: list[Link] = []
        self.got: list[Link] = []
        self.refused: list[str] = []
        self._handshake = handshake

    def _start(self, name: str, run: Callable[[], None]) -> None:
        self.scheduler.start(name, run, serves=True)

    def _up(self, made_by: Attempt | None) -> Link:
        link = PlayedLink(self)
        self.links.append(link)
        try:
            self.node._links.add(link, made_by)
        except DistError:
            self.links.remove(link)
            raise
        return link

    def _dial(self, attempt: Attempt) -> Link | None:
        """As the node's, without a socket."""
        self.scheduler.calling("the handshake")
        if self._handshake == "fails":
            raise DistError("handshake", "refused")
        if self._handshake == "makes way":
            self.node._links.make_way(attempt, IP, SECONDS)
            self.node._links.fail(attempt, "it was connecting to us, but did not finish")
            return None
        return self._up(attempt)

    def down(self, link: Link) -> None:
        """As the node's receiver."""
        self.taken_down.append(link)

    # what happens

    def connect(self) -> None:
        try:
            link = self.node.connect(PEER, CONNECT_TIME + SECONDS)
        except NotConnected as error:
            self.refused.append(str(error))
        else:
            assert not isinstance(link, Attempt)
            self.got.append(link)

    def accept(self) -> None:
        """The peer connects to us."""
        try:
            self.node._links.greet(PEER, IP)
            self.node._status(PEER, IP)
            self.scheduler.calling("its handshake")
            link = self._up(None)
        except DistError:
            return
        finally:
            self.node._links.greeted(PEER, IP)
        self.scheduler.start("reader", link.read, serves=True)

    def come_to_nothing(self) -> None:
        self.node._links.came_to_nothing(PEER, IP, "it failed")

    def end(self) -> None:
        for link in list(self.links):
            link.end("the wire was cut")

    def stop(self) -> None:
        self.node._links.close()
        self.node._links.end()

    def look(self, connects: int) -> None:
        links = self.node._links
        assert len(self.got) + len(self.refused) == connects
        up = [link for link in self.links if not link.ended]
        assert len(up) <= 1, "two links to one node"
        assert links.up() == up
        ended = [link for link in self.links if link.ended]
        assert len(self.taken_down) == len(ended)
        assert set(self.taken_down) == set(ended)
        assert list(links._standing) == up
        assert links._attempts == {}
        assert not links._greeted
        assert not links.closed or not up


def does(world: LinkWorld) -> dict[str, Callable[[], object]]:
    return {
        "connect": world.connect,
        "accept": world.accept,
        "nothing": world.come_to_nothing,
        "end": world.end,
        "stop": world.stop,
    }


def connecting(operations: tuple[str, ...], handshake: str, scheduler: Scheduler) -> Callable[[], None]:
    world = LinkWorld(scheduler, handshake)
    for operation in operations:
        scheduler.start(operation, does(world)[operation])

    def look() -> None:
        world.look(operations.count("connect"))
        if handshake != "makes way" or ("accept" in operations and not {"end", "stop"} & set(operations)):
            assert scheduler.clock < 1, "somebody has waited for what had come"
        scheduler.schedule = InTurn()
        scheduler.start("stop", world.stop)
        scheduler.finish()
        world.look(operations.count("connect"))
        assert [task for task in scheduler.tasks if not task.done] == []

    return look


@pytest.mark.parametrize("handshake", ["up", "fails", "makes way"])
@pytest.mark.parametrize(
    "operations",
    [("connect", *others) for others in combinations(["connect", "accept", "nothing", "end", "stop"], 2)],
    ids="-".join,
)
def test_three_at_once(operations: tuple[str, ...], handshake: str) -> None:
    explore(partial(connecting, operations, handshake), 1 + DEPTH)
