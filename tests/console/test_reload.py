"""`erlang reload`: what changes, what does not, and what is refused."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import pytest

from mod_erlang_py import etf
from mod_erlang_py.config import tls
from mod_erlang_py.config.disposition import Hangup
from mod_erlang_py.config.limits import Limits
from mod_erlang_py.config.reload import CHANGEABLE
from mod_erlang_py.config.settings import field_of, values_of
from mod_erlang_py.config.strategy import Hash
from mod_erlang_py.node.outbox import Room
from mod_erlang_py.node.reader import Intake
from mod_erlang_py.xml.limits import Limits as XmlLimits
from tests.console.standing import Standing

NEW = {
    "cookie": "secret",
    "apply_inbound_acl": "10.0.0.0/8",
    "allow": "api logs",
    "nodes": '<node name="a@b"><param name="cookie" value="secret"/><param name="deny-api" value="system"/></node>',
    "on_handler_exit": "hangup USER_BUSY",
    "handler_timeout": "6",
    "pg_strategy": "hash caller",
    "fetch_timeout": "7",
    "max_xml_bytes": "8000",
    "max_xml_elements": "700",
    "max_xml_siblings": "600",
    "max_xml_entities": "500",
    "expand_xml": "true",
    "max_event_bulk": "9",
    "max_log_bulk": "10",
    "outbox_bytes": "70000",
    "outbox_bytes_total": "80000",
    "outbox_messages": "12",
    "net_ticktime": "13",
}


def test_nothing_has_changed(standing: Standing) -> None:
    assert standing.ask("reload") == "+OK 0 changed\n"
    assert standing.json("reload") == {"changed": [], "needs_restart": [], "wrong": []}


def test_everything_that_can_change(standing: Standing) -> None:
    """In every part that uses it; the cookie is not shown."""
    assert {field_of(name) for name in NEW} == CHANGEABLE - tls.CHANGEABLE - {one.name for one in fields(Limits)}
    peer = standing.link()
    standing.configure(**NEW)
    assert standing.ask("reload") == (
        "+OK 19 changed\n"
        "changed: cookie *** -> ***\n"
        "changed: apply-inbound-acl none -> 10.0.0.0/8\n"
        "changed: rights allow api events sendevent logs calls fetch -> allow api logs\n"
        "changed: nodes none -> a@b (allow api logs, deny-api system, cookie ***)\n"
        "changed: max-event-bulk 32 -> 9\n"
        "changed: max-log-bulk 32 -> 10\n"
        "changed: outbox-bytes 536870912 -> 70000\n"
        "changed: outbox-bytes-total 1073741824 -> 80000\n"
        "changed: outbox-messages 100000 -> 12\n"
        "changed: on-handler-exit continue -> hangup USER_BUSY\n"
        "changed: handler-timeout 5 -> 6\n"
        "changed: pg-strategy random -> hash caller\n"
        "changed: fetch-timeout 5 -> 7\n"
        "changed: max-xml-bytes 4194304 -> 8000\n"
        "changed: max-xml-elements 50000 -> 700\n"
        "changed: max-xml-siblings 5000 -> 600\n"
        "changed: max-xml-entities 2000 -> 500\n"
        "changed: expand-xml false -> true\n"
        "changed: net-ticktime 60 -> 13\n"
    )
    context, service = standing.context, standing.service
    assert context.node.config.cookie == "secret"
    assert service._refuses("127.0.0.1") == "10.0.0.0/8"
    assert service._refuses("10.1.2.3") is None
    assert (context.calls._on_exit, context.asking.timeout) == (Hangup("USER_BUSY"), 6)
    assert service._groups._chosen == Hash("caller")
    assert (context.fetches._timeout, context.fetches._limits) == (7, XmlLimits(8000, 700, 600, 500))
    assert context.fetches._expand
    assert (context.pump._bulk, context.logs._bulk) == (9, 10)
    assert context.node._room == peer.configured[0] == Room(70000, 12)
    assert context.node._ticker.tick_time == 13
    assert standing.ask("reload") == "+OK 0 changed\n"


SMALL = {"max_term_depth": 40, "max_regex_ms_per_second": 41}
LIMITS = Limits(**{one.name: 5000 + number for number, one in enumerate(fields(Limits))} | SMALL)
LIMITS_GIVEN = {name: str(value) for name, value in asdict(LIMITS).items()}


def test_limits_that_change(standing: Standing) -> None:
    peer = standing.link()
    standing.configure(**LIMITS_GIVEN)
    told = f"+OK {len(LIMITS_GIVEN)} changed\nchanged: max-frame-bytes 16777216 -> 5000\n"
    assert standing.ask("reload").startswith(told)
    they_are_heeded(standing)
    assert peer.configured[1] == Intake.of(LIMITS)
    assert standing.lines == [100, LIMITS.max_log_lines_per_minute]


def test_limits_from_the_start(tmp_path: Path) -> None:
    standing = Standing(tmp_path, **LIMITS_GIVEN)
    they_are_heeded(standing)
    assert standing.lines == [LIMITS.max_log_lines_per_minute]


def they_are_heeded(standing: Standing) -> None:
    """Each by the part that it is about."""
    context, node = standing.context, standing.context.node
    assert node.config.limits == LIMITS
    assert (context.workers._running, context.workers._waiting) == (LIMITS.max_running_jobs, LIMITS.max_waiting_jobs)
    assert context.workers._size == LIMITS.max_job_bytes
    assert node._readers._limit == LIMITS.max_waiting_request_bytes_total
    assert context.fetches._most == LIMITS.max_fetches
    assert (context.executes._most, context.executes._of_node) == (LIMITS.max_executes, LIMITS.max_executes_per_node)
    assert context.own_subscriptions._of_node == LIMITS.max_subscriptions
    assert node._half_open.most == LIMITS.max_half_open
    assert (node._links._most, node._links._of_address) == (LIMITS.max_nodes, LIMITS.max_nodes_per_address)
    assert node._links._running == LIMITS.max_running_requests
    assert context.pump._regexes.limit == LIMITS.max_regex_ms_per_second / 1000
    assert node.processes._most_links == LIMITS.max_process_links
    assert node.processes._most_monitors == LIMITS.max_monitors
    assert standing.service._dispatcher._limits == etf.Limits(
        LIMITS.max_term_depth, LIMITS.max_term_elements, LIMITS.max_term_bytes
    )
    assert Intake.of(node.config.limits) == Intake(
        LIMITS.max_frame_bytes,
        LIMITS.max_running_requests,
        LIMITS.max_waiting_requests,
        LIMITS.max_waiting_request_bytes,
    )


def test_what_needs_a_restart(standing: Standing) -> None:
    """It is said until that is done, and all else takes effect."""
    standing.configure(nodename="other@localhost", encoding="binary", prometheus_listen_port="9283", fetch_timeout="7")
    before = standing.context.node.config
    pending = (
        "needs a restart (unload mod_erlang_py, then pyrun erlang_py): nodename fs@localhost -> other@localhost\n"
        "needs a restart (unload mod_erlang_py, then pyrun erlang_py): encoding string -> binary\n"
        "needs a restart (unload mod_erlang_py, then pyrun erlang_py): prometheus-listen-port none -> 9283\n"
    )
    assert standing.ask("reload") == f"+OK 1 changed\nchanged: fetch-timeout 5 -> 7\n{pending}"
    assert standing.ask("reload") == f"+OK 0 changed\n{pending}"
    assert standing.json("reload")["needs_restart"][1] == {"name": "encoding", "old": "string", "new": "binary"}
    after = standing.context.node.config
    assert [name for name, value in values_of(after).items() if value != values_of(before)[name]] == ["fetch_timeout"]


def test_a_wrong_value_leaves_its_setting_as_it_is(standing: Standing) -> None:
    standing.configure(fetch_timeout="7")
    standing.ask("reload")
    standing.configure(fetch_timeout="soon", handler_timeout="6", listen_prot="1")
    assert standing.ask("reload") == (
        "+OK 1 changed\n"
        "changed: handler-timeout 5 -> 6\n"
        "wrong: fetch-timeout='soon': expected a whole number from 1 to 3600; it stays as it was\n"
        "wrong: listen-prot='1': expected a setting of erlang_event.conf, perhaps listen-port; it stays as it was\n"
    )
    assert standing.context.node.config.fetch_timeout == 7
    assert standing.json("reload")["wrong"][0] == {
        "name": "fetch-timeout",
        "value": "soon",
        "expected": "a whole number from 1 to 3600",
    }


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"cookie": ""}, "cookie='***': expected 1 to 255 Latin-1 characters"),
        ({"cookie-file": "/no/such/file"}, "cookie-file='/no/such/file': expected a file that can be read"),
        ({"apply-inbound-acl": " "}, "apply-inbound-acl=' ': expected the name of an access control list"),
    ],
)
def test_a_refused_configuration_changes_nothing(standing: Standing, settings: dict[str, str], reason: str) -> None:
    before = standing.context.node.config
    standing.configure(**settings, fetch_timeout="7")
    printed = standing.ask("reload")
    assert printed.startswith(f"-ERR {reason}")
    assert printed.endswith("; nothing changed\n")
    assert standing.json("reload")["error"].startswith(reason)
    assert standing.context.node.config == before


@pytest.mark.parametrize("text", [None, "<configuration", '<configuration name="erlang_event.conf"/>'])
def test_a_file_without_settings_changes_nothing(standing: Standing, tmp_path: Path, text: str | None) -> None:
    """Else a slip would bring everybody's cookie back."""
    before = standing.context.node.config
    (file,) = (tmp_path / "autoload_configs").iterdir()
    file.unlink()
    if text is not None:
        file.write_text(text)
    assert standing.ask("reload").startswith("-ERR ")
    assert standing.context.node.config == before
