"""`erlang` in fs_cli."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mod_erlang_py import __version__
from scripts.install import CONFIGURATION, PACKAGES
from scripts.scratch import write_settings
from tests.conftest import FreeSwitchHost, RunningNode, SimulatedHost, StartErl, StartNode
from tests.peers.erl import Erl
from tests.peers.handlers import subscribed
from tests.waiting import wait_until

KINDS = pytest.mark.parametrize("kind", ["simulated", pytest.param("freeswitch", marks=pytest.mark.freeswitch)])


def ask_json(node: RunningNode, command: str) -> Any:
    return json.loads(node.api(f"erlang {command} json"))


def ping(peer: Erl, node: RunningNode) -> str:
    return peer.text(f"net_adm:ping('{node.name}')")


def test_listeners(node: RunningNode, peer: Erl, erl: StartErl) -> None:
    """A line for each node that is connected, in mod_erlang_event's form."""
    assert ping(peer, node) == "pong"
    other = erl(node)
    assert ping(other, node) == "pong"
    lines = node.api("erlang listeners").strip().splitlines()
    for name, events in ((peer.name, r"\d+"), (other.name, "0")):  # other tests had events before, on the shared one
        (line,) = [line for line in lines if f" {name} " in line]
        form = rf"Listener to {name} with outbound sessions: 0 events: {events} \(lost:0\) logs: 0 \(lost:0\) "
        assert re.match(form, line), line
    assert {peer.name, other.name} <= {one["node"] for one in ask_json(node, "listeners")["listeners"]}
    other.close()
    wait_until(lambda: other.name not in node.api("erlang listeners"))


@pytest.mark.parametrize("line", ["", "nosuch", "nosuch listeners", "-h"])
def test_anything_else_prints_the_usage(node: RunningNode, line: str) -> None:
    printed = node.api(f"erlang {line}".strip())
    assert printed.startswith("USAGE:")
    assert "erlang listeners" in printed


def test_case_and_blanks_do_not_count(node: RunningNode, peer: Erl) -> None:
    assert ping(peer, node) == "pong"
    assert f"Listener to {peer.name} " in node.api("erlang  LISTENERS")


def test_status(node: RunningNode, erl: StartErl) -> None:
    peer = erl(node)
    before = ask_json(node, "status")
    handler = subscribed(peer, node)  # five requests
    assert handler.text('Fire([{"K", "v"}]), Get("K", Next())') == '"v"'
    after = ask_json(node, "status")
    assert after["node"] == node.name
    assert after["addresses"] == [f"127.0.0.1:{node.port}"]
    assert after["epmd"] == {"port": node.epmd_port, "registered": True, "state": "registered"}
    assert after["versions"]["mod_erlang_py"] == __version__
    assert after["requests"] >= before["requests"] + 6
    (listener,) = [one for one in after["listeners"] if one["node"] == peer.name]
    assert (listener["requests"], listener["events"]) == (6, {"sent": 1, "lost": 0})
    peer.close()
    wait_until(lambda: peer.name not in node.api("erlang listeners"))
    assert ask_json(node, "status")["events"]["sent"] >= after["events"]["sent"] > before["events"]["sent"]
    printed = node.api("erlang status")
    assert printed.startswith(f"node       {node.name}\nlistens on 127.0.0.1:{node.port}\n")
    assert f"\nepmd       registered, port {node.epmd_port}\n" in printed
    assert f"mod_erlang_py {__version__}, {'FreeSWITCH 1' if node.kind == 'freeswitch' else 'simulated'}" in printed


def test_connect_and_disconnect(node: RunningNode, erl: StartErl) -> None:
    peer = erl(node)
    assert peer.name not in node.api("erlang listeners")
    assert node.api(f"erlang connect {peer.name}").strip() == f"+OK connected to {peer.name}"
    assert f"Listener to {peer.name} " in node.api("erlang listeners")
    assert peer.text(f"wait_until(fun() -> nodes(hidden) =:= ['{node.name}'] end)") == "true"
    assert node.api(f"erlang disconnect {peer.name}").strip() == f"+OK disconnected from {peer.name}"
    assert peer.text("wait_until(fun() -> nodes(hidden) =:= [] end)") == "true"
    assert node.api(f"erlang disconnect {peer.name}").strip() == f"-ERR no connection to {peer.name}"
    printed = node.api("erlang connect nobody@localhost").strip()
    assert printed.startswith("-ERR no connection to nobody@localhost: ")
    assert "unknown" in printed


