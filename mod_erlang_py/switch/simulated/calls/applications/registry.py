"""What an application is, what it is given, and the table of those that the switch has itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from mod_erlang_py.switch.simulated.calls.causes import Cause
from mod_erlang_py.switch.simulated.calls.channel import Channel


class Calls(Protocol):
    """What an application may do beyond its own channel."""

    def bridge(self, channel: Channel, dial_string: bytes) -> Cause | None:
        """Call somebody and bridge the channel to him, until one of both ends it; why it did not come to that."""

    def find(self, uuid: str) -> Channel | None:
        """The channel of that UUID, if it has not hung up."""


Function = Callable[[Channel, bytes, Calls], None]


@dataclass(frozen=True, slots=True)
class Application:
    """run: on the channel's thread, with the expanded data. media: it needs media. inline: it may run while the
    dialplan is read."""

    name: str
    description: str
    syntax: str
    run: Function
    media: bool = False
    inline: bool = False


_applications: dict[str, Application] = {}


def application(
    name: str, description: str, syntax: str = "", *, media: bool = False, inline: bool = False
) -> Callable[[Function], Function]:
    """Register the function below as the application `name`, in lower case. A name can be registered once."""

    def register(function: Function) -> Function:
        if name in _applications:
            raise ValueError(f"there is an application {name} already")
        _applications[name] = Application(name, description, syntax, function, media, inline)
        return function

    return register


def built_in() -> Mapping[str, Application]:
    return MappingProxyType(_applications)
