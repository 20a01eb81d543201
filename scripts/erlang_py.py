"""The script that mod_python3 imports: starts the Erlang node inside FreeSWITCH.

`<param name="startup-script" value="erlang_py"/>` in python.conf.xml starts it with the switch, `pyrun erlang_py` at
any time; `unload mod_erlang_py` stops it. What starts is what is installed then: the files, and the settings too, are
read again. mod_python3 reloads this file at every call, and its names stay as they were: nothing starts at import, and
what must last is in `_kept`. An error that reached mod_python3 could take the switch down: none leaves this file.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import logging
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

PACKAGES = Path(__file__).resolve().parent / "erlang_py_packages"
NAME = "mod_erlang_py"
"""Of the package, its logger, and the switch's module."""

_kept: Any = globals().get("_kept") or SimpleNamespace(
    lock=threading.Lock(),
    started=False,  # ever
    libraries={},  # name -> module that we need and others must not find
    dropped=[],  # the code of nodes before: its modules by their names
)


def runtime(args: str = "") -> None:
    """Start the node, unless it runs: what `pyrun` and startup-script call."""
    try:
        with _kept.lock:
            switch = ctypes.CDLL(None)
            if switch.switch_loadable_module_exists(NAME.encode()) == 0:
                _log("warning", f"already running; `unload {NAME}` stops it")
                return
            _drop()
            if _kept.started or switch.switch_core_ready():  # else the switch is starting, and has just read it
                _read_configuration(switch)
            _kept.started = True
            _load().start()
    except BaseException as error:
        _log("err", f"{type(error).__name__}: {str(error)[:1000]}")


def fsapi(session: Any, stream: Any, env: Any, args: str) -> None:
    """`python erlang_py` in fs_cli: the same."""
    runtime(args)
    stream.write("+OK\n")


def _drop() -> None:
    """Forget the code of a node that ended, so that what is in the files now is loaded.

    A thread of the switch may be on its way into a callback of it: it is held until the next one is dropped, and for as
    long as calls are in its applications. Libraries in C stay: they cannot be loaded twice; what is in C of our own
    can, and says itself when it is of other code.
    """
    loaded = {name: module for name, module in sys.modules.items() if _is_ours(name, module)}
    for name in loaded:
        del sys.modules[name]
    ours = _kept.libraries | loaded
    compiled = {_top(name) for name, module in ours.items() if _file(module).endswith(tuple(EXTENSION_SUFFIXES))}
    compiled.discard(NAME)
    _kept.libraries = {name: module for name, module in ours.items() if _top(name) in compiled}
    if isinstance(_kept.dropped, dict):  # of version 0.1
        _kept.dropped = [_kept.dropped]
    dropped = {name: module for name, module in ours.items() if _top(name) not in compiled}
    _kept.dropped = [*filter(_is_used, _kept.dropped), dropped]
    for module in dropped.values():
        for function in vars(module).values():
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                atexit.unregister(function)
    log = logging.getLogger(NAME)
    for handler in [*log.handlers]:
        log.removeHandler(handler)
        handler.close()
    while str(PACKAGES) in sys.path:  # where version 0.1 left it
        sys.path.remove(str(PACKAGES))
    gc.collect()  # what was dropped before holds itself, and sockets


def _is_used(code: dict[str, ModuleType]) -> bool:
    """Whether calls are still in its applications."""
    is_used = getattr(code.get(f"{NAME}.switch.freeswitch.module"), "is_used", None)
    return is_used is not None and is_used()


def _read_configuration(switch: Any) -> None:
    """As `load` does for any module."""
    told = ctypes.c_char_p()
    switch.switch_xml_reload(ctypes.byref(told))
    if told.value != b"Success":
        _log("err", f"reloadxml: {(told.value or b'').decode(errors='replace')}; the settings are those read before")


def _load() -> Any:
    """mod_erlang_py.entry, from the files."""
    if not PACKAGES.is_dir():
        return importlib.import_module(f"{NAME}.entry")
    with _ours_first():
        entry = importlib.import_module(f"{NAME}.entry")
        with contextlib.suppress(ImportError):  # an extra; later its library would be looked for elsewhere
            importlib.import_module(f"{NAME}.figures.prometheus")
        return entry


@contextlib.contextmanager
def _ours_first() -> Iterator[None]:
    """While it lasts imports find what is in PACKAGES, whatever scripts of others are called. Afterwards these find
    what they would without us: of ours only mod_erlang_py itself has a name that others can import."""
    names = {_top(path.name) for path in PACKAGES.iterdir()}
    theirs = {name: module for name, module in sys.modules.items() if _top(name) in names}
    for name in theirs:
        del sys.modules[name]
    sys.modules.update(_kept.libraries)
    sys.path.insert(0, str(PACKAGES))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(PACKAGES))
        for name, module in [*sys.modules.items()]:
            if _top(name) != NAME and _is_ours(name, module):
                _kept.libraries[name] = sys.modules.pop(name)
        sys.modules.update(theirs)


def _is_ours(name: str, module: ModuleType) -> bool:
    return _top(name) == NAME or _file(module).startswith(f"{PACKAGES}/")


def _top(name: str) -> str:
    """The package of a module, or of a file."""
    return name.partition(".")[0]


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or ""


def _log(level: str, text: str) -> None:
    import freeswitch

    freeswitch.consoleLog(level, f"erlang_py: {text}\n")