def test_a_node_asks_to_be_disconnected(node: RunningNode, erl: StartErl) -> None:
    """By the very link that it ends."""
    peer = erl(node)
    assert ping(peer, node) == "pong"
    peer.eval(f"{{foo, '{node.name}'}} ! {{api, erlang, \"disconnect {peer.name}\"}}, ok")
    assert peer.text("wait_until(fun() -> nodes(hidden) =:= [] end)") == "true"
    assert ping(peer, node) == "pong"


def configure(node: RunningNode, nodes: str = "", **settings: str) -> None:
    """Write the node's configuration anew. nodes: XML of <node> elements."""
    given = {"listen-ip": "127.0.0.1", "listen-port": str(node.port), "cookie": node.cookie}
    given |= {name.replace("_", "-"): value for name, value in settings.items()}
    write_settings(conf_dir(node), given, nodes)


def conf_dir(node: RunningNode) -> Path:
    host = node.host
    if isinstance(host, SimulatedHost):
        return host._folder / "conf"
    assert isinstance(host, FreeSwitchHost)
    return host.switch.conf_dir


@KINDS
def test_reload(kind: str, start_node: StartNode, erl: StartErl) -> None:
    """A link stays up while the cookie changes, which the next node has to know."""
    node = start_node(kind)
    peer = erl(node)
    peer.eval(f"{{ok, P}} = request('{node.name}', getpid), monitor_node('{node.name}', true)")

    def reload() -> str:
        """Asked for over the link that stays: the asking node of the simulated switch has the old cookie."""
        answer = peer.eval(f"element(2, request('{node.name}', {{api, erlang, \"reload\"}}))")
        return bytes(answer).decode()

    configure(node, cookie="changed", fetch_timeout="7", encoding="binary", outbox_bytes="few")
    assert reload() == (
        "+OK 2 changed\n"
        "changed: cookie *** -> ***\n"
        "changed: fetch-timeout 5 -> 7\n"
        "needs a restart (unload mod_erlang_py, then pyrun erlang_py): encoding string -> binary\n"
        "wrong: outbox-bytes='few': expected a whole number from 65536 to 1099511627776; it stays as it was\n"
    )
    assert ping(erl(node), node) == "pang"
    assert ping(erl(node, cookie="changed"), node) == "pong"
    assert peer.text(f"request('{node.name}', getpid) =:= {{ok, P}}") == "true"
    assert peer.text("flush()") == "[]"
    configure(node, cookie="")
    assert reload() == "-ERR cookie='***': expected 1 to 255 Latin-1 characters; nothing changed\n"
    assert ping(erl(node, cookie="changed"), node) == "pong"
    wait_until(lambda: "changed cookie *** -> ***" in node.log(), told=node.log)
    assert "Traceback" not in node.log()


@pytest.mark.freeswitch
def test_reload_of_broken_xml(start_node: StartNode, erl: StartErl) -> None:
    """FreeSWITCH says +OK to a reloadxml that failed."""
    node = start_node("freeswitch")
    assert ping(erl(node), node) == "pong"
    configure(node, fetch_timeout="7")
    file = conf_dir(node) / CONFIGURATION[0]
    good = file.read_text()
    file.write_text(good.replace("</settings>", "</setings>"))
    printed = node.api("erlang reload")
    assert re.fullmatch(
        "-ERR reloadxml: unexpected closing tag </setings>, near line [0-9]+ of freeswitch.xml.fsxml, in the log "
        "folder; nothing changed",
        printed,
    )
    broken = f"{file} is broken: unexpected closing tag </setings>, near line "
    assert f"warning    {broken}" in node.api("erlang status")
    file.write_text(good)
    assert node.api("erlang reload") == "+OK 1 changed\nchanged: fetch-timeout 5 -> 7"
    assert "warning" not in node.api("erlang status")


@pytest.mark.freeswitch
def test_settings_that_have_no_effect(start_node: StartNode, erl: StartErl) -> None:
    """The log says so, and so does the status, until they are right."""
    node = start_node("freeswitch", encoding="utf-9", apply_inbound_acl="office")
    warnings = [
        "erlang_event.conf: encoding='utf-9': expected string or binary; it has no effect",
        "erlang_event.conf: there is no access control list office: nobody can connect",
    ]
    assert json.loads(node.api("erlang status json"))["warnings"] == warnings
    assert re.search(r"\[WARNING\].*there is no access control list office", node.log())
    assert ping(erl(node), node) == "pang"
    acl = conf_dir(node) / "autoload_configs" / "acl.conf.xml"
    office = '<list name="office" default="deny"><node type="allow" cidr="127.0.0.0/8"/></list>'
    acl.write_text(acl.read_text().replace("<network-lists>", f"<network-lists>{office}"))
    node.api("reloadacl")
    assert ping(erl(node), node) == "pong"
    assert json.loads(node.api("erlang status json"))["warnings"] == warnings[:1]
    configure(node, encoding="string")
    assert node.api("erlang reload").startswith("+OK")
    assert json.loads(node.api("erlang status json"))["warnings"] == []


