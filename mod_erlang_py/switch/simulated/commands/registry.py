"""What a command is, what it is given, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mod_erlang_py.switch.port import ApiResult, Event
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
    execute: Callable[[str, bytes], ApiResult]
    fire: Callable[[Event], None]
    commands: Callable[[], Mapping[str, Command]]
    """Every command there is now, by name in lower case."""


Function = Callable[[Context, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Command:
    """syntax: what stands behind "-USAGE:". module: whose command it is, as `show api` says (ikey)."""

    name: str
    description: str
    syntax: str
    module: str
    function: Function


_commands: dict[str, Command] = {}


def command(
    name: str, description: str, syntax: str = "", *, module: str = "mod_commands"
) -> Callable[[Function], Function]:
    """Register the function below as the command `name`, in lower case. A name can be registered once."""

    def register(function: Function) -> Function:
        if name in _commands:
            raise ValueError(f"there is a command {name} already")
        _commands[name] = Command(name, description, syntax, module, function)
        return function

    return register


def built_in() -> Mapping[str, Command]:
    return MappingProxyType(_commands)


def usage(syntax: str) -> bytes:
    return f"-USAGE: {syntax}\n".encode()
