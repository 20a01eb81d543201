"""A service that was never started, with links that lead nowhere: real parts, which hold what a test puts there."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

from mod_erlang_py import console
from mod_erlang_py.calls.asking import Found
from mod_erlang_py.calls.calls import Call
from mod_erlang_py.node.outbox import Room
from mod_erlang_py.node.reader import Intake
from mod_erlang_py.node.target import Target
from mod_erlang_py.requests import Context
from mod_erlang_py.service import Service
from mod_erlang_py.switch.port import Form
from mod_erlang_py.switch.simulated import SimulatedSwitch
from scripts.scratch import write_settings
from tests.fakes import FakeLink, FakeOutbox

UUID = "7f3c2143-55db-422f-bd15-0fa93ac78cb7"


class Outbox(FakeOutbox):
    backlog = 0


class Peer(FakeLink):
    """A link. configured: with what at last. reasons: why it was ended."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.outbox: Outbox = Outbox()
        self.address = "127.0.0.1:40000"
        self.ip = "127.0.0.1"
        self.protocol = "TCP"
        self.up_since = time.monotonic()
        self.requests = self.denied = self.long_requests = 0
        self.reasons: list[str] = []

    def configure(self, room: Room, intake: Intake) -> None:
        self.configured = room, intake

    def end(self, reason: str) -> None:
        self.reasons.append(reason)


class Standing:
    """folder: for its configuration, which `configure` writes anew. lines: that the log may have, as it was told."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self.configure(**settings)
        self.lines: list[int] = []
        self.service = Service(SimulatedSwitch(folder, log_to=io.StringIO()), self.lines.append)
        self.context: Context = self.service._context

    def configure(self, nodes: str = "", **settings: str) -> None:
        """nodes: XML of <node> elements."""
        given = {"listen-ip": "127.0.0.1", "nodename": "fs@localhost", "cookie": "monster"}
        given |= {name.replace("_", "-"): value for name, value in settings.items()}
        write_settings(self._folder, given, nodes)

    def link(self, name: str = "peer@localhost") -> Peer:
        peer = Peer(name)
        self.service.node._links.add(peer.link)
        return peer

    def gone(self, peer: Peer) -> None:
        """The link has ended, as the node tells all parts."""
        peer.ended = True
        self.service.node._links.remove(peer.link)
        self.service.down(peer.link)

    def call(self, peer: Peer, uuid: str = UUID) -> None:
        """A call that a process of the peer has."""
        call = Call(uuid, Form.STRING, 0, b"", lambda: True, lambda _: None, lambda *_: None)
        call.found = Found(Target(peer.link, peer.pid))
        self.context.calls._attached[uuid] = call

    def ask(self, line: str) -> str:
        return console.run(self.context, line)

    def json(self, line: str) -> Any:
        printed = self.ask(f"{line} json")
        assert printed.endswith("}\n")
        return json.loads(printed)
