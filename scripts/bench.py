"""`make bench`: what this node does in a second, with mod_erlang_event beside it.

    python -m scripts.bench [requests|events|calls|xml|all] [--node NAME --cookie C --epmd-port P]

Without --node each module runs in a FreeSWITCH of its own, one after the other, all on 127.0.0.1; where there is no
FreeSWITCH the simulated switch answers requests. A switch that is named by --node needs erlang_py_events.py in its
script folder for the measurements of events, which go to every node that listens for CUSTOM erlang_py::bench.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ctypes.util import find_library
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

from scripts.epmd import Epmd, wait_until_registered
from scripts.install import ROOT
from scripts.scratch import (
    MODULES,
    FreeSwitch,
    ScratchError,
    ScratchFreeSwitch,
    find_freeswitch,
    free_port,
    local_host_name,
    write_settings,
)

COOKIE = "ClueCon"
HEADERS = 75
LOADING = 10.0
"""Seconds that a switch which just started may take until it has the command that fires events."""
BUSY = 0.7
"""The load average from which on the figures are not to be trusted."""
_NO_STARTUP_SCRIPT = '<configuration name="python.conf"><settings/></configuration>\n'
_LOCAL = ("-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}")
_DIALPLAN = {
    "dialplan/bench.xml": """\
<include>
  <context name="bench">
    <extension name="handled">
      <condition field="destination_number" expression="^handled-[0-9]+-(.+)$">
        <action application="erlang" data="bench_desk:! $1"/>
      </condition>
    </extension>
  </context>
</include>
"""
}
"""What bench.erl's calls are dialled to."""
_unique = count(1)


class BenchError(Exception):
    """What could not be measured, in a line."""


# --- the measuring node -------------------------------------------------------------------------------------------


