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

from scripts.bench import inside
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
_NO_STARTUP_SCRIPT = '<configuration name="python.conf"><settings/></configuration>\n'
_NO_DEBUG_LOG = """\
<configuration name="logfile.conf">
  <settings/>
  <profiles>
    <profile name="default">
      <settings/>
      <mappings><map name="all" value="err,crit,alert"/></mappings>
    </profile>
  </profiles>
</configuration>
"""
_DIALPLAN = """\
<include>
  <context name="bench">
    <extension name="handled">
      <condition field="destination_number" expression="^handled-[0-9]+-(.+)$">
        <action application="erlang" data="bench_desk:! $1"/>
      </condition>
    </extension>
    <extension name="alone">
      <condition field="destination_number" expression="^alone-">
        <action application="answer"/>
        <action application="hangup"/>
      </condition>
    </extension>
    <extension name="parked">
      <condition field="destination_number" expression="^parked-">
        <action application="park"/>
      </condition>
    </extension>
  </context>
</include>
"""
"""handled: by bench.erl. alone: the same without anybody. parked: for a client of mod_event_socket to do the same."""
_unique = count(1)


@cache
def environment() -> dict[str, str]:
    """Of each FreeSWITCH here, as docs/troubleshooting.md advises: else malloc is what is measured."""
    tcmalloc = find_library("tcmalloc_minimal")
    return {"LD_PRELOAD": tcmalloc} if tcmalloc else {"MALLOC_ARENA_MAX": "64"}


class Switch:
    """One that runs. node: its name, where it is an Erlang node."""

    node = f"freeswitch@{local_host_name()}"

    def __init__(self, scratch: ScratchFreeSwitch, library: Path) -> None:
        self._scratch = scratch
        self._library = library
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
def started(contender: Contender, shared: Shared) -> Iterator[Switch]:
    """Raises BenchError, ScratchError."""
    settings = {"listen-ip": "127.0.0.1", "listen-port": str(free_port()), "cookie": COOKIE, **dict(contender.settings)}
    files = {"autoload_configs/logfile.conf.xml": _NO_DEBUG_LOG, "dialplan/bench.xml": _DIALPLAN}
    modules: tuple[str, ...] = MODULES
    if contender.module != "mod_python3":
        modules = (*MODULES, "mod_python3")
        files["autoload_configs/python.conf.xml"] = _NO_STARTUP_SCRIPT
    with ExitStack() as stack:
        scratch = ScratchFreeSwitch(
            shared.found,
            shared.folder / f"freeswitch{next(_unique)}",
            settings=settings,
            epmd_port=shared.epmd_port,
            erlang=contender.module,
            modules=modules,
            shared=shared.folder / "shared",
            files=files,
            environment=environment(),
        )
        inside.install(scratch.script_dir)
        scratch.start()
        stack.callback(scratch.kill)
        if contender.module:
            port = int(settings["listen-port"])
            if not wait_until_registered("freeswitch", port, shared.epmd_port, lambda: scratch.alive, _START_SECONDS):
                raise BenchError(f"{contender.name} did not start: {scratch.log()[-1000:]}")
        switch = Switch(scratch, shared.library)
        for setting in ("sps 10000", "max_sessions 10000"):
            switch.api(f"fsctl {setting}")
        switch.settle()
        yield switch
