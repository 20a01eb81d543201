"""A scratch FreeSWITCH for one turn of a contender."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ctypes.util import find_library
from functools import cache
from itertools import count
from pathlib import Path
from typing import TypeVar

from scripts.bench import configuration, inside
from scripts.bench.contenders import Contender
from scripts.bench.cpu import ProcessorClock
from scripts.bench.errors import BenchError
from scripts.bench.peers.event_socket import EventSocket
from scripts.bench.shared import COOKIE, Shared
from scripts.epmd import wait_until_registered
from scripts.scratch import MODULES, ScratchFreeSwitch, free_port, local_host_name

T = TypeVar("T")
_START_SECONDS = 30.0
_LOADING_SECONDS = 10.0
"""That a switch which just started may take until it has mod_python3's commands."""
_unique = count(1)


@cache
def environment() -> dict[str, str]:
    """Of each FreeSWITCH here, as docs/troubleshooting.md advises: else malloc is what is measured."""
    tcmalloc = find_library("tcmalloc_minimal")
    return {"LD_PRELOAD": tcmalloc} if tcmalloc else {"MALLOC_ARENA_MAX": "64"}


class Switch:
    """One that runs. node: its name, where it is an Erlang node. sip_port: where it takes SIP, if it does."""

    node = f"freeswitch@{local_host_name()}"

    def __init__(self, scratch: ScratchFreeSwitch, library: Path, sip_port: int | None) -> None:
        self._scratch = scratch
        self._library = library
        self.sip_port = sip_port
        self._clock = ProcessorClock(scratch.pid)
        self.event_socket = (scratch.event_socket_port, scratch.password)

    def fire(self, count: int, rate: int = 0, headers: int = 75, **what: str) -> None:
        """Have it fire events, at a rate or, with 0, as fast as it can; returns at once. what: see inside.fire."""
        self.api(f"pyrun {inside.fire(self._library, count, rate, headers, **what)}")

    def fire_to_the_end(self, count: int, rate: int = 0, headers: int = 75, **what: str) -> float:
        """The same; returns the processor time that it took, in seconds, when it has done with all of them."""
        return self.cpu_of(lambda: self.api(f"python {inside.fire(self._library, count, rate, headers, **what)}"))[0]

    def log(self, lines: int) -> None:
        """Have it write log lines; returns at once."""
        self.api(f"pyrun {inside.log(self._library, lines)}")

    def api(self, command: str) -> str:
        """What it returned. Raises BenchError."""
        deadline = time.monotonic() + _LOADING_SECONDS
        with EventSocket(*self.event_socket) as client:
            while True:
                answer = client.api(command)
                if not answer.startswith("-ERR") and "Command not found" not in answer:
                    return answer
                if time.monotonic() > deadline:
                    raise BenchError(f"{command}: {answer.strip()}")
                time.sleep(0.1)

    def cpu_of(self, work: Callable[[], T]) -> tuple[float, T]:
        """The processor time that the work took it, in seconds, with all that it still does afterwards; and what the
        work returned."""
        before, began = self._clock.settled(), time.monotonic()
        found = work()
        after = self._clock.settled()
        return after - before - (time.monotonic() - began) * self._clock.idle, found

    def settle(self) -> None:
        """Wait until it has done what it still had to do."""
        self._clock.settled()

    def look_at_idle(self) -> None:
        """What it takes anyway, with the calls and links that it has, is from now on no part of what work takes."""
        self._clock.look_at_idle()

    def memory(self) -> int:
        """KiB of its own in RAM."""
        lines = Path(f"/proc/{self._scratch.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


@contextmanager
def started(contender: Contender, shared: Shared, sip: bool = False) -> Iterator[Switch]:
    """sip: with mod_sofia. Raises BenchError, ScratchError."""
    port = free_port()
    settings = {"listen-ip": "127.0.0.1", "listen-port": str(port), "cookie": COOKIE, **dict(contender.settings)}
    if contender.tls and contender.module:
        settings |= shared.tls_settings(port)
    sip_port = free_port() if sip else None
    more = [*(["mod_sofia"] if sip else []), *(["mod_python3"] if contender.module != "mod_python3" else [])]
    with ExitStack() as stack:
        scratch = ScratchFreeSwitch(
            shared.found,
            shared.folder / f"freeswitch{next(_unique)}",
            settings=settings,
            epmd_port=shared.epmd_port,
            erlang=contender.module,
            modules=[*MODULES, *more],
            shared=shared.folder / "shared",
            files=configuration.files(contender, sip_port),
            environment=environment(),
        )
        inside.install(scratch.script_dir)
        scratch.start()
        stack.callback(scratch.kill)
        if contender.module and not wait_until_registered(
            "freeswitch", port, shared.epmd_port, lambda: scratch.alive, _START_SECONDS
        ):
            raise BenchError(f"{contender.name} did not start: {scratch.log()[-1000:]}")
        switch = Switch(scratch, shared.library, sip_port)
        for setting in ("sps 10000", "max_sessions 10000"):
            switch.api(f"fsctl {setting}")
        switch.settle()
        yield switch
