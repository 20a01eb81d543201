"""The figures as Prometheus scrapes them, and the dashboard that shows them."""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mod_erlang_py import __version__
from mod_erlang_py.figures import figures
from mod_erlang_py.figures.prometheus import FiguresCollector, MetricsServer
from mod_erlang_py.node.threads import Threads
from scripts.install import ROOT
from tests.console.standing import Standing
from tests.waiting import DEADLINE, wait_until

DASHBOARD = ROOT / "docs" / "grafana-dashboard.json"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def standing(tmp_path: Path) -> Standing:
    return Standing(tmp_path)


def exported(standing: Standing) -> str:
    registry = CollectorRegistry()
    registry.register(FiguresCollector(partial(figures.gather, standing.context)))
    return generate_latest(registry).decode()


def samples(text: str) -> Samples:
    """By name and labels, each once."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    by_name = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}
    assert len(by_name) == len(found)
    return by_name


def test_the_figures_of_a_link_and_of_the_node(standing: Standing) -> None:
    peer = standing.link()
    standing.call(peer)
    peer.requests, peer.denied, peer.outbox.backlog = 7, 2, 1000
    standing.context.event_handlers.register(peer.link, peer.pid)
    events = standing.context.subscriptions.counts(peer.link)
    events.sent, events.lost = 12, 3
    standing.context.fetches.asked, standing.context.fetches.answered, standing.context.fetches.timed_out = 5, 3, 1
    standing.context.calls.ever = 4
    found = samples(exported(standing))
    of = (("node", "peer@localhost"),)
    info = {"name": "fs@localhost", "mod_erlang_py": __version__, "switch": "simulated switch", "encoding": "string"}
    info["python"] = ".".join(map(str, sys.version_info[:3]))
    assert found["erlang_node_info", tuple(sorted(info.items()))] == 1
    assert found["erlang_node_up", ()] == 0  # it was never started
    assert found["erlang_epmd_registered", ()] == 0
    assert found["erlang_node_uptime_seconds", ()] >= 0
    assert found["erlang_connected_nodes", ()] == 1
    assert found["erlang_attached_calls", ()] == 1
    assert found["erlang_calls_total", ()] == 4
    assert found["erlang_fetches_total", ()] == 5
    assert found["erlang_fetches_answered_total", ()] == 3
    assert found["erlang_fetches_timed_out_total", ()] == 1
    assert found["erlang_events_sent_total", of] == 12
    assert found["erlang_events_lost_total", of] == 3
    assert found["erlang_log_lines_sent_total", of] == found["erlang_log_lines_lost_total", of] == 0
    assert found["erlang_requests_total", of] == 7
    assert found["erlang_denied_requests_total", of] == 2
    assert found["erlang_link_calls", of] == 1
    assert found["erlang_outbox_bytes", of] == 1000


def test_names_follow_the_conventions(standing: Standing) -> None:
    standing.link()
    for family in text_string_to_metric_families(exported(standing)):
        assert re.fullmatch(r"erlang_[a-z_]+", family.name)
        assert family.documentation
        assert family.type in {"counter", "gauge", "info"}
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter")


def test_the_dashboard_shows_what_is_exported(standing: Standing) -> None:
    """Every metric that it names is there, and every one that is there is shown."""
    standing.link()
    board = json.loads(DASHBOARD.read_text())
    assert board["schemaVersion"] >= 36
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries = [variable["query"]["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    named = set(re.findall(r"erlang_\w+", " ".join(expressions + queries)))
    there = {name for name, _ in samples(exported(standing))}
    assert named == there
    for panel in board["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


class Serving:
    def __init__(self, port: int, gather: Callable[[], Any]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/metrics"
        self.threads = Threads()
        self.server = MetricsServer("127.0.0.1", port, gather)
        self.threads.start("metrics", self.server.run)

    def get(self, url: str = "") -> str:
        def answer() -> str:
            try:
                with urllib.request.urlopen(url or self.url, timeout=DEADLINE) as response:
                    return str(response.read().decode())
            except urllib.error.URLError:
                return ""

        return wait_until(answer)

    def stop(self) -> None:
        self.server.stop()
        assert self.threads.join(DEADLINE) == []


@pytest.fixture
def serving(standing: Standing, free_port: Callable[[], int]) -> Iterator[Serving]:
    serving = Serving(free_port(), partial(figures.gather, standing.context))
    yield serving
    serving.stop()


def test_a_scrape(serving: Serving, standing: Standing) -> None:
    assert ("erlang_connected_nodes", ()) in samples(serving.get())
    standing.link()
    assert samples(serving.get())["erlang_connected_nodes", ()] == 1
    only = samples(serving.get(serving.url + "?name[]=erlang_node_up"))
    assert list(only) == [("erlang_node_up", ())]


def test_it_stops_while_a_scraper_says_nothing(serving: Serving) -> None:
    serving.get()
    server = serving.server._server
    assert server is not None
    wait_until(lambda: server.serving is None)
    with socket.create_connection(("127.0.0.1", serving.port), timeout=DEADLINE) as silent:
        wait_until(lambda: server.serving is not None)
        serving.stop()
        assert silent.recv(100) == b""
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", serving.port), timeout=DEADLINE).close()


def test_it_stops_before_it_has_begun(standing: Standing, free_port: Callable[[], int]) -> None:
    server = MetricsServer("127.0.0.1", free_port(), partial(figures.gather, standing.context))
    server.stop()
    server.run()


def test_what_is_no_request_harms_nobody(serving: Serving) -> None:
    serving.get()
    for said in (b"\0\xff\r\n\r\n", b"G" * 70000, b"GET /metrics HTTP/1.1\r\nAccept: " + b"\xff" * 9 + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", serving.port), timeout=DEADLINE) as rude:
            rude.sendall(said)
            rude.shutdown(socket.SHUT_WR)
    assert "erlang_node_up" in serving.get()


def test_a_taken_port_is_one_line(
    standing: Standing, free_port: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        MetricsServer("127.0.0.1", port, partial(figures.gather, standing.context)).run()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"prometheus-listen-ip 127.0.0.1, prometheus-listen-port {port}: ")
    assert record.getMessage().endswith("Address already in use; no metrics")


def test_without_the_library_one_line_says_what_to_install(
    standing: Standing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "mod_erlang_py.figures.prometheus")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    standing.service._serve_metrics(9283)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("prometheus-listen-port 9283: no metrics: ")
    assert f"pip install --target {ROOT} 'prometheus-client>=0.20,<1'" in record.getMessage()
