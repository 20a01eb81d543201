"""Wires the parts, starts and stops them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mod_erlang_py import console, etf
from mod_erlang_py.calls.applications import Applications
from mod_erlang_py.calls.asking import Asking
from mod_erlang_py.calls.calls import Calls
from mod_erlang_py.calls.ends import has_ended
from mod_erlang_py.calls.executes import Executes
from mod_erlang_py.calls.groups import Groups
from mod_erlang_py.calls.loads import Loads
from mod_erlang_py.calls.parking import Parking
from mod_erlang_py.calls.watching import Watching
from mod_erlang_py.config import settings as config
from mod_erlang_py.config.complaints import Complaints
from mod_erlang_py.config.limits import Limits
from mod_erlang_py.config.reload import Change, Reloaded, compare
from mod_erlang_py.config.settings import Config
from mod_erlang_py.distribution.control import SpawnRequest
from mod_erlang_py.errors import ConfigError, SwitchError
from mod_erlang_py.etf import Pid, Reference, Term
from mod_erlang_py.etf.event import EventEncoder
from mod_erlang_py.etf.event_map import EventMapEncoder
from mod_erlang_py.events.event_handlers import EventHandlers
from mod_erlang_py.events.own_subscriptions import OwnSubscriptions
from mod_erlang_py.events.pump import Pump
from mod_erlang_py.events.shape import Format
from mod_erlang_py.events.subscriptions import Subscriptions
from mod_erlang_py.figures import figures
from mod_erlang_py.log_levels import NOTICE
from mod_erlang_py.logs import Logs
from mod_erlang_py.node.link import Link
from mod_erlang_py.node.names import node_name
from mod_erlang_py.node.node import Node
from mod_erlang_py.node.outbox import Room
from mod_erlang_py.node.reader import Job
from mod_erlang_py.node.workers import Workers
from mod_erlang_py.requests import Context, Dispatcher, as_text
from mod_erlang_py.requests.rights import withdraw
from mod_erlang_py.switch.port import Encoder, EventSource, Form, Implementation, Module, Settings, Switch
from mod_erlang_py.xml.fetches import Fetches
from mod_erlang_py.xml.limits import Limits as XmlLimits

if TYPE_CHECKING:
    from mod_erlang_py.figures.prometheus import MetricsServer

log = logging.getLogger(__name__)

PACKAGES = Path(__file__).resolve().parent.parent
"""Where an installation has this package, and the libraries beside it."""


class Service:
    """The node inside one switch. Also the node's Receiver: the parts' common ear."""

    def __init__(self, switch: Switch, limit_lines: Callable[[int], None] = lambda _: None) -> None:
        """limit_lines: is told how many lines of our log may be about one peer in a minute. Raises ConfigError for a
        setting that has no safe default."""
        self._switch = switch
        self._limit_lines = limit_lines
        given = switch.settings(config.FILE)
        settings, wrong = _read(given)
        limit_lines(settings.limits.max_log_lines_per_minute)
        self._complaints = Complaints(
            partial(switch.settings_error, config.FILE), switch.has_acl, partial(switch.settings_path, config.FILE)
        )
        self._complaints.read(settings, _all(given), wrong)
        self._complain(settings, wrong)
        if settings.compat_rel:
            log.info("compat-rel %d has no effect: OTP 23 and later need none", settings.compat_rel)
        name = node_name(settings, switch.hostname())
        self.node = Node(name, settings, _room(settings), self, self._refuses)
        self._complain_of_tls()
        limits = settings.limits
        self._workers = Workers(
            self.node.threads, limits.max_running_jobs, limits.max_waiting_jobs, limits.max_job_bytes
        )
        form = Form(settings.encoding.value)
        encoders: dict[Form, Encoder] = {one: EventEncoder(one is Form.BINARY).headers for one in Form}
        text = partial(as_text, settings.encoding)
        source = _source(switch, encoders, settings.event_source)
        self._subscriptions = Subscriptions(source, switch.fire)
        self._event_handlers = EventHandlers(self._subscriptions, form)
        shaped = {(Format.LIST, one): encoder for one, encoder in encoders.items()}
        shaped |= {(Format.MAP, one): EventMapEncoder(one is Form.BINARY).map for one in Form}
        self._own_subscriptions = OwnSubscriptions(
            self._subscriptions, shaped, partial(_exists, switch), partial(has_ended, switch), limits.max_subscriptions
        )
        self._logs = Logs(switch, settings.max_log_bulk)
        self._asking = Asking(self.node, text, settings.handler_timeout)
        self._watching = Watching(self.node.processes, self._asking, self.exited)
        self._parking = Parking(switch, self._subscriptions, form)
        loads = Loads()
        self._calls = Calls(
            switch,
            self.node.processes,
            self._subscriptions,
            self._asking,
            self._parking,
            encoders[form],
            form,
            text,
            settings.on_handler_exit,
            loads,
        )
        self._groups = Groups(loads, settings.pg_strategy)
        self._applications = Applications(self.node, self._calls, self._asking, self._groups, self._parking, text)
        self._executes = Executes(
            switch, self._subscriptions, self._asking, form, limits.max_executes, limits.max_executes_per_node
        )
        self._pump = Pump(
            source, self._subscriptions, settings.max_event_bulk, limits.max_regex_ms_per_second, self._look_after
        )
        self._fetches = Fetches(
            switch,
            encoders[form],
            text,
            settings.fetch_timeout,
            limits.max_fetches,
            _xml_limits(settings),
            settings.expand_xml,
        )
        self._context = Context(
            self.node,
            switch,
            self._workers,
            self._subscriptions,
            self._event_handlers,
            self._own_subscriptions,
            self._pump,
            self._logs,
            self._calls,
            self._asking,
            self._executes,
            self._watching,
            self._fetches,
            text,
            self.reload,
            self._complaints,
        )
        self._dispatcher = Dispatcher(self._context, _term_limits(limits))
        self._metrics: MetricsServer | None = None
        self._reloading = threading.Lock()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Serve, and be the switch's module `mod_erlang_py`. Raises SwitchError: then nothing of it is left
        running."""
        try:
            self._fetches.start()
            self.node.threads.serve("events", self._pump.run)
            self.node.threads.serve("logs", self._logs.run)
            self.node.threads.serve("executes", self._executes.run)
            self.node.start()
            port = self.node.config.prometheus_listen_port
            if port is not None:
                self.node.threads.serve("metrics", partial(self._serve_metrics, port))
            run, completion = partial(console.run, self._context), console.completion(self._context)
            self._switch.load(Module(run, self.stop, self._applications.all(), completion))
        except BaseException:
            self.stop()
            raise

    def _serve_metrics(self, port: int) -> None:
        """The metrics' thread."""
        try:
            from mod_erlang_py.figures.prometheus import MetricsServer
        except ImportError as error:
            told = "prometheus-listen-port %d: no metrics: %s; pip install --target %s 'prometheus-client>=0.20,<1'"
            log.error(told, port, error, PACKAGES)
            return
        self._metrics = MetricsServer(
            self.node.config.prometheus_listen_ip, port, partial(figures.gather, self._context)
        )
        if not self._stopped.is_set():
            self._metrics.run()

    def _look_after(self) -> None:
        """Events were lost, perhaps some that somebody waits for."""
        self._calls.look_after()
        self._executes.look_after()
        self._own_subscriptions.look_after()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """Stop serving; once. Also after a start that failed half-way."""
        if not self._stopped.is_set():
            self._stopped.set()
            for part in (
                self._metrics,
                self._workers,
                self._fetches,
                self._executes,
                self._pump,
                self._logs,
                self.node,
                self._parking,
            ):
                if part is not None:
                    _tell(part.stop)

    # settings

    def reload(self) -> Reloaded:
        """Read the settings again, and put into force those that can change while links are up.

        Raises ConfigError, SwitchError: then all is as it was.
        """
        try:
            found = self._reload()
        except (ConfigError, SwitchError) as error:
            self._complaints.refused(str(error))
            raise
        self._complain(found.config, found.wrong)
        self._complain_of_tls()
        for change in found.changed:
            log.log(NOTICE, "%s: changed %s", config.FILE, change)
        return found

    def _reload(self) -> Reloaded:
        self._switch.reload_xml()
        given = self._switch.settings(config.FILE)
        if not any(given):
            raise SwitchError(config.FILE, "not there, or without settings")
        settings, wrong = _read(given)
        with self._reloading:
            found = compare(self.node.config, settings, wrong)
            before = self.node.credentials
            self._configure(found.config)
            after = self.node.credentials
            if before is not None and after is not None and before.digest != after.digest:
                renewed = Change("certificate", str(before.own), str(after.own))
                found = replace(found, changed=(*found.changed, renewed))
            self._complaints.read(found.config, _all(given), wrong)
        return found

    def _configure(self, settings: Config) -> None:
        self.node.configure(settings, _room(settings))
        self._logs.configure(settings.max_log_bulk)
        self._calls.configure(settings.on_handler_exit)
        self._asking.configure(settings.handler_timeout)
        self._groups.configure(settings.pg_strategy)
        limits = settings.limits
        self._pump.configure(settings.max_event_bulk, limits.max_regex_ms_per_second)
        self._dispatcher.configure(_term_limits(limits))
        self._limit_lines(limits.max_log_lines_per_minute)
        self._workers.configure(limits.max_running_jobs, limits.max_waiting_jobs, limits.max_job_bytes)
        self._own_subscriptions.configure(limits.max_subscriptions)
        self._executes.configure(limits.max_executes, limits.max_executes_per_node)
        self._fetches.configure(settings.fetch_timeout, limits.max_fetches, _xml_limits(settings), settings.expand_xml)
        withdraw(self._context)

    def _complain(self, settings: Config, wrong: Iterable[ConfigError]) -> None:
        for error in wrong:
            log.error("%s: %s", config.FILE, error)
        for warning in (*figures.advice(settings), *self._complaints.warnings()):
            log.warning("%s", warning)

    def _complain_of_tls(self) -> None:
        for warning in self.node.warnings():
            log.warning("%s", warning)

    def _refuses(self, ip: str) -> str | None:
        return refuses(self._switch, self.node.config.apply_inbound_acl, ip)

    # Receiver

    def received(self, link: Link, sender: Pid | None, to: Pid | str, payload: bytes) -> Job | None:
        return self._dispatcher.received(link, sender, to, payload)

    def spawned(self, link: Link, message: SpawnRequest, payload: bytes) -> Job | None:
        return self._dispatcher.spawned(link, message, payload)

    def exited(self, link: Link, who: Pid | str, reason: Term) -> None:
        _tell(partial(self._subscriptions.exited, link, who, reason))
        _tell(partial(self._logs.exited, link, who))
        if isinstance(who, Pid):
            _tell(partial(self._fetches.exited, who))

    def monitor_down(self, link: Link, reference: Reference, reason: Term) -> None:
        _tell(partial(self._asking.monitor_down, link, reference, reason))

    def down(self, link: Link) -> None:
        """Whoever waits for the node first."""
        for part in (
            self._asking,
            self._watching,
            self._fetches,
            self._subscriptions,
            self._event_handlers,
            self._logs,
        ):
            _tell(partial(part.down, link))


