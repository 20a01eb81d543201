"""Log lines on their way from the switch to the log handlers of the nodes.

The switch's log is listened to only while a node wants it. Its thread puts a line into a bounded queue and goes on.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from mod_erlang_py import etf
from mod_erlang_py.etf import Atom, Pid
from mod_erlang_py.events.counts import Counts, Tally
from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.target import Target
from mod_erlang_py.switch.port import LogLine, Switch

log = logging.getLogger(__name__)

QUEUE_LENGTH = 10_000
"""Lines that may wait for the pump."""


@dataclass(eq=False)
class LogHandler:
    """A node's log handler. target: None until register_log_handler, after nolog, and when the process has ended."""

    counts: Counts = field(default_factory=lambda: Counts("log lines"))
    target: Target | None = None
    level: LogLevel = LogLevel.DEBUG


class Logs:
    """bulk: the most messages gathered in one write. failures: rounds that failed."""

    def __init__(self, switch: Switch, bulk: int) -> None:
        self._switch = switch
        self._bulk = bulk
        self._lock = threading.Lock()
        self._binding = threading.Lock()
        self._handlers: dict[Link, LogHandler] = {}
        self._past = Tally()
        self._lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()
        self._refused = 0
        self._unbind: Callable[[], None] | None = None
        self._stopping = False
        self.failures = 0

    def register(self, link: Link, to: Pid | str) -> None:
        """The process becomes the log handler of its node, at level DEBUG."""

        def change(handler: LogHandler) -> None:
            handler.target = Target(link, to)
            handler.level = LogLevel.DEBUG

        self._change(link, change)

    def set_level(self, link: Link, level: LogLevel) -> None:
        def change(handler: LogHandler) -> None:
            handler.level = level

        self._change(link, change)

    def nolog(self, link: Link) -> None:
        def change(handler: LogHandler) -> None:
            handler.target = None

        self._change(link, change)

    def exited(self, link: Link, to: Pid | str) -> None:
        def change(handler: LogHandler) -> None:
            if handler.target is not None and handler.target.to == to:
                handler.target = None

        if self.handler(link) is not None:
            self._change(link, change)

    def down(self, link: Link) -> None:
        with self._lock:
            known = self._handlers.pop(link, None)
            if known is not None:
                self._past = self._past.plus([known.counts])
        self._bind()

    def handler(self, link: Link) -> LogHandler | None:
        with self._lock:
            return self._handlers.get(link)

    def tally(self) -> Tally:
        """Of all links, those that are down included."""
        with self._lock:
            return self._past.plus(handler.counts for handler in self._handlers.values())

    def configure(self, bulk: int) -> None:
        self._bulk = bulk

    def _change(self, link: Link, change: Callable[[LogHandler], None]) -> None:
        with self._lock:
            if link.ended:
                return  # `down` has been, or will be, here
            handler = self._handlers.get(link)
            if handler is None:
                handler = self._handlers[link] = LogHandler()
            change(handler)
        self._bind()

    def _bind(self) -> None:
        """Listen to the switch's log while somebody wants it."""
        with self._binding:
            with self._lock:
                wanted = not self._stopping and any(handler.target for handler in self._handlers.values())
            if wanted and self._unbind is None:
                self._unbind = self._switch.bind_log(self._listen)
            elif not wanted and self._unbind is not None:
                self._unbind()
                self._unbind = None

    def _listen(self, line: LogLine) -> None:
        """In the switch's log thread."""
        if self._lines.qsize() < QUEUE_LENGTH:
            self._lines.put(line)
        else:
            self._refused += 1

    def run(self) -> None:
        """The pump's thread. A round that fails costs its lines."""
        while not self._stopping:
            try:
                self._round()
            except Exception:
                self.failures += 1
                log.exception("a round of log lines failed")

    def _round(self) -> None:
        line = self._lines.get()
        payloads: dict[LogHandler, list[bytes]] = {}
        for _ in range(self._bulk - 1):
            if line is not None:
                self._hand_out(line, payloads)
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                line = None
                break
        if line is not None:
            self._hand_out(line, payloads)
        self._send(payloads)

    def _hand_out(self, line: LogLine, payloads: dict[LogHandler, list[bytes]]) -> None:
        payload = b""
        with self._lock:
            handlers = [one for one in self._handlers.values() if one.target is not None and one.level >= line.level]
        for handler in handlers:
            payload = payload or etf.encode(term(line))
            payloads.setdefault(handler, []).append(payload)

    def _send(self, payloads: dict[LogHandler, list[bytes]]) -> None:
        refused, self._refused = self._refused, 0
        with self._lock:
            for handler, some in payloads.items():
                target = handler.target
                if target is not None:
                    handler.counts.took(target.link.outbox.offer([target.frames(some)]), len(some))
                    handler.counts.missed(refused)
        for handler in payloads:
            handler.counts.report(self._switch.fire)

    def stop(self) -> None:
        self._stopping = True
        self._bind()
        self._lines.put(None)


def term(line: LogLine) -> etf.Term:
    """`{log, [{level, L}, …]}`; its texts are strings, whatever the encoding (check_log_queue)."""
    values = (line.level.value, line.channel, line.file, line.function, line.line, line.text, line.uuid)
    return (_LOG, list(zip(_KEYS, values, strict=True)))


_LOG = Atom("log")
_KEYS = tuple(map(Atom, ("level", "text_channel", "file", "func", "line", "data", "user_data")))