class Measurer:
    """An Erlang node that runs bench.erl."""

    def __init__(self, folder: Path, epmd_port: int, cookie: str) -> None:
        if not (folder / "bench.beam").exists():
            subprocess.run(["erlc", "-o", str(folder), str(ROOT / "scripts" / "bench.erl")], check=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ERL_")}
        environment |= {"ERL_EPMD_PORT": str(epmd_port), "HOME": str(folder), "ERL_CRASH_DUMP_SECONDS": "0"}
        self.name = f"bench{os.getpid()}_{next(_unique)}@localhost"
        self._process = subprocess.Popen(
            [
                "erl",
                "-noshell",
                "-hidden",
                "-sname",
                self.name,
                "-setcookie",
                cookie,
                *_LOCAL,
                "-pa",
                str(folder),
                "-s",
                "bench",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._expect("ready")

    def measure(self, function: str, *arguments: object, listening: Callable[[], None] | None = None) -> list[float]:
        """The numbers that the function returns. listening: called once it is ready for events.

        Raises BenchError.
        """
        self.begin(function, *arguments)
        if listening is not None:
            self.wait_until_listening()
            listening()
        return self.end()

    def begin(self, function: str, *arguments: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{{{function}, [{', '.join(map(str, arguments))}]}}.\n")
        self._process.stdin.flush()

    def wait_until_listening(self) -> None:
        self._expect("listening")

    def end(self) -> list[float]:
        text = self._line()
        try:
            found: list[float] = json.loads(text)
        except ValueError:
            raise BenchError(text[:200]) from None
        return found

    def ask(self, node: str, term: str) -> None:
        """Send a request that is answered with ok. Raises BenchError."""
        self.begin("ask", f"'{node}'", term)
        if (answer := self._line()) != "true":
            raise BenchError(f"{term}: {answer}")

    def _expect(self, word: str) -> None:
        if (line := self._line()) != word:
            raise BenchError(line[:200])

    def _line(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("=> "):
                return line[3:].strip()
        raise BenchError("the Erlang node ended")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


# --- the nodes that are measured ----------------------------------------------------------------------------------


@dataclass
class Target:
    """fires: whether it can be told to fire events."""

    node: str
    cookie: str
    epmd_port: int
    folder: Path
    fires: bool
    library: Path | None = None
    measurers: list[Measurer] = field(default_factory=list)

    def measurer(self, number: int = 0) -> Measurer:
        while len(self.measurers) <= number:
            self.measurers.append(Measurer(self.folder, self.epmd_port, self.cookie))
        return self.measurers[number]

    def fire(self, events: int, rate: int) -> None:
        """Have the switch fire, at a rate (0: as fast as it can); returns at once."""
        firing = f"erlang_py_events {events} {rate} {HEADERS}{f' {self.library}' if self.library else ''}"
        firer = self.measurer(9)
        deadline = time.monotonic() + LOADING
        while True:
            try:
                return firer.ask(self.node, f'{{api, pyrun, "{firing}"}}')
            except BenchError:  # mod_python3 has no commands until its startup script, the node, has run
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def close(self) -> None:
        for measurer in self.measurers:
            measurer.close()


@cache
def switch_environment() -> dict[str, str]:
    """Of each FreeSWITCH here, as docs/troubleshooting.md advises: else malloc is what is measured."""
    tcmalloc = find_library("tcmalloc_minimal")
    return {"LD_PRELOAD": tcmalloc} if tcmalloc else {"MALLOC_ARENA_MAX": "64"}


@contextmanager
def freeswitch(found: FreeSwitch, base: Path, module: str, **settings: str) -> Iterator[Target]:
    """A scratch FreeSWITCH with that module as its node, and the means to fire events."""
    folder = base / f"freeswitch{next(_unique)}"
    with ExitStack() as stack:
        epmd = Epmd(free_port())
        stack.callback(epmd.stop)
        given = {"listen-ip": "127.0.0.1", "listen-port": str(free_port()), "cookie": COOKIE}
        given |= {name.replace("_", "-"): value for name, value in settings.items()}
        ours = module == "mod_python3"
        switch = ScratchFreeSwitch(
            found,
            folder,
            settings=given,
            epmd_port=epmd.port,
            erlang=module,
            modules=MODULES if ours else (*MODULES, "mod_python3"),
            shared=base / "shared",
            files=_DIALPLAN if ours else _DIALPLAN | {"autoload_configs/python.conf.xml": _NO_STARTUP_SCRIPT},
            environment=switch_environment(),
        )
        shutil.copy(ROOT / "scripts" / "erlang_py_events.py", switch.script_dir)
        switch.start()
        stack.callback(switch.kill)
        if not wait_until_registered("freeswitch", int(given["listen-port"]), epmd.port, lambda: switch.alive, 30):
            raise BenchError(f"{module} did not start: {switch.log()[-1000:]}")
        node = f"freeswitch@{local_host_name()}"
        target = Target(node, COOKIE, epmd.port, base, fires=True, library=library(base))
        stack.callback(target.close)
        yield target


def library(base: Path) -> Path | None:
    """bench_fire.c, compiled; None where there is no C compiler."""
    compiler = shutil.which("cc")
    made = base / "bench_fire.so"
    if compiler and not made.exists():
        source = ROOT / "scripts" / "bench_fire.c"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(source)], check=True)
    return made if made.exists() else None


@contextmanager
def simulated(base: Path) -> Iterator[Target]:
    folder = base / "simulated"
    port = free_port()
    write_settings(folder, {"listen-ip": "127.0.0.1", "listen-port": str(port), "cookie": COOKIE})
    with ExitStack() as stack:
        epmd = Epmd(free_port())
        stack.callback(epmd.stop)
        process = subprocess.Popen(
            [sys.executable, "-m", "mod_erlang_py", "--conf", str(folder)],
            stdin=subprocess.DEVNULL,
            stderr=(base / "log").open("wb"),
            env=os.environ | {"ERL_EPMD_PORT": str(epmd.port)},
            cwd=ROOT,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        if not wait_until_registered("freeswitch", port, epmd.port, lambda: process.poll() is None, 30):
            raise BenchError(f"the simulated switch did not start: {(base / 'log').read_text()[-1000:]}")
        target = Target(f"freeswitch@{local_host_name()}", COOKIE, epmd.port, base, fires=False)
        stack.callback(target.close)
        yield target


# --- what is measured ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Volume:
    """How much is measured: of what needs 0.1 ms, or 10."""

    requests: int
    burst: int
    rates: bool = True
    calls: int = 1000
    lookups: int = 2000


OURS = Volume(requests=20_000, burst=100_000)
THEIRS = Volume(requests=300, burst=100_000, calls=300, lookups=100)
THEIRS_BY_DEFAULT = Volume(requests=300, burst=5_000, rates=False, calls=300, lookups=100)

Row = tuple[str, str]


def measure_requests(target: Target, volume: Volume) -> Iterator[Row]:
    erl = target.measurer()
    erl.measure("requests", f"'{target.node}'", min(500, volume.requests))
    p50, p99 = erl.measure("requests", f"'{target.node}'", volume.requests)
    yield '{api, echo, "hello"}, p50 / p99', f"{p50:,.0f} / {p99:,.0f} us"
    target.measurer(1).measure("echo")
    p50, p99 = erl.measure("otp", f"'{target.measurer(1).name}'", volume.requests)
    yield "two OTP nodes among themselves, p50 / p99", f"{p50:,.0f} / {p99:,.0f} us"
    (rate,) = erl.measure("rate", f"'{target.node}'", 20, 3000)
    yield "the same from 20 processes", f"{rate:,.0f} /s"


def measure_events(target: Target, volume: Volume) -> Iterator[Row]:
    erl, node = target.measurer(), f"'{target.node}'"
    erl.measure("events", node, 2000, 2000, listening=lambda: target.fire(2000, 1000))
    took, lost = erl.measure("events", node, volume.burst, 10_000, listening=lambda: target.fire(volume.burst, 0))
    yield f"a burst of events of {HEADERS} headers to one handler", _rate(volume.burst, took, lost)
    if not volume.rates:
        return
    for rate in (1_000, 10_000):
        total = rate * 5
        p50, p99, lost = erl.measure("latencies", node, total, listening=lambda: target.fire(total, rate))  # noqa: B023
        yield f"latency at {rate:,} events a second, p50 / p99", _latency(p50, p99, lost)
    nodes = [target.measurer(number) for number in range(4)]
    share = volume.burst // 2
    for one in nodes:
        one.begin("events", node, share, 10_000)
    for one in nodes:
        one.wait_until_listening()
    target.fire(share, 0)
    results = [one.end() for one in nodes]
    slowest = max(took for took, _ in results)
    yield "a burst to four nodes, deliveries", _rate(4 * share, slowest, sum(lost for _, lost in results))
    p50, p99, events = erl.measure("under_events", node, 5000, listening=lambda: target.fire(5000 * 6, 5000))
    yield "api p50 / p99 under 5,000 events a second", f"{p50:,.0f} / {p99:,.0f} us ({events / 5:,.0f} events/s)"


def _rate(events: int, microseconds: float, lost: float) -> str:
    return f"{(events - lost) / microseconds * 1e6:,.0f} /s" + (f", {lost:,.0f} lost" if lost else "")


def _latency(p50: float, p99: float, lost: float) -> str:
    return f"{p50 / 1000:,.2f} / {p99 / 1000:,.2f} ms" + (f", {lost:,.0f} lost" if lost else "")


def measure_calls(target: Target, volume: Volume) -> Iterator[Row]:
    erl, node = target.measurer(), f"'{target.node}'"
    for at_once, share in ((1, 10), (10, 1), (100, 1)):
        calls = volume.calls // share
        rate, p50, p99, ended = erl.measure("calls", node, calls, at_once)
        lost = f", {calls - ended:,.0f} without an end" if ended != calls else ""
        yield f"calls answered and hung up, {at_once} at a time", f"{rate:,.0f} /s{lost}"
        yield f"dialled to handler, {at_once} at a time, p50 / p99", _latency(p50, p99, 0)


def measure_xml(target: Target, volume: Volume) -> Iterator[Row]:
    erl, node = target.measurer(), f"'{target.node}'"
    p50, p99 = erl.measure("lookups", node, volume.lookups, '"false"')
    yield "user_exists, nobody bound, p50 / p99", f"{p50:,.0f} / {p99:,.0f} us"
    target.measurer(1).measure("directory", node)
    p50, p99 = erl.measure("lookups", node, volume.lookups, '"true"')
    yield "user_exists, answered by another node, p50 / p99", f"{p50:,.0f} / {p99:,.0f} us"
    yield "look-ups, one after the other", f"{1e6 / p50:,.0f} /s"


MEASUREMENTS = {
    "requests": [measure_requests],
    "events": [measure_events],
    "calls": [measure_calls],
    "xml": [measure_xml],
    "all": [measure_requests, measure_events, measure_calls, measure_xml],
}


def measure(what: str, target: Target, volume: Volume, told: str) -> dict[str, str]:
    """The figures by what they are of; each is told of as it comes."""
    figures: dict[str, str] = {}
    for measurement in MEASUREMENTS[what]:
        if measurement is not measure_requests and not target.fires:
            print(f"{told}: only requests are measured outside FreeSWITCH", file=sys.stderr)
            continue
        try:
            for label, figure in measurement(target, volume):
                figures[label] = figure
                print(f"{told}: {label}: {figure}", file=sys.stderr, flush=True)
        except BenchError as error:
            print(f"{told}: {error}", file=sys.stderr, flush=True)
            figures[f"({measurement.__name__.removeprefix('measure_')})"] = "failed"
    return figures


# --- the report ---------------------------------------------------------------------------------------------------


def table(columns: Sequence[str], figures: Sequence[dict[str, str]]) -> str:
    """In Markdown. A row for each label, a column for each of the figures."""
    labels = list(dict.fromkeys(label for one in figures for label in one))
    rows = [["", *columns], *([label, *(one.get(label, "-") for one in figures)] for label in labels)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def machine() -> str:
    release = subprocess.run(
        ["erl", "-noshell", "-eval", "io:put_chars(erlang:system_info(otp_release)), halt()."],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), Python {platform.python_version()}, OTP {release}"


def _lines(file: str) -> list[str]:
    path = Path(file)
    return path.read_text().splitlines() if path.exists() else []


def warn_when_busy() -> None:
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"The machine is busy (load average {load:.1f}): expect worse figures than it can do.", file=sys.stderr)


def run(what: str, base: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Of scratch switches: the columns, and their figures."""
    found = find_freeswitch()
    if not isinstance(found, FreeSwitch):
        print(f"The simulated switch: {found}", file=sys.stderr)
        with simulated(base) as target:
            return ["simulated"], [measure(what, target, OURS, "simulated")]
    columns, figures = ["mod_erlang_py"], []
    with freeswitch(found, base, "mod_python3") as target:
        figures.append(measure(what, target, OURS, "mod_erlang_py"))
    if not (found.mod_dir / "mod_erlang_event.so").exists():
        return columns, figures
    with freeswitch(found, base, "mod_erlang_event") as target:
        columns.append("mod_erlang_event")
        figures.append(measure(what, target, THEIRS_BY_DEFAULT, columns[-1]))
    if what in ("events", "all"):
        with freeswitch(found, base, "mod_erlang_event", max_event_bulk="5000") as target:
            columns.append("its max-event-bulk 5000")
            figures.append(measure("events", target, THEIRS, columns[-1]))
    return columns, figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure requests, events, calls and XML look-ups.")
    parser.add_argument("what", nargs="?", choices=sorted(MEASUREMENTS), default="all")
    parser.add_argument("--node", help="a running node, as freeswitch@localhost; else scratch switches are started")
    parser.add_argument("--cookie", default=COOKIE)
    parser.add_argument("--epmd-port", type=int, default=int(os.environ.get("ERL_EPMD_PORT", "4369")))
    given = parser.parse_args()
    warn_when_busy()
    with tempfile.TemporaryDirectory(prefix="bench.") as folder:
        base = Path(folder)
        try:
            if given.node:
                target = Target(given.node, given.cookie, given.epmd_port, base, fires=True)
                try:
                    columns, figures = [given.node], [measure(given.what, target, OURS, given.node)]
                finally:
                    target.close()
            else:
                columns, figures = run(given.what, base)
        except KeyboardInterrupt:
            return 130
        except (BenchError, ScratchError, OSError, subprocess.CalledProcessError) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    switches = "" if given.node else f", FreeSWITCH with {' '.join(map('='.join, switch_environment().items()))}"
    print(f"\n{machine()}{switches}\n\n{table(columns, figures)}")
    warn_when_busy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
