"""What lies in the package's files, and what of it runs: an installation of others changes the files alone."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from mod_erlang_py.code import Code, read

HERE = Path(__file__).resolve().parent
RUNNING = read(HERE)
"""As it was when it was loaded."""


def differences(package: Path = HERE, running: Code = RUNNING) -> tuple[str, ...]:
    """What the files have and does not run, a line each, with what to do."""
    found = []
    try:
        files = read(package)
    except OSError:
        return ("the files are gone: after the next restart there is no node",)
    if files != running:
        found.append(f"files are {files}, running is {running}: unload mod_erlang_py, then pyrun erlang_py")
    for library in package.parent.glob("lxml-*.dist-info"):
        version = library.name.removesuffix(".dist-info").removeprefix("lxml-")
        if version != etree.__version__:  # of the module that is loaded
            found.append(f"files are lxml {version}, running is {etree.__version__}: restart FreeSWITCH")
    return tuple(found)
