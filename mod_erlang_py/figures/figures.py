"""What the node is doing, in numbers: for `erlang status`, its JSON, and Prometheus."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass

from mod_erlang_py import installed
from mod_erlang_py.config.settings import DEFAULT_COOKIE, Config
from mod_erlang_py.events.counts import Tally
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.names import is_loopback
from mod_erlang_py.node.protection import Protection, protection
from mod_erlang_py.node.registration import Registration, epmd_port
from mod_erlang_py.requests.context import Context


@dataclass(frozen=True, slots=True)
class Versions:
    """digest: of the code that runs."""

    mod_erlang_py: str
    digest: str
    switch: str
    python: str


@dataclass(frozen=True, slots=True)
class EpmdFigures:
    """state: an EpmdState, in words."""

    port: int
    registered: bool
    state: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A link. protocol: what carries it, as "TCP", "TLSv1.3". calls: that its processes have now. creates, hangups:
    events of that kind that its handler got. denied: of the requests, those that it has no right to."""

    node: str
    address: str
    protocol: str
    up_seconds: float
    calls: int
    events: Tally
    log_lines: Tally
    creates: int
    hangups: int
    requests: int
    denied: int
    outbox_bytes: int


@dataclass(frozen=True, slots=True)
class CallFigures:
    attached: int
    ever: int


@dataclass(frozen=True, slots=True)
class FetchFigures:
    asked: int
    answered: int
    timed_out: int


@dataclass(frozen=True, slots=True)
class Figures:
    """event_source, event_source_reason: what the EventSource says of itself. events, log_lines, requests: since the
    start, of links that are down too. executes: that are waited for."""

    node: str
    addresses: tuple[str, ...]
    epmd: EpmdFigures
    up_seconds: float
    versions: Versions
    protection: Protection
    encoding: str
    event_source: str
    event_source_reason: str
    listeners: tuple[Listener, ...]
    calls: CallFigures
    events: Tally
    log_lines: Tally
    requests: int
    fetches: FetchFigures
    executes: int
    warnings: tuple[str, ...]


def gather(context: Context) -> Figures:
    node, calls, fetches = context.node, context.calls, context.fetches
    return Figures(
        node=node.name,
        addresses=node.addresses,
        epmd=_epmd(node.registration),
        up_seconds=time.monotonic() - node.started,
        versions=Versions(
            installed.RUNNING.version, installed.RUNNING.digest, context.switch.description, platform.python_version()
        ),
        protection=protection(node.config),
        encoding=node.config.encoding.value,
        event_source=context.pump.source.implementation,
        event_source_reason=context.pump.source.reason,
        listeners=listeners(context),
        calls=CallFigures(len(calls), calls.ever),
        events=context.subscriptions.tally(),
        log_lines=context.logs.tally(),
        requests=node.requests(),
        fetches=FetchFigures(fetches.asked, fetches.answered, fetches.timed_out),
        executes=len(context.executes),
        warnings=(
            *advice(node.config),
            *node.warnings(),
            *context.complaints.lines(),
            *context.switch.faults(),
            *_faults(context),
            *installed.differences(),
        ),
    )


def _epmd(registration: Registration) -> EpmdFigures:
    return EpmdFigures(epmd_port(), registration.registered.is_set(), registration.state.value)


def listeners(context: Context) -> tuple[Listener, ...]:
    return tuple(_listener(context, link) for link in context.node.links())


def _listener(context: Context, link: Link) -> Listener:
    events, logs = context.subscriptions.counts(link), context.logs.handler(link)
    return Listener(
        node=link.name,
        address=link.address,
        protocol=link.protocol,
        up_seconds=time.monotonic() - link.up_since,
        calls=len(context.calls.of(link)),
        events=Tally().plus([events]),
        log_lines=Tally().plus([logs.counts] if logs else []),
        creates=events.creates,
        hangups=events.hangups,
        requests=link.requests,
        denied=link.denied,
        outbox_bytes=link.outbox.backlog,
    )


def _faults(context: Context) -> tuple[str, ...]:
    """What went wrong inside the node, and does not mend itself."""
    found = [
        f"the thread {name}, which serves everybody, is missing: see the log, and restart the module"
        for name in context.node.threads.failed
    ]
    for what, failures in (("events", context.pump.failures), ("log lines", context.logs.failures)):
        if failures:
            found.append(f"{failures} rounds of {what} failed: see the log")
    return tuple(found)


def advice(config: Config) -> tuple[str, ...]:
    """What an operator should not leave as it is."""
    found = []
    if config.cookie == DEFAULT_COOKIE and not is_loopback(config.listen_ip):
        found.append(f"the cookie is {DEFAULT_COOKIE}, which everybody knows: choose another")
    having = [(config.cookie, config.rights)]
    for rule in config.nodes:
        cookie = config.cookie if rule.cookie is None else rule.cookie
        if any(other == cookie and rights != rule.rights for other, rights in having):
            found.append(f"node {rule.name} has the cookie of nodes with other rights: each may take the other's name")
        having.append((cookie, rule.rights))
    return tuple(found)
