"""What must be so of the calls of a world, whatever happened at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mod_erlang_py.calls.calls import Call
from mod_erlang_py.config.disposition import Disposition, Park
from mod_erlang_py.etf import Pid
from mod_erlang_py.node.target import Target
from tests.models.played import NUMBER, PlayedNode
from tests.models.scheduler import Scheduler
from tests.models.world import World

UUID = "5f0d8f4e-call"


class CallWorld(World):
    """Operations on its calls, each to be run in a thread of its own. Every process takes one call, once."""

    def __init__(self, scheduler: Scheduler, on_exit: Disposition | None = None) -> None:
        super().__init__(scheduler, on_exit)
        self.one, self.two = self.node("one@localhost"), self.node("two@localhost")
        self._stays = isinstance(on_exit, Park)
        self.let_go_by: list[tuple[str, Pid | None]] = []
        self.let_go_of: list[tuple[str, bool]] = []
        self.goes_on: list[str] = []
        self.lossy = False
        self.answers: list[object] = []
        self._pids = 200

    def pid(self, node: PlayedNode) -> Pid:
        """A process that there was not before."""
        self._pids += 1
        return Pid(node.name, self._pids, 0, 1)

    def begin(self, name: str, what: Callable[..., object], *given: object, serves: bool = False) -> None:
        """serves: whether it may last as long as its call."""
        self.scheduler.start(name, partial(what, *given), serves)

    def erlang(self, uuid: str, data: str) -> None:
        """The call's thread comes to the application."""
        session = self.switch.session(uuid)
        if session.hung_up or session.in_application:
            return
        session.in_application, session.transferred = True, False
        self._applications.erlang(session, data.encode())
        session.in_application = False
        self.goes_on.append(uuid)

    def handlecall(self, uuid: str, node: PlayedNode, to: Pid | str) -> None:
        if node.ended:
            return
        attach = self._calls.handlecall(uuid, Target(node.link, to))
        if callable(attach):
            attach()
        else:
            self.answers.append(attach)

    def event(self, uuid: str) -> None:
        if not self.switch.session(uuid).hung_up:
            self.switch.fire_of(uuid, "CHANNEL_STATE")

    def lose(self, count: int) -> None:
        """The switch gives up so many events; what ended among them is looked after."""
        self.lossy = True
        self.source.lose += count
        self.scheduler.point("events will be lost")

    def nohandle(self, uuid: str, parked: bool, asker: Pid | None) -> None:
        if self._calls.nohandle(uuid, parked, asker):
            self.let_go_by.append((uuid, asker))
            self.let_go_of.append((uuid, parked))

    def look(self) -> None:
        for call in self._calls.attached:
            self._look_at(call)
        for uuid, session in self.switch.sessions.items():
            assert session.parked or not session.in_application, f"a process is asked for still, for {uuid}"
            kept = (uuid, True) in self.let_go_of or self._stays
            assert not session.parked or kept or uuid in self._calls._attached, f"{uuid} is parked for ever"
            assert session.locked or uuid not in self._calls._attached, f"{uuid} may go, and somebody has it"
            assert self._ends(uuid) <= 1, "two had it when it ended"
        given = {(call.uuid.encode(), call.found.target) for call in self._calls.attached if call.found is not None}
        for node in self.nodes.values():
            for to, message in node.messages:
                assert (_uuid(message), Target(node.link, to)) in given, f"{to} was sent {message}"

    def _ends(self, uuid: str) -> int:
        """How many of those who were given the call before it was over were told call_hangup."""
        over = self.switch.session(uuid).completed_at
        ends = 0
        for node in self.nodes.values():
            sent = [(to, term[0].value) for to, term in node.messages if _uuid(term) == uuid.encode()]
            given = {
                to for (to, term), at in zip(node.messages, node.told_at, strict=True) if at < over and _is_call(term)
            }
            ends += sum(tag == "call_hangup" and to in given for to, tag in sent)
        return ends

    def _look_at(self, call: Call) -> None:
        """From the first to the last message that its process was sent, which has taken one call."""
        assert call.found is not None
        target = call.found.target
        node: Any = target.link
        session = self.switch.session(call.uuid)
        seen = [message for to, message in node.messages if to == target.to and _uuid(message) == call.uuid.encode()]
        tags = [message[0].value for message in seen]
        story = f"{target.to} of {node.name}: {tags}"
        there = not node.ended and target.to not in node.dead
        endings = [tag for tag in tags if tag in ("call_hangup", "call_taken")]
        assert len(endings) <= 1, story
        assert endings == tags[len(tags) - len(endings) :], f"something came after the end: {story}"
        assert tags.count("call") <= 1, story
        if tags and tags[0] != "call":
            others = [one for one in self._calls.attached if one.uuid == call.uuid and one is not call]
            assert tags == ["call_taken"], story
            assert others or self.let_go_of or not there, f"by nobody: {story}"
        assert "call" in tags or "call_hangup" not in tags, story
        let_go = (call.uuid, target.to) in self.let_go_by
        if session.gone and there and not let_go:
            assert len(endings) == 1, f"it was never told of the end: {story}"
        if not there and not session.hung_up:
            assert call.subscription.ended, f"it is gone, and has the call still: {story}"
        self._look_at_events(call, seen, endings)

    def _look_at_events(self, call: Call, seen: list[Any], endings: list[str]) -> None:
        """None is left out, from when they were kept on."""
        numbers = [int(dict(term[1][1][1:])[NUMBER]) for term in seen if term[0].value == "call_event"]
        fired = self.switch.fired.get(call.uuid.encode(), [])
        assert numbers == sorted(set(numbers)), f"not in order: {numbers}"
        assert set(numbers) <= set(fired)
        if self.lossy or not numbers:
            return
        since = self._calls.since[call]
        last = self.switch.session(call.uuid).completed_at if endings == ["call_hangup"] else numbers[-1]
        assert numbers[-1] >= last, f"{numbers} ends before {last}"
        due = [number for number in fired if min(since, numbers[0]) <= number <= numbers[-1]]
        assert numbers == due, f"{numbers} of {due}"


def _is_call(message: Any) -> bool:
    return bool(message[0].value == "call")


def _uuid(message: Any) -> bytes:
    tag, about = message
    uuid: bytes = about[1][0] if tag.value in ("call", "call_event") else about
    return uuid
