"""What `make install` looks at before it copies anything."""

from __future__ import annotations

import errno
import re
import socket
import subprocess
from pathlib import Path

from lxml import etree

from scripts import fs_cli
from scripts.folders import Folders, InstallError

_DEFAULTS = {"listen-ip": "0.0.0.0", "listen-port": "8031"}


def preflight(folders: Folders, python: str, erlang_event: Path) -> list[str]:
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
        taken = port_taken(erlang_event)
        if taken:
            to_do.append(taken)
    return to_do


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


def port_taken(erlang_event: Path) -> str | None:
    """Why the node could not listen as that file says, and what to do; None when it could, or that cannot be told."""
    params = parse(erlang_event)
    settings = _DEFAULTS | {str(p.get("name")): str(p.get("value")) for p in params.iterfind(".//param")}
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
            return (
                f"{erlang_event}: choose another listen-port; {port} is taken, ss -ltnp 'sport = :{port}' says by whom"
            )
        if error.errno == errno.EADDRNOTAVAIL:
            return f"{erlang_event}: choose another listen-ip; {ip} is no address of this machine"
    return None


def parse(file: Path) -> etree._Element:
    """A file of the configuration, which need not be quite XML; an empty element when there is nothing to read."""
    try:
        tree = etree.fromstring(file.read_bytes(), etree.XMLParser(recover=True, resolve_entities=False))
    except (OSError, etree.XMLSyntaxError):
        tree = None
    return etree.Element("none") if tree is None else tree