def complete(node: RunningNode, line: str) -> list[str]:
    """What TAB offers at the end of the line, as fs_cli asks for it."""
    return re.findall(r"\[ *(\S+)\]\t", node.api(f"console_complete c={len(line)};{line}"))


@pytest.mark.freeswitch
def test_completion(start_node: StartNode, erl: StartErl) -> None:
    node = start_node("freeswitch")
    commands = ["bindings", "connect", "debug", "disconnect", "handlers", "listeners"]
    commands += ["reload", "rights", "sessions", "status"]
    wait_until(lambda: complete(node, "erlang ") == commands)
    assert complete(node, "erlang st") == ["status"]
    assert complete(node, "erlang d") == ["debug", "disconnect"]
    assert complete(node, "erlang debug ") == ["on", "off"]
    assert complete(node, "erlang status ") == ["json"]
    assert complete(node, "erlang sessions ") == []  # nobody is connected
    first, second = erl(node, name="apple"), erl(node, name="pear")
    assert ping(first, node) == ping(second, node) == "pong"
    for command in ("sessions", "disconnect", "rights"):
        assert complete(node, f"erlang {command} ") == ["apple@localhost", "pear@localhost"]
        assert complete(node, f"erlang {command} pe") == ["pear@localhost"]
    for _ in range(2):
        assert "+OK" in node.api("unload mod_erlang_py")
        wait_until(lambda: complete(node, "erlang ") == [])
        assert complete(node, "erlang sessions ") == []
        assert "erlang" not in node.api("show complete")
        assert node.api("status").startswith("UP ")
        node.api("pyrun erlang_py")
        wait_until(lambda: complete(node, "erlang ") == commands)
        assert complete(node, "erlang sessions ") == []
    assert ping(first, node) == "pong"
    assert complete(node, "erlang sessions ") == ["apple@localhost"]
    assert "Traceback" not in node.log()
    assert node.stop() == 0


def scrape(port: int) -> dict[str, float]:
    """The samples without labels, and those of a node as NAME{NODE}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        families = list(text_string_to_metric_families(response.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    return {
        sample.name + (f"{{{sample.labels['node']}}}" if "node" in sample.labels else ""): sample.value
        for sample in samples
    }


def reachable(port: int) -> bool:
    try:
        return bool(scrape(port))
    except urllib.error.URLError:
        return False


def check_metrics(node: RunningNode, port: int, peer: Erl) -> None:
    wait_until(lambda: reachable(port))
    assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    found = scrape(port)
    assert (found["erlang_node_up"], found["erlang_epmd_registered"], found["erlang_connected_nodes"]) == (1, 1, 1)
    assert found["erlang_node_info"] == 1
    assert found[f"erlang_requests_total{{{peer.name}}}"] == 1


def test_metrics(start_node: StartNode, erl: StartErl, free_port: Callable[[], int]) -> None:
    port = free_port()
    node = start_node("simulated", prometheus_listen_port=str(port))
    check_metrics(node, port, erl(node))
    assert node.stop() == 0
    assert not reachable(port)


@pytest.mark.freeswitch
def test_metrics_once_the_library_is_installed(
    start_node: StartNode, erl: StartErl, free_port: Callable[[], int]
) -> None:
    """Without it one line says what to install, and the node serves on; with it they are there after a restart."""
    port = free_port()
    node = start_node("freeswitch", prometheus_listen_port=str(port))
    assert isinstance(node.host, FreeSwitchHost)
    packages = node.host.switch.script_dir / PACKAGES
    wait_until(lambda: "no metrics" in node.log())
    (line,) = [line for line in node.log().splitlines() if "no metrics" in line]
    assert "[ERR]" in line
    assert f"pip install --target {packages} 'prometheus-client>=0.20,<1'" in line
    peer = erl(node)
    assert ping(peer, node) == "pong"
    assert not reachable(port)
    library = packages / "prometheus_client"
    assert not library.exists()
    try:
        shutil.copytree(Path(prometheus_client.__file__).parent, library)
        for _ in range(2):  # also again, on the same port
            assert "+OK" in node.api("unload mod_erlang_py")
            assert not reachable(port)
            node.api("pyrun erlang_py")
            check_metrics(node, port, erl(node))
        threads = node.threads()
        for _ in range(20):
            assert reachable(port)
        assert node.threads() == threads
    finally:
        shutil.rmtree(library)
    assert "Traceback" not in node.log()
    assert node.stop() == 0
