"""The figures for Prometheus, at http://IP:PORT/metrics. Needs the library prometheus-client."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from mod_erlang_py.figures.figures import Figures, Listener
from mod_erlang_py.log_levels import NOTICE
from mod_erlang_py.node.acceptor import address_of, listening_socket

log = logging.getLogger(__name__)

SCRAPE_TIME = 5.0
"""Seconds without a byte of a scraper, or without it taking one."""


class FiguresCollector(Collector):
    """gather: what the node is doing now; asked at each scrape, and not before."""

    def __init__(self, gather: Callable[[], Figures]) -> None:
        self._gather = gather

    def collect(self) -> Iterator[Metric]:
        figures = self._gather()
        yield from _of_the_node(figures)
        yield from _of_each_link(figures.listeners)


def _of_the_node(of: Figures) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "erlang_node",
        "The node's name, and the versions it runs with",
        {
            "name": of.node,
            "mod_erlang_py": of.versions.mod_erlang_py,
            "switch": of.versions.switch,
            "python": of.versions.python,
            "encoding": of.encoding,
        },
    )
    yield GaugeMetricFamily("erlang_node_up", "Whether the node listens for others", bool(of.addresses))
    yield GaugeMetricFamily("erlang_node_uptime_seconds", "Since the node was started", of.up_seconds)
    yield GaugeMetricFamily("erlang_node_warnings", "What erlang status warns of", len(of.warnings))
    yield GaugeMetricFamily("erlang_epmd_registered", "Whether epmd knows the node", of.epmd.registered)
    yield GaugeMetricFamily("erlang_connected_nodes", "Nodes that are connected", len(of.listeners))
    yield GaugeMetricFamily("erlang_attached_calls", "Calls that Erlang processes have", of.calls.attached)
    yield CounterMetricFamily("erlang_calls", "Calls that were attached to Erlang processes", of.calls.ever)
    yield GaugeMetricFamily("erlang_waiting_executes", "Applications whose end is waited for", of.executes)
    yield CounterMetricFamily("erlang_fetches", "XML look-ups that processes were asked", of.fetches.asked)
    yield CounterMetricFamily("erlang_fetches_answered", "XML look-ups that were answered", of.fetches.answered)
    yield CounterMetricFamily("erlang_fetches_timed_out", "XML look-ups not answered in time", of.fetches.timed_out)


def _of_each_link(listeners: tuple[Listener, ...]) -> Iterator[Metric]:
    def counter(name: str, documentation: str, value: Callable[[Listener], int]) -> Metric:
        return _labelled(CounterMetricFamily(name, documentation, labels=["node"]), value)

    def gauge(name: str, documentation: str, value: Callable[[Listener], float]) -> Metric:
        return _labelled(GaugeMetricFamily(name, documentation, labels=["node"]), value)

    def _labelled(family: CounterMetricFamily | GaugeMetricFamily, value: Callable[[Listener], float]) -> Metric:
        for one in listeners:
            family.add_metric([one.node], value(one))
        return family

    yield counter("erlang_events_sent", "Events that the node took", lambda one: one.events.sent)
    yield counter("erlang_events_lost", "Events that the node did not take", lambda one: one.events.lost)
    yield counter("erlang_log_lines_sent", "Log lines that the node took", lambda one: one.log_lines.sent)
    yield counter("erlang_log_lines_lost", "Log lines that the node did not take", lambda one: one.log_lines.lost)
    yield counter("erlang_requests", "Requests of the node", lambda one: one.requests)
    yield counter("erlang_denied_requests", "Requests that the node has no right to", lambda one: one.denied)
    yield gauge("erlang_link_calls", "Calls that processes of the node have", lambda one: one.calls)
    yield gauge("erlang_link_uptime_seconds", "Since the node is connected", lambda one: one.up_seconds)
    yield gauge("erlang_outbox_bytes", "What waits for the node to read", lambda one: one.outbox_bytes)


class MetricsServer:
    """Serves one scraper after the other; a slow one delays the next, and nobody else."""

    def __init__(self, ip: str, port: int, gather: Callable[[], Figures]) -> None:
        self._ip = ip
        self._port = port
        self._registry = CollectorRegistry(auto_describe=True)
        self._registry.register(FiguresCollector(gather))
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._stopping = False

    def run(self) -> None:
        """The serving thread; returns at once when the port is taken."""
        try:
            server = _Server(listening_socket(self._ip, self._port), make_wsgi_app(self._registry))
        except OSError as error:
            log.error("prometheus-listen-ip %s, prometheus-listen-port %d: %s; no metrics", self._ip, self._port, error)
            return
        with server:
            with self._lock:
                self._server = server
            log.log(NOTICE, "metrics at http://%s/metrics", address_of(server.socket.getsockname()))
            while not self._stopping:
                server.handle_request()

    def stop(self) -> None:
        """`run` returns; a scrape that is under way is broken off."""
        with self._lock:
            self._stopping = True
            if self._server is not None:
                self._server.wake()


class _Server(WSGIServer):
    """On a socket that listens already. serving: the scraper's."""

    def __init__(self, listening: socket.socket, app: Any) -> None:
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = listening.getsockname()[:2]
        self.serving: socket.socket | None = None
        self.setup_environ()
        self.set_app(app)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.serving = request
        try:
            super().process_request(request, client_address)
        finally:
            self.serving = None

    def wake(self) -> None:
        """Nobody is served any more, and handle_request returns."""
        for sock in filter(None, (self.socket, self.serving)):
            with contextlib.suppress(OSError):  # closed, or not connected any more
                sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that broke off, or took too long."""
        log.debug("metrics for %s: %s", client_address, sys.exc_info()[1])


class _Handler(WSGIRequestHandler):
    timeout = SCRAPE_TIME

    def log_message(self, format: str, *args: object) -> None:
        """Not a word for each scrape."""
