"""The doctor at a real FreeSWITCH: healthy, and with faults made on purpose, each named by a line of its own."""

from __future__ import annotations

import re
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripts.epmd import Epmd
from scripts.install import ROOT
from tests.conftest import FreeSwitchHost, RunningNode, StartErl, StartNode
from tests.waiting import wait_until

pytestmark = pytest.mark.freeswitch

COOKIE = "a-cookie-of-our-own"


@dataclass(frozen=True)
class Report:
    code: int
    output: str

    @property
    def lines(self) -> dict[str, str]:
        """check -> level"""
        return {line.split()[1]: line.split()[0] for line in self.output.splitlines()}

    def line(self, check: str) -> str:
        (line,) = [line for line in self.output.splitlines() if line.split()[1] == check]
        return line


def examine(node: RunningNode, *more: str) -> Report:
    """With fs_cli's own arguments; ERL_EPMD_PORT is found out from the switch's process."""
    assert isinstance(node.host, FreeSwitchHost)
    command = [str(ROOT / "scripts" / "erlang_py_doctor"), "--fs-cli", *node.host.switch.fs_cli_command(""), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert COOKIE not in done.stdout
    return Report(done.returncode, done.stdout)


@pytest.fixture
def cookie_file(tmp_path: Path) -> Path:
    file = tmp_path / "cookie"
    file.touch(mode=0o600)
    file.write_text(f"{COOKIE}\n")
    return file


def test_healthy(freeswitch_node: RunningNode, erl: StartErl) -> None:
    assert erl(freeswitch_node).text(f"net_adm:ping('{freeswitch_node.name}')") == "pong"
    report = examine(freeswitch_node)
    assert list(report.lines.items()) == [
        ("fs_cli", "ok"),
        ("mod_python3", "ok"),
        ("mod_erlang_py", "ok"),
        ("settings", "ok"),
        ("cookie", "ok"),
        ("name", "ok"),
        ("epmd", "ok"),
        ("port", "ok"),
        ("OTP", "ok"),
    ], report.output
    assert report.code == 0
    assert f"{freeswitch_node.name}, listening on 127.0.0.1:{freeswitch_node.port}" in report.line("settings")
    assert "connects: pong, FreeSWITCH Version" in report.line("OTP")
    assert re.search("nodes connected: [1-9]", report.line("mod_erlang_py"))  # nodes of other tests may be leaving


def test_a_long_name_and_a_cookie_of_its_own(start_node: StartNode, cookie_file: Path) -> None:
    node = start_node("freeswitch", nodename="fs@127.0.0.1", cookie_file=str(cookie_file), encoding="binary")
    report = examine(node)
    assert set(report.lines.values()) == {"ok"}, report.output
    assert f"{cookie_file}, of {cookie_file.owner()}, mode 0600" in report.line("cookie")
    assert "for nodes started with -name" in report.line("name")


def test_module_not_loaded(start_node: StartNode) -> None:
    node = start_node("freeswitch")
    assert "+OK" in node.api("unload mod_erlang_py")
    report = examine(node)
    assert report.code == 1
    assert report.line("mod_erlang_py").startswith("FAIL  mod_erlang_py  is not loaded; `pyrun erlang_py`")
    assert [check for check, level in report.lines.items() if level != "ok"] == ["mod_erlang_py"]


def test_epmd_gone(epmd: Epmd, start_node: StartNode) -> None:
    node = start_node("freeswitch", epmd=epmd)
    epmd.stop()
    report = examine(node)
    epmd.start()  # before the node starts one
    assert report.code == 1
    assert report.line("epmd").startswith(
        f"FAIL  epmd           no epmd answers on 127.0.0.1:{epmd.port} (Connection refused); start it with epmd"
    )
    assert [check for check, level in report.lines.items() if level != "ok"] == ["epmd"]


def test_wrong_cookie_in_the_file(start_node: StartNode, cookie_file: Path) -> None:
    node = start_node("freeswitch", cookie_file=str(cookie_file))
    cookie_file.write_text("another\n")
    report = examine(node)
    assert report.code == 1
    assert report.line("OTP").startswith("FAIL  OTP            wrong cookie: the node refuses it")
    assert [check for check, level in report.lines.items() if level != "ok"] == ["OTP"]
    other = cookie_file.with_name("other")
    other.write_text(COOKIE)
    assert examine(node, "--cookie-file", str(other)).code == 0


def test_cookie_file_readable_by_others(start_node: StartNode, cookie_file: Path) -> None:
    node = start_node("freeswitch", cookie_file=str(cookie_file))
    cookie_file.chmod(0o644)
    report = examine(node)
    assert report.code == 1
    assert report.line("cookie") == (
        f"FAIL  cookie         {cookie_file}: mode 0644, others may read it, so it is refused; chmod 600 {cookie_file}"
    )
    assert [check for check, level in report.lines.items() if level != "ok"] == ["cookie"]


def test_a_host_that_does_not_resolve(start_node: StartNode) -> None:
    node = start_node("freeswitch", nodename="fs@no-such-host.invalid")
    report = examine(node)
    assert report.code == 1
    assert report.line("name").startswith("FAIL  name           no-such-host.invalid does not resolve")
    assert [check for check, level in report.lines.items() if level != "ok"] == ["name"]


def test_a_port_that_is_not_reachable(start_node: StartNode) -> None:
    """The name leads to an address on which the node does not listen."""
    node = start_node("freeswitch", nodename="fs@127.0.0.2")
    report = examine(node)
    assert report.code == 1
    assert report.line("port").startswith(
        f"FAIL  port           127.0.0.2:{node.port} is not reachable (Connection refused);"
    )
    assert [check for check, level in report.lines.items() if level != "ok"] == ["port"]


def test_a_port_that_something_else_answers_on(start_node: StartNode) -> None:
    node = start_node("freeswitch")
    assert "+OK" in node.api("unload mod_erlang_py")
    web = HTTPServer(("127.0.0.1", node.port), BaseHTTPRequestHandler)
    serving = threading.Thread(target=web.serve_forever)
    serving.start()
    try:
        node.api("pyrun erlang_py")
        wait_until(lambda: "listen-port" in node.log())
        report = examine(node)
    finally:
        web.shutdown()
        serving.join()
        web.server_close()
    assert report.code == 1
    assert report.line("port").startswith(f"FAIL  port           127.0.0.1:{node.port} ")
    assert "no Erlang node" in report.line("port")
    assert report.line("epmd").startswith(
        f"FAIL  epmd           on 127.0.0.1:{node.epmd_port} does not know freeswitch"
    )
    assert [check for check, level in report.lines.items() if level != "ok"] == ["epmd", "port"]
