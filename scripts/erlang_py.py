"""The script that mod_python3 imports: starts the Erlang node inside FreeSWITCH.

`<param name="startup-script" value="erlang_py"/>` in python.conf.xml starts it with the switch, `pyrun erlang_py` at
any time; `unload mod_erlang_py` stops it. mod_python3 reloads this file at every call: nothing starts and nothing is
kept here. An error that reached mod_python3 could take the switch down: none leaves this file.
"""

import sys
from pathlib import Path
from typing import Any

PACKAGES = Path(__file__).resolve().parent / "erlang_py_packages"


def runtime(args: str = "") -> None:
    """Start the node, unless it runs: what `pyrun` and startup-script call."""
    try:
        if str(PACKAGES) not in sys.path and PACKAGES.is_dir():
            sys.path.append(str(PACKAGES))
        from mod_erlang_py import entry

        entry.start()
    except BaseException as error:
        _complain(error)


def fsapi(session: Any, stream: Any, env: Any, args: str) -> None:
    """`python erlang_py` in fs_cli: the same."""
    runtime(args)
    stream.write("+OK\n")


def _complain(error: BaseException) -> None:
    import freeswitch

    freeswitch.consoleLog("err", f"erlang_py: {type(error).__name__}: {str(error)[:1000]}\n")
