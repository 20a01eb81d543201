"""What `make install` looks at before it copies anything."""

from __future__ import annotations

import errno
import getpass
import os
import re
import socket
import subprocess
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

from scripts.folders import Folders, InstallError
from scripts.fs_cli import FsCli

_DEFAULTS = {"listen-ip": "0.0.0.0", "listen-port": "8031"}


def preflight(folders: Folders, python: str, erlang_event: Path, fs_cli: FsCli) -> list[str]:
    """What the operator has to do, a line each. erlang_event: the configuration file that will be in force.

    Raises InstallError, which says what to do, for what would make the installation useless.
    """
    if not (folders.conf / "freeswitch.xml").is_file():
        raise InstallError(
            f"{folders.conf} is no FreeSWITCH configuration: it has no freeswitch.xml; give FS_CONF_DIR=..."
        )
    to_do = []
    if folders.modules is None:
        check_python(python, None)
        to_do.append(f"see that mod_python3.so is in FreeSWITCH's mod_dir, and embeds the version of {python}")
    else:
        module = folders.modules / "mod_python3.so"
        if not module.is_file():
            raise InstallError(
                f"{folders.modules} has no mod_python3.so: install the package freeswitch-mod-python3, or build "
                "languages/mod_python3 with FreeSWITCH"
            )
        embedded = embedded_python(module)
        check_python(python, embedded)
        if embedded is None:
            to_do.append(f"{module}: see that it embeds the version of {python}; it cannot be told from the file")
    if fs_cli.is_loaded("mod_erlang_event"):
        to_do.append("fs_cli: unload mod_erlang_event, which has the API command erlang and perhaps the port")
    elif not fs_cli.is_loaded("mod_erlang_py"):
        taken = port_taken(erlang_event, fs_cli.silence())
        if taken:
            to_do.append(taken)
    return to_do


def check_writable(places: Iterable[Path]) -> None:
    """Raises InstallError for the first that this user may not write to, or make."""
    for place in places:
        there = next(path for path in (place, *place.parents) if path.exists())
        if not os.access(there, os.W_OK):
            raise InstallError(f"{there} is not for {getpass.getuser()} to write: run it as root; nothing was changed")


def python_version(python: str) -> str:
    """ "3.11", of an interpreter that can run. Raises InstallError."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        raise InstallError(f"PYTHON={python} is no Python that runs") from None
    return done.stdout.strip()


def embedded_python(module: Path) -> str | None:
    """The version of Python that a mod_python3.so is linked with, "3.11"; None when that cannot be told."""
    try:
        found = re.search(rb"libpython(3\.\d+)", module.read_bytes())
    except OSError:
        return None
    return found.group(1).decode() if found else None


def check_python(python: str, embedded: str | None) -> None:
    """Raises InstallError when the package cannot run there, or mod_python3 embeds another version."""
    version = python_version(python)
    if not (3, 10) <= tuple(map(int, version.split("."))) < (3, 14):
        raise InstallError(f"PYTHON={python} is Python {version}; 3.10 to 3.13 is needed")
    if embedded and embedded != version:
        raise InstallError(
            f"PYTHON={python} is Python {version}, but mod_python3 embeds {embedded}: give PYTHON=.../python{embedded}"
        )


def port_taken(erlang_event: Path, silence: str | None) -> str | None:
    """Why the node could not listen as that file says, and what to do; None when it could, or that cannot be told.

    silence: why fs_cli had no answer, if it had none: it may be the node itself that has the port.
    """
    settings = _DEFAULTS | {param.get("name", ""): param.get("value", "") for param in elements(erlang_event, "param")}
    ip, port = settings["listen-ip"], settings["listen-port"]
    try:
        address = socket.getaddrinfo("0.0.0.0" if ip == "*" else ip, int(port), type=socket.SOCK_STREAM)[0]
    except (OSError, ValueError, OverflowError):
        return None  # a variable of FreeSWITCH's, or wrong: the node will name the parameter
    family, kind, protocol, _, sockaddr = address
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(sockaddr)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            by_whom = f"ss -ltnp 'sport = :{port}' says by whom"
            if silence is not None:
                return (
                    f"{erlang_event}: listen-port {port} is taken, {by_whom}; if by FreeSWITCH, all may be well, but "
                    f"it cannot be asked (fs_cli: {silence}): give fs_cli's options, "
                    'ARGS="-H HOST -P PORT -p PASSWORD"'
                )
            return f"{erlang_event}: choose another listen-port; {port} is taken, {by_whom}"
        if error.errno == errno.EADDRNOTAVAIL:
            return f"{erlang_event}: choose another listen-ip; {ip} is no address of this machine"
    return None


def elements(file: Path, name: str) -> list[dict[str, str]]:
    """The attributes of the elements of that name in a file of the configuration, which need not be quite XML."""
    reader = _Elements(name)
    try:
        reader.feed(file.read_text(errors="replace"))
    except OSError:
        return []
    return reader.found


class _Elements(HTMLParser):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == self.name:
            self.found.append({name: value or "" for name, value in attributes})
