"""XML look-ups of the switch, answered by the Erlang processes that are bound to their section."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from enum import Enum

from mod_erlang_py import etf
from mod_erlang_py.errors import Exhausted
from mod_erlang_py.etf import VERSION, Atom, Pid, Term
from mod_erlang_py.events.encoding import encode
from mod_erlang_py.log_lines import about
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.reader import step_aside
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import Encoder, Fetch, Section, Switch, XmlBinding
from mod_erlang_py.xml.answerers import Answerer
from mod_erlang_py.xml.documents import document
from mod_erlang_py.xml.expand import Variables, expand
from mod_erlang_py.xml.limits import BadXml, Limits

log = logging.getLogger(__name__)

UNDEFINED = b"undefined"
MAX_BOUND = 1000
"""Processes of one node that are bound: each look-up is sent to all of them, by the thread of a call."""


class Verdict(Enum):
    """What a reply came to."""

    TAKEN = "taken"
    DUPLICATE = "duplicate_response"
    UNKNOWN = "invalid_uuid"


@dataclass(frozen=True, slots=True)
class Answer:
    """document: for the switch. variables: its global ones that the answer sets, when it counts."""

    document: bytes
    variables: Variables


@dataclass(eq=False)
class Pending:
    """A look-up under way. asked: who was. waiting: the processes that have not answered, with their links."""

    fetch: Fetch
    asked: frozenset[Pid]
    waiting: dict[Pid, Link]
    result: Future[Answer | None] = field(default_factory=Future)


class Fetches:
    """timeout: seconds that the processes have. most: look-ups under way at once; further ones find nothing. limits: of
    a reply. expand: whether answers are preprocessed.

    asked, answered, timed_out: how many look-ups were, so far; the others were found by nobody.
    """

    def __init__(
        self,
        switch: Switch,
        encoder: Encoder,
        text: Callable[[bytes], Term],
        timeout: float,
        most: int,
        limits: Limits,
        expand: bool,
    ) -> None:
        self._switch = switch
        self._encoder = encoder
        self._text = text
        self._timeout = timeout
        self._most = most
        self._limits = limits
        self._expand = expand
        self._lock = threading.Lock()
        self._bindings: dict[Pid, Answerer] = {}
        self._pending: dict[str, Pending] = {}
        self._answered: OrderedDict[str, float] = OrderedDict()
        self._binding: XmlBinding | None = None
        self.asked = self.answered = self.timed_out = 0
        self._stopping = False

    def start(self) -> None:
        """Be in the switch's list; asked for nothing yet."""
        self._binding = self._switch.bind_xml(self.answer)

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            pending = list(self._pending.values())
        for one in pending:
            _resolve(one, None)
        if self._binding is not None:
            self._binding.close()

    def configure(self, timeout: float, most: int, limits: Limits, expand: bool) -> None:
        self._timeout = timeout
        self._most = most
        self._limits = limits
        self._expand = expand

    # bindings

    def bind(self, link: Link, pid: Pid, sections: Section) -> None:
        """Raises Exhausted."""
        with self._lock:
            if link.ended:
                return
            before = self._bindings.get(pid)
            if before is None and sum(one.link is link for one in self._bindings.values()) >= MAX_BOUND:
                raise Exhausted(f"{MAX_BOUND} processes of {link.name} are bound to look-ups")
            self._bindings[pid] = Answerer(link, sections | (before.sections if before else Section(0)))
            self._want()

    def unbind(self, pid: Pid, sections: Section | None) -> None:
        """sections: None for all."""
        with self._lock:
            bound = self._bindings.get(pid)
            if bound is None:
                return
            bound.sections = bound.sections & ~sections if sections is not None else Section(0)
            if not bound.sections:
                del self._bindings[pid]
            self._want()

    def unbind_all(self, link: Link) -> None:
        """Every process of a node."""
        for pid in [pid for pid, bound in self._bound() if bound.link is link]:
            self.unbind(pid, None)

    def exited(self, pid: Pid) -> None:
        self.unbind(pid, None)
        self._gone({pid})

    def down(self, link: Link) -> None:
        with self._lock:
            gone = {pid for pid, bound in self._bindings.items() if bound.link is link}
            for pid in gone:
                del self._bindings[pid]
            for pending in self._pending.values():  # also those that are bound no more
                gone |= {pid for pid, over in pending.waiting.items() if over is link}
            self._want()
        self._gone(gone)

    def bindings(self) -> list[tuple[Pid, Section]]:
        return [(pid, bound.sections) for pid, bound in self._bound()]

    def _bound(self) -> list[tuple[Pid, Answerer]]:
        with self._lock:
            return list(self._bindings.items())

    def _want(self) -> None:
        """With the lock held: choosing the sections takes no lock of the switch and never waits."""
        wanted = Section(0)
        for bound in self._bindings.values():
            wanted |= bound.sections
        if self._binding is not None:
            self._binding.want(wanted)

    # look-ups, each in a thread of the switch

    def answer(self, fetch: Fetch) -> bytes | None:
        """Ask the processes that are bound to the section; the first good answer counts."""
        section = Section.parse(fetch.section)
        identifier = self._switch.create_uuid()
        began = time.monotonic()
        with self._lock:
            if self._stopping:
                return None
            bound = {pid: one for pid, one in self._bindings.items() if one.sections & section}
            most, too_many = self._most, len(self._pending) >= self._most
            patience = {
                pid: seconds
                for pid, one in bound.items()
                if not too_many and (seconds := one.patience(began, self._timeout))
            }
            waiting = {pid: bound[pid].link for pid in patience}
            pending = Pending(fetch, frozenset(waiting), dict(waiting))
            if patience:
                self._pending[identifier] = pending
                self.asked += 1
        if not patience:
            if bound and too_many:
                told = "max-fetches: %d look-ups are under way already: one for %s finds nothing"
                log.warning(told, most, fetch.section, extra=about("look-ups"))
            return None
        found, in_time = None, True
        try:
            question = VERSION + self._question(fetch, identifier)
            for pid, link in waiting.items():
                Target(link, pid).put(question)
                if link.ended:
                    self._gone({pid})
            step_aside()
            found = self._wait(pending, patience, began)
        except FutureTimeout:
            in_time = not _resolve(pending, None)
            if in_time:  # somebody has just been told that his answer counts
                found = pending.result.result()
            else:
                log.warning(
                    "Timed out after %d milliseconds when waiting for XML fetch response for %s; no answer of %s",
                    (time.monotonic() - began) * 1000,
                    identifier,
                    ", ".join(map(str, tuple(pending.waiting))),
                )
        finally:
            with self._lock:
                del self._pending[identifier]
                self.answered += found is not None
                self.timed_out += not in_time
        if found is None:
            return None
        for name, value in found.variables.items():
            self._switch.set_variable(name, value)
        return found.document

    def _wait(self, pending: Pending, patience: dict[Pid, float], began: float) -> Answer | None:
        """patience: seconds for which each process is waited for. Raises FutureTimeout."""
        last = max(patience.values())
        for seconds in sorted(set(patience.values())):
            try:
                return pending.result.result(max(0.0, began + seconds - time.monotonic()))
            except FutureTimeout:
                if seconds == last:
                    raise
            self._gone({pid for pid, others in patience.items() if others == seconds}, pending)
        raise AssertionError("somebody is waited for")

    def _question(self, fetch: Fetch, identifier: str) -> bytes:
        """`{fetch, Section, Tag, Key, Value, FetchID, Params}`, without a version byte (erlang_fetch)."""
        texts = [fetch.tag, fetch.key, fetch.value]
        elements = [Atom("fetch"), Atom(fetch.section)]
        elements += [self._text(UNDEFINED if one is None else one) for one in texts]
        elements.append(self._text(identifier.encode()))
        params = encode(self._encoder, fetch.params) if fetch.params is not None else etf.encode_bare([])
        return b"h\x07" + b"".join(map(etf.encode_bare, elements)) + params

    # replies

    def reply(self, identifier: str, link: Link, pid: Pid | None, text: bytes) -> Verdict:
        """A process answers. Raises BadXml; its sender, or the process it stands for, has then had its chance."""
        with self._lock:
            self._heard(link, pid)
            pending = self._pending.get(identifier)
            if identifier in self._answered:
                return Verdict.DUPLICATE
        if pending is None:
            return Verdict.UNKNOWN
        try:
            found = self._answer(text, pending.fetch)
        except BadXml:
            self._no_result(pending, link, pid)
            raise
        if found is None:
            self._no_result(pending, link, pid)
            return Verdict.TAKEN
        if not self._remember(identifier) or not _resolve(pending, found):
            return Verdict.DUPLICATE
        return Verdict.TAKEN

    def unreadable(self, identifier: str, link: Link, pid: Pid | None) -> None:
        """A process answered with something that is no text: it has had its chance."""
        with self._lock:
            self._heard(link, pid)
            pending = self._pending.get(identifier)
        if pending is not None:
            self._no_result(pending, link, pid)

    def _heard(self, link: Link, pid: Pid | None) -> None:
        """A process has answered, or one that stands for those of its node that are asked. With the lock held."""
        bound = None if pid is None else self._bindings.get(pid)
        for one in (bound,) if bound is not None else self._bindings.values():
            if one.link is link:
                one.answered()

    def _answer(self, text: bytes, fetch: Fetch) -> Answer | None:
        """None: "not found here". Raises BadXml."""
        variables: Variables = {}
        if self._expand:
            self._limits.check_length(text)
            text, variables = expand(text, self._switch.variable, self._limits.length)
        found = document(text, fetch, self._limits, self._switch.xml_error)
        return None if found is None else Answer(found, variables)

    def _remember(self, identifier: str) -> bool:
        """Note that the look-up was answered; False when it was before. Kept as long as a reply might be under way."""
        now = time.monotonic()
        with self._lock:
            while self._answered and next(iter(self._answered.values())) < now:
                self._answered.popitem(last=False)
            if identifier in self._answered:
                return False
            self._answered[identifier] = now + self._timeout
        return True

    def _no_result(self, pending: Pending, link: Link, pid: Pid | None) -> None:
        """This process has nothing. A reply of one that was not asked stands for one of its node that was."""
        with self._lock:
            if pid in pending.asked:
                pending.waiting.pop(pid, None)
            else:
                stands_for = next((one for one, over in pending.waiting.items() if over is link), None)
                if stands_for is not None:
                    del pending.waiting[stands_for]
            over = not pending.waiting
        if over:
            _resolve(pending, None)

    def _gone(self, pids: set[Pid], only: Pending | None = None) -> None:
        """These processes are not waited for any more, in this look-up, or in all."""
        with self._lock:
            over = []
            for pending in self._pending.values() if only is None else (only,):
                for pid in pids & pending.waiting.keys():
                    del pending.waiting[pid]
                if not pending.waiting:
                    over.append(pending)
        for pending in over:
            _resolve(pending, None)


def _resolve(pending: Pending, found: Answer | None) -> bool:
    """Whether this was the first answer."""
    try:
        pending.result.set_result(found)
    except Exception:  # InvalidStateError: somebody was faster
        return False
    return True
