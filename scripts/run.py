"""`make run`: our node on this machine, to try it out from an `erl` in another terminal.

In a scratch FreeSWITCH where one with mod_python3 is installed, else on the simulated switch. Listens
on 127.0.0.1 alone. Its dialplan is ours, and what files are given. Everything is in a temporary folder, which is gone
after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from scripts.epmd import Epmd, EpmdError, epmd_names, wait_until_registered
from scripts.folders import InstallError
from scripts.install import ROOT
from scripts.preflight import python_version
from scripts.scratch import (
    FreeSwitch,
    ScratchError,
    ScratchFreeSwitch,
    find_freeswitch,
    free_port,
    link_extensions,
    local_host_name,
    write_dialplan,
    write_settings,
)

COOKIE = "ClueCon"
DEFAULT_EPMD_PORT = 4369
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


class RunError(Exception):
    """Why the node does not run, in a few lines."""


def run(folder: Path, epmd_port: int, extensions: Sequence[Path], libraries: Path | None = None) -> int:
    """Run until the switch ends by itself; its exit code. KeyboardInterrupt stops it. Raises RunError.

    extensions: files for the dialplan's context "default", beside ours. libraries: a folder that has what the package
    needs, for this Python.
    """
    name = "freeswitch"
    if name in (epmd_names(epmd_port) or {}):
        name = f"freeswitch_{os.getpid()}"  # another switch of this machine has the name
    settings = {
        "listen-ip": "127.0.0.1",
        "listen-port": str(free_port()),
        "nodename": name,
        "cookie": COOKIE,
    }
    found = find_freeswitch()
    if isinstance(found, FreeSwitch):
        return _freeswitch(found, folder, settings, epmd_port, extensions, libraries)
    print(f"Running the simulated switch in {folder}: {found}.", flush=True)
    return _simulated(folder, settings, epmd_port, extensions)


def _freeswitch(
    found: FreeSwitch,
    folder: Path,
    settings: dict[str, str],
    epmd_port: int,
    extensions: Sequence[Path],
    libraries: Path | None,
) -> int:
    print(f"Running {found.binary} in {folder}; preparing takes some seconds.", flush=True)
    if python_version(found.python) != python_version(sys.executable):
        libraries = None
    switch = ScratchFreeSwitch(found, folder, settings=settings, epmd_port=epmd_port, libraries=libraries)
    link_extensions(switch.conf_dir, extensions)
    switch.start()
    try:
        if not _registered(settings, epmd_port, lambda: switch.alive):
            raise RunError("\n".join(["the node did not start:", *switch.log().splitlines()[-20:]]))
        print(f"FreeSWITCH's log is {folder / 'log' / 'freeswitch.log'}, its console:")
        print(f"    {shlex.join(switch.fs_cli_command(''))}")
        _tell(settings["nodename"], epmd_port)
        return switch.wait()
    finally:
        print("Stopping FreeSWITCH, which takes some seconds.", flush=True)
        switch.stop()


def _simulated(folder: Path, settings: dict[str, str], epmd_port: int, extensions: Sequence[Path]) -> int:
    write_settings(folder, settings)
    write_dialplan(folder)
    link_extensions(folder, extensions)
    process = subprocess.Popen(
        [sys.executable, "-m", "mod_erlang_py", "--conf", str(folder)],
        stdin=subprocess.DEVNULL,
        env=os.environ | {"ERL_EPMD_PORT": str(epmd_port)},
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C comes to us, and we stop it
    )
    try:
        if not _registered(settings, epmd_port, lambda: process.poll() is None):
            raise RunError("the node did not start")
        _tell(settings["nodename"], epmd_port)
        return process.wait()
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _registered(settings: dict[str, str], epmd_port: int, alive: Callable[[], bool]) -> bool:
    return wait_until_registered(settings["nodename"], int(settings["listen-port"]), epmd_port, alive, _START_SECONDS)


def _tell(name: str, epmd_port: int) -> None:
    node = f"{name}@{local_host_name()}"
    environment = "" if epmd_port == DEFAULT_EPMD_PORT else f"ERL_EPMD_PORT={epmd_port} "
    print(
        f"""
The node is {node}. In another terminal:

    {environment}erl -sname test -setcookie {COOKIE}

and there:

    net_adm:ping('{node}').
    {{foo, '{node}'}} ! {{api, status, ""}}, receive R -> R after 5000 -> timeout end.

Calls to 7501, 7502 and 7503 are for calls@{local_host_name()}, as conf/dialplan/default/erlang.xml says.
Ctrl-C ends it.
""",
        flush=True,
    )


@contextmanager
def _epmd(port: int) -> Iterator[None]:
    """An epmd on that port: the one that runs there, else one that ends with us unless others use it by then."""
    if epmd_names(port) is not None:
        yield
        return
    epmd = Epmd(port)
    try:
        yield
    finally:
        if not epmd.names():
            epmd.stop()


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C does not cut the stopping short
    raise KeyboardInterrupt


def _epmd_port() -> int:
    """Raises RunError."""
    given = os.environ.get("ERL_EPMD_PORT", str(DEFAULT_EPMD_PORT))
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise RunError(f"ERL_EPMD_PORT={given} is no port")
    return int(given)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make run", description="Run a node on this machine, to try it out.")
    parser.add_argument("--libraries", type=Path, help="a folder that has what the package needs, for this Python")
    parser.add_argument("extensions", nargs="*", type=Path, help="files for the dialplan's context default")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        port = _epmd_port()
        with tempfile.TemporaryDirectory(prefix="mod_erlang_py.") as folder, _epmd(port):
            return run(Path(folder), port, given.extensions, given.libraries)
    except KeyboardInterrupt:
        return 0
    except (RunError, EpmdError, ScratchError, InstallError, OSError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
