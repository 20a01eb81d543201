"""What the node is doing, in numbers: for `erlang status`, its JSON, and Prometheus."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass

from mod_erlang_py import __version__
from mod_erlang_py.config.settings import DEFAULT_COOKIE, Config
from mod_erlang_py.events.delivery import Tally
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.names import is_loopback
from mod_erlang_py.node.registration import Registration, epmd_port
from mod_erlang_py.requests.context import Context


@dataclass(frozen=True, slots=True)
class Versions:
    mod_erlang_py: str
    switch: str
    python: str


@dataclass(frozen=True, slots=True)
class Epmd:
    """state: an EpmdState, in words."""

    port: int
    registered: bool
    state: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A link. calls: that its processes have now. creates, hangups: events of that kind that its handler got."""

    node: str
    address: str
    up_seconds: float
    calls: int
    events: Tally
    log_lines: Tally
    creates: int
    hangups: int
    requests: int
    outbox_bytes: int


@dataclass(frozen=True, slots=True)
class Calls:
    attached: int
    ever: int


@dataclass(frozen=True, slots=True)
class Fetches:
    asked: int
    answered: int
    timed_out: int


@dataclass(frozen=True, slots=True)
class Figures:
    """events, log_lines, requests: since the start, of links that are down too."""

    node: str
    addresses: tuple[str, ...]
    epmd: Epmd
    up_seconds: float
    versions: Versions
    encoding: str
    listeners: tuple[Listener, ...]
    calls: Calls
    events: Tally
    log_lines: Tally
    requests: int
    fetches: Fetches
    warnings: tuple[str, ...]


def gather(context: Context) -> Figures:
    node, calls, fetches = context.node, context.calls, context.fetches
    return Figures(
        node=node.name,
        addresses=node.addresses,
        epmd=_epmd(node.registration),
        up_seconds=time.monotonic() - node.started,
        versions=Versions(__version__, context.switch.description, platform.python_version()),
        encoding=node.config.encoding.value,
        listeners=listeners(context),
        calls=Calls(len(calls), calls.ever),
        events=context.events.tally(),
        log_lines=context.logs.tally(),
        requests=node.requests(),
        fetches=Fetches(fetches.asked, fetches.answered, fetches.timed_out),
        warnings=warnings(node.config),
    )


def _epmd(registration: Registration) -> Epmd:
    return Epmd(epmd_port(), registration.registered.is_set(), registration.state.value)


def listeners(context: Context) -> tuple[Listener, ...]:
    return tuple(_listener(context, link) for link in context.node.links())


def _listener(context: Context, link: Link) -> Listener:
    events, logs = context.events.handler(link), context.logs.handler(link)
    return Listener(
        node=link.name,
        address=link.address,
        up_seconds=time.monotonic() - link.up_since,
        calls=len(context.calls.of(link)),
        events=Tally().plus([events.delivery] if events else []),
        log_lines=Tally().plus([logs.delivery] if logs else []),
        creates=events.creates if events else 0,
        hangups=events.hangups if events else 0,
        requests=link.requests,
        outbox_bytes=link.outbox.backlog,
    )


def warnings(config: Config) -> tuple[str, ...]:
    """What an operator should not leave as it is."""
    if config.cookie == DEFAULT_COOKIE and not is_loopback(config.listen_ip):
        return (f"the cookie is {DEFAULT_COOKIE}, which everybody knows: choose another",)
    return ()
