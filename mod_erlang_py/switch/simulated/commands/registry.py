"""What a command is given, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mod_erlang_py.switch.port import Event
from mod_erlang_py.switch.simulated.calls.exchange import Exchange
from mod_erlang_py.switch.simulated.core import Core
from mod_erlang_py.switch.simulated.directory import Directory
from mod_erlang_py.switch.simulated.loadable import Loadable
from mod_erlang_py.switch.simulated.log import ConsoleLog
from mod_erlang_py.switch.simulated.variables import Variables


@dataclass(frozen=True, slots=True)
class Context:
    """What commands may use of the switch."""

    core: Core
    variables: Variables
    modules: Loadable
    console: ConsoleLog
    exchange: Exchange
    directory: Directory
    fire: Callable[[Event], None]


Function = Callable[[Context, bytes], bytes]

_commands: dict[str, Function] = {}


def command(name: str) -> Callable[[Function], Function]:
    """Register the function below as the command `name`, in lower case. A name can be registered once."""

    def register(function: Function) -> Function:
        if name in _commands:
            raise ValueError(f"there is a command {name} already")
        _commands[name] = function
        return function

    return register


def built_in() -> Mapping[str, Function]:
    return MappingProxyType(_commands)


def usage(syntax: str) -> bytes:
    return f"-USAGE: {syntax}\n".encode()