def _exists(switch: Switch, uuid: str) -> bool:
    with switch.locate(uuid, ended=True) as session:
        return session is not None


def _read(given: Settings) -> tuple[Config, list[ConfigError]]:
    home = os.environ.get("HOME")
    return config.read(given.params, Path(home) if home else None, given.nodes)


def _all(given: Settings) -> list[tuple[str, str]]:
    return [*given.params, *(param for _, params in given.nodes for param in params)]


def _source(switch: Switch, encoders: Mapping[Form, Encoder], which: config.EventSource) -> EventSource:
    try:
        return switch.events(encoders, Implementation(which.value))
    except SwitchError as error:
        raise ConfigError("event-source", which.value, f"one that can be had, or auto; {error}") from None


def _room(settings: Config) -> Room:
    return Room(settings.outbox_bytes, settings.outbox_messages)


def _term_limits(limits: Limits) -> etf.Limits:
    return etf.Limits(depth=limits.max_term_depth, elements=limits.max_term_elements, size=limits.max_term_bytes)


def _xml_limits(settings: Config) -> XmlLimits:
    return XmlLimits(
        settings.max_xml_bytes, settings.max_xml_elements, settings.max_xml_siblings, settings.max_xml_entities
    )


def _tell(tell: Callable[[], None]) -> None:
    """Tell one part; what goes wrong there keeps nobody else from hearing of it."""
    try:
        tell()
    except Exception:
        log.exception("a part of the service failed")


def refuses(switch: Switch, lists: Sequence[str], ip: str) -> str | None:
    """The first access control list that does not have the address."""
    return next((acl for acl in lists if not switch.allows(acl, ip)), None)
