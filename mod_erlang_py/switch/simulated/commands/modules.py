"""Commands that load and unload modules. Only mod_erlang_py comes and goes; no files are loaded."""

from __future__ import annotations

import re

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.switch.port import Event
from mod_erlang_py.switch.simulated.commands.registry import Context, command, usage
from mod_erlang_py.switch.simulated.loadable import BUILT_IN, OURS

_LOAD = "<mod_name>"
_UNLOAD = "[-f] <mod_name>"


@command("load", "Load Module", _LOAD)
def load(context: Context, argument: bytes) -> bytes:
    if not argument:
        return usage(_LOAD)
    context.fire(Event("RELOADXML"))
    return b"+OK Reloading XML\n-ERR [%s]\n" % _cannot_load(context, argument)


@command("unload", "Unload module", _UNLOAD)
def unload(context: Context, argument: bytes) -> bytes:
    name = _without_flags(argument)
    if not name:
        return usage(_UNLOAD)
    error = _unload(context, name, _forced(argument))
    return b"-ERR [%s]\n" % error if error else b"+OK\n"


@command("reload", "Reload module", _UNLOAD)
def reload(context: Context, argument: bytes) -> bytes:
    """mod_erlang_py has no file: it can be unloaded but not loaded, and a real switch answers the same."""
    name = _without_flags(argument)
    if not name:
        return usage(_UNLOAD)
    context.fire(Event("RELOADXML"))
    error = _unload(context, name, _forced(argument))
    unloaded = b"-ERR unloading module [%s]\n" % error if error else b"+OK module unloaded\n"
    return b"+OK Reloading XML\n%s-ERR loading module [%s]\n" % (unloaded, _cannot_load(context, name))


@command("module_exists", "Check if module exists", "<module>")
def module_exists(context: Context, argument: bytes) -> bytes:
    if not argument:
        return b""
    return b"true" if argument in _loaded(context) else b"false"


def _unload(context: Context, name: bytes, force: bool) -> bytes | None:
    """Unload it, or say why not."""
    if name.decode("utf-8", "replace") in BUILT_IN:
        return b"Module is not unloadable"
    try:
        if name == OURS.encode() and context.modules.unload(force):
            return None
    except SwitchError as error:
        return error.reason.encode()
    return b"No such module!"


def _cannot_load(context: Context, name: bytes) -> bytes:
    if name.partition(b".")[0] in _loaded(context):
        return b"Module already loaded"
    return b"module load file routine returned an error"


def _loaded(context: Context) -> frozenset[bytes]:
    return frozenset(name.encode() for name in context.modules.names())


def _forced(argument: bytes) -> bool:
    """-f: even while its applications run."""
    return re.match(rb"-[^ ]*f[^ ]* ", argument) is not None


def _without_flags(argument: bytes) -> bytes:
    found = re.match(rb"-[^ ]* ", argument)
    return argument[found.end() :] if found else argument
