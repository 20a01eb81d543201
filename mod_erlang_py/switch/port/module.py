"""What is registered with the switch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .session import Session


@dataclass(frozen=True, slots=True)
class Application:
    """A dialplan application. run: on the session's thread, with the action's data; returns when it is done."""

    name: str
    description: str
    syntax: str
    run: Callable[[Session, bytes], None]


@dataclass(frozen=True, slots=True)
class Completion:
    """What TAB offers in fs_cli after the module's API command.

    lines: what may follow it, as switch_console_set_complete takes it: "status json", "debug ::[on:off". lists: by the
    name `::MODULE::WHAT` that a line has for it, what makes the words that may stand there.
    """

    lines: tuple[str, ...] = ()
    lists: Mapping[str, Callable[[], Iterable[str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Module:
    """What is registered with the switch as the module `mod_erlang_py`.

    api: the API command `erlang`: gets its arguments, returns what fs_cli prints.
    shutdown: called once, when the module is unloaded or the switch shuts down; returns when all threads have ended.
    """

    api: Callable[[str], str]
    shutdown: Callable[[], None]
    applications: tuple[Application, ...] = ()
    completion: Completion = Completion()
