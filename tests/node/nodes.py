"""Our Node in the test's process, and who receives for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from mod_erlang_py import etf
from mod_erlang_py.config.settings import Config, EpmdMode
from mod_erlang_py.config.tls import Tls
from mod_erlang_py.distribution.control import SpawnRequest
from mod_erlang_py.etf import Pid, Reference, Term
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.outbox import Room
from mod_erlang_py.node.reader import Job
from tests.waiting import DEADLINE, wait_until


class Receiver:
    """Keeps what it hears. Answers {echo, Term} with Term. {run, Name} runs one of the jobs, as its sender's request.

    taking_down: called before a link's end is noted, in the thread that ends it.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Callable[[Link], None]] = {}
        self.taking_down: Callable[[], None] = lambda: None
        self.down_in: list[str] = []
        self.messages: queue.SimpleQueue[tuple[str, Term]] = queue.SimpleQueue()
        self.downs: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.spawns: queue.SimpleQueue[tuple[SpawnRequest, Term]] = queue.SimpleQueue()
        self.exits: queue.SimpleQueue[tuple[Pid, Term]] = queue.SimpleQueue()
        self.monitors: queue.SimpleQueue[tuple[Reference, Term]] = queue.SimpleQueue()

    def received(self, link: Link, sender: Pid | None, to: Pid | str, payload: bytes) -> Job | None:
        term = etf.decode(payload)
        self.messages.put((link.name, term))
        if sender is not None and isinstance(term, tuple) and term[:1] == (etf.Atom("echo"),):
            return Job(sender, lambda: link.send(sender, term[1]))
        if isinstance(term, tuple) and term[:1] == (etf.Atom("run"),):
            return Job(sender, lambda: self.jobs[term[1].value](link))
        return None

    def spawned(self, link: Link, message: SpawnRequest, payload: bytes) -> Job | None:
        self.spawns.put((message, etf.decode(payload)))
        return Job(message.from_pid, lambda: link.send(message.from_pid, message.ref))

    def exited(self, link: Link, pid: Pid, reason: Term) -> None:
        self.exits.put((pid, reason))

    def monitor_down(self, link: Link, reference: Reference, reason: Term) -> None:
        self.monitors.put((reference, reason))

    def down(self, link: Link) -> None:
        self.down_in.append(threading.current_thread().name)
        self.taking_down()
        self.downs.put(link.name)


class LocalNode:
    """A Node with a Receiver, listening on 127.0.0.1."""

    def __init__(
        self,
        port: int,
        name: str = "freeswitch@localhost",
        epmd: EpmdMode = EpmdMode.AUTO,
        outbox_bytes: int = 1 << 28,
        tls: Tls | None = None,
    ) -> None:
        self.port = port
        self.receiver = Receiver()
        config = Config(listen_ip="127.0.0.1", listen_port=port, cookie="ClueCon", epmd=epmd, tls=tls or Tls())
        self.node = Node(name, config, Room(outbox_bytes, config.outbox_messages), self.receiver)
        self.node.start()
        assert epmd is EpmdMode.NONE or self.node.registration.registered.wait(DEADLINE)
        wait_until(lambda: self.node._named.is_set())

    @property
    def pid(self) -> Pid:
        """That the node sends as."""
        return Pid(self.node.name, 1, 0, self.node._creation)

    def names(self) -> list[str]:
        return [link.name for link in self.node.links()]

    def threads(self) -> list[str]:
        """Names of the running threads of all nodes of this process."""
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("erlang:")]

    def stop(self) -> None:
        self.node.stop()
