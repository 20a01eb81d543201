"""A scratch FreeSWITCH with the node in it, for one trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from scripts.bench.switch import environment
from scripts.configuration import LOGFILE, logfile
from scripts.epmd import Epmd, wait_until_registered
from scripts.scratch import MODULES, FreeSwitch, ScratchFreeSwitch, find_freeswitch, free_port, local_host_name
from scripts.trials.usage import Usage, usage

COOKIE = "ClueCon"
CONTEXT = "trials"
"""Of the dialplan. Its number `TARGET-NODE` leads to the process that the action `erlang` calls TARGET on that node."""
_START_SECONDS = 30.0
_unique = count(1)

_DIALPLAN = """\
<include>
  <context name="trials">
    <extension name="handled">
      <condition field="destination_number" expression="^([^-]+)-(.+)$">
        <action application="erlang" data="$1 $2"/>
      </condition>
    </extension>
  </context>
</include>
"""
_LOG = logfile("warning,err,crit,alert", {"rollover": "0"})


class TrialError(Exception):
    """Why something could not be tried, in a line."""


@dataclass(frozen=True)
class Switch:
    """One that runs. name: the node's. port: where it takes links. epmd: the one that it registers with."""

    scratch: ScratchFreeSwitch
    name: str
    port: int
    epmd: Epmd

    @property
    def epmd_port(self) -> int:
        return self.epmd.port

    @property
    def folder(self) -> Path:
        return self.scratch.folder

    @property
    def pid(self) -> int:
        return self.scratch.pid

    def fs_cli(self, command: str, timeout: float = 30.0) -> str:
        """What the command printed. Raises ScratchError."""
        return self.scratch.fs_cli(command, timeout)

    def usage(self) -> Usage:
        """Raises OSError when it is gone."""
        return usage(self.pid)

    def wait_until_registered(self, timeout: float = _START_SECONDS) -> bool:
        """That the node stands in epmd with its port, so that others can connect."""
        name = self.name.partition("@")[0]
        return wait_until_registered(name, self.port, self.epmd_port, lambda: self.scratch.alive, timeout)

    def ready(self) -> None:
        """It takes as many calls as there are. Raises TrialError when the node does not start."""
        if not self.wait_until_registered():
            raise TrialError(f"the node did not start: {self.scratch.log()[-1000:]}")
        for setting in ("sps 10000", "max_sessions 10000"):
            self.fs_cli(f"fsctl {setting}")

    def tracebacks(self) -> int:
        """How many the log has, with what of it was rotated away: there is to be none."""
        files = (self.folder / "log").glob("freeswitch.log*")
        return sum(file.read_text(errors="replace").count("Traceback (most recent call last)") for file in files)


@contextmanager
def started(
    folder: Path,
    *,
    settings: Mapping[str, str] | None = None,
    nodes: str = "",
    files: Mapping[str, str] | None = None,
    modules: Sequence[str] = (),
    shared: Path | None = None,
) -> Iterator[Switch]:
    """Ended with the block, however that ends.

    folder: for everything of it; may be that of several. settings: of erlang_event.conf, beside address and cookie.
    nodes: XML of its <node> elements. files: more of conf_dir, path -> text. modules: more of FreeSWITCH's. shared: as
    for ScratchFreeSwitch. Raises TrialError, EpmdError, ScratchError.
    """
    found = find_freeswitch()
    if not isinstance(found, FreeSwitch):
        raise TrialError(found)
    with ExitStack() as stack:
        epmd = Epmd(free_port())
        stack.callback(epmd.stop)
        port = free_port()
        address = {"listen-ip": "127.0.0.1", "listen-port": str(port), "cookie": COOKIE, "shortname": "true"}
        scratch = ScratchFreeSwitch(
            found,
            folder / f"freeswitch{next(_unique)}",
            settings=address | dict(settings or {}),
            nodes=nodes,
            epmd_port=epmd.port,
            modules=[*MODULES, *modules],
            shared=shared or folder / "shared",
            files={"dialplan/trials.xml": _DIALPLAN, LOGFILE: _LOG} | dict(files or {}),
            environment=environment(),
        )
        stack.callback(scratch.kill)
        scratch.start()
        switch = Switch(scratch, f"freeswitch@{local_host_name()}", port, epmd)
        switch.ready()
        yield switch


def wait_until(found: Callable[[], bool], timeout: float) -> bool:
    """Whether it became true within so many seconds."""
    deadline = time.monotonic() + timeout
    while not found():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
