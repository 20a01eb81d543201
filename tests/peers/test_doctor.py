"""The doctor at a real FreeSWITCH: healthy, and with faults made on purpose, each named by a line of its own."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path

import pytest

from scripts import extension
from scripts.certs import make_certificate
from scripts.epmd import Epmd
from scripts.install import CONFIGURATION, PACKAGES, ROOT
from tests.conftest import FreeSwitchHost, RunningNode, StartErl, StartNode
from tests.peers.test_console import configure
from tests.tls import make_all
from tests.waiting import wait_until

pytestmark = pytest.mark.freeswitch

_numbers = count(1)
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


def test_healthy_by_tls(tmp_path: Path, start_node: StartNode, cookie_file: Path, free_port: Callable[[], int]) -> None:
    """Its own certificate gets the doctor in, and the erl that it starts; one that has ended does not."""
    make_all(tmp_path)
    files = {"tls_key": str(tmp_path / "localhost.key"), "tls_ca": str(tmp_path / "ca.pem")}
    node = start_node(
        "freeswitch",
        cookie_file=str(cookie_file),
        tls_listen_port=str(free_port()),
        tls_cert=str(tmp_path / "localhost.pem"),
        **files,  # type: ignore[arg-type]
    )
    report = examine(node)
    assert report.code == 0, report.output
    assert re.fullmatch(r"ok +protection +TLS, mutual, names verified: .*", report.line("protection"))
    assert "by TLS" in report.line("settings")
    assert [report.lines[check] for check in ("port", "OTP", "call")] == ["ok"] * 3
    make_certificate(tmp_path, "localhost", days=-1)
    assert "changed: certificate for localhost" in node.api("erlang reload")
    report = examine(node)
    assert report.code == 1
    assert "has a certificate that nodes refuse: certificate has expired" in report.line("port")


def test_healthy(freeswitch_node: RunningNode, erl: StartErl) -> None:
    assert erl(freeswitch_node).text(f"net_adm:ping('{freeswitch_node.name}')") == "pong"
    report = examine(freeswitch_node)
    assert list(report.lines.items()) == [
        ("fs_cli", "ok"),
        ("mod_python3", "ok"),
        ("mod_erlang_py", "ok"),
        ("files", "ok"),
        ("source", "ok"),
        ("protection", "ok"),
        ("settings", "ok"),
        ("cookie", "ok"),
        ("name", "ok"),
        ("epmd", "ok"),
        ("port", "ok"),
        ("OTP", "ok"),
        ("call", "ok"),
    ], report.output
    assert report.code == 0
    assert f"{freeswitch_node.name}, listening on 127.0.0.1:{freeswitch_node.port}" in report.line("settings")
    assert "connects: pong, FreeSWITCH Version" in report.line("OTP")
    assert report.line("call").endswith("made one into the application `erlang`; a process had it, and hung it up")
    wait_until(lambda: "erlang_py_doctor" not in freeswitch_node.api("show channels"))
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


def sabotage(node: RunningNode, code: str) -> None:
    """Run Python in the switch, which has `module`: the one that registers us."""
    assert isinstance(node.host, FreeSwitchHost)
    name = f"sabotage{next(_numbers)}"
    script = node.host.switch.script_dir / f"{name}.py"
    lines = ["from mod_erlang_py.errors import SwitchError", "from mod_erlang_py.switch.freeswitch import module", code]
    script.write_text("def runtime(_):\n    import freeswitch\n" + "".join(f"    {line}\n" for line in lines))
    with script.open("a") as more:
        more.write(f"    freeswitch.consoleLog('info', '{name} is done\\n')\n")
    try:
        node.api(f"pyrun {name}")
        wait_until(lambda: f"{name} is done" in node.log(), told=node.log)
    finally:
        script.unlink()


def test_the_command_is_gone(start_node: StartNode) -> None:
    """It went with another module, and could not be registered again: no application either, and every call fails."""
    node = start_node("freeswitch")
    assert isinstance(node.host, FreeSwitchHost)
    if not (node.host.switch.found.mod_dir / "mod_erlang_event.so").exists():
        pytest.skip("no mod_erlang_event to take our names")
    sabotage(node, "module._register = lambda: (_ for _ in ()).throw(SwitchError('it', 'was told to'))")
    assert "-ERR" not in node.api("load mod_erlang_event")
    both = examine(node)
    assert both.code == 1
    assert both.line("mod_erlang_py").endswith("loaded, and mod_erlang_event too; unload one of them")
    assert node.api("unload mod_erlang_event") == "+OK"
    wait_until(lambda: "cannot be registered again (it: was told to)" in node.log())
    report = examine(node)
    assert report.code == 1
    assert report.line("mod_erlang_py") == (
        "FAIL  mod_erlang_py  loaded, but its command `erlang` is gone or another's: "
        "-ERR erlang status json Command not found!; unload mod_erlang_py, then pyrun erlang_py"
    )
    assert node.api("unload mod_erlang_py") == "+OK"
    node.api("pyrun erlang_py")
    wait_until(lambda: "listens on" in node.api("erlang status"))
    wait_until(lambda: examine(node).code == 0)


def test_the_compiled_source_was_not_built(start_node: StartNode) -> None:
    """The node tells of it; and when that is mended, of nothing any more."""
    node = start_node("freeswitch")
    assert isinstance(node.host, FreeSwitchHost)
    built = node.host.switch.script_dir / PACKAGES / "mod_erlang_py" / extension.FOLDER / extension.NAME
    if not built.exists():
        pytest.skip("it could not be built here")
    aside = built.with_suffix(".aside")

    def restarted() -> Report:
        assert node.api("unload mod_erlang_py") == "+OK"
        node.api("pyrun erlang_py")
        wait_until(lambda: "listens on" in node.api("erlang status"))
        return examine(node)

    assert examine(node).line("source") == "ok    source         compiled"
    built.rename(aside)
    try:
        report = restarted()
    finally:
        aside.rename(built)
    assert report.code == 0
    assert report.line("source").startswith(
        "ok    source         python, so events cost more; the compiled event source: not built, or not for this Python"
    )
    assert report.line("source").endswith(
        "; apt-get install gcc python3-dev, make install again, then unload mod_erlang_py, pyrun erlang_py"
    )
    assert "\nsource     python, of events; the compiled event source: not built" in node.api("erlang status")
    assert restarted().line("source") == "ok    source         compiled"


def test_the_source_in_python_was_asked_for(start_node: StartNode) -> None:
    report = examine(start_node("freeswitch", event_source="python"))
    assert report.line("source") == "ok    source         python, as event-source says"


def test_calls_fail(start_node: StartNode) -> None:
    """And nothing else."""
    node = start_node("freeswitch")
    sabotage(node, "module._find = lambda name: None")
    report = examine(node)
    assert report.code == 1
    assert report.line("call").startswith("FAIL  call           no call came in 5 s, originate got ok +OK ")
    assert [check for check, level in report.lines.items() if level != "ok"] == ["call"]


def test_without_an_endpoint_for_the_call(start_node: StartNode) -> None:
    node = start_node("freeswitch")
    node.api("unload mod_loopback")
    report = examine(node)
    assert report.code == 0
    assert report.line("call").startswith("warn  call           not tried: FreeSWITCH has no endpoint `null`")


def test_nodes_with_rights_and_cookies_of_their_own(start_node: StartNode) -> None:
    node = start_node("freeswitch")
    for params, call in (
        ([("allow", "none")], None),
        ([("allow", "api"), ("allow-api", "version")], "warn  call           not tried: denied to nodes like this one"),
        ([("allow", "api calls")], "ok    call           FreeSWITCH made one"),
    ):
        rule = "".join(f'<param name="{name}" value="{value}"/>' for name, value in [("cookie", COOKIE), *params])
        configure(node, f'<node name="doctor_*@localhost">{rule}</node>')
        assert node.api("erlang reload").startswith("+OK")
        report = examine(node)
        assert report.code == 0
        if call is None:
            assert "pong; {api, version} is denied to nodes like this one" in report.line("OTP")
        else:
            assert report.line("OTP").startswith("ok ")
            assert report.line("call").startswith(call)


def test_settings_that_are_wrong(start_node: StartNode) -> None:
    node = start_node("freeswitch", encoding="utf-9", apply_inbound_acl="office")
    report = examine(node)
    assert report.code == 1
    told = [line for line in report.output.splitlines() if line.split()[1] == "status"]
    assert told == [
        "warn  status         erlang_event.conf: encoding='utf-9': expected string or binary; it has no effect",
        "FAIL  status         erlang_event.conf: there is no access control list office: nobody can connect",
    ]
    assert "apply-inbound-acl refuses the address" in report.line("port")


def test_broken_xml(start_node: StartNode) -> None:
    """The node goes on with what was read before; the next start of FreeSWITCH would fail."""
    node = start_node("freeswitch")
    assert isinstance(node.host, FreeSwitchHost)
    file = node.host.switch.conf_dir / CONFIGURATION[0]
    file.write_text(file.read_text().replace("</settings>", ""))
    report = examine(node)
    assert report.code == 1
    assert report.line("status").startswith(
        f"FAIL  status         {file} is broken: unexpected closing tag </configuration>, near line "
    )
    assert [check for check, level in report.lines.items() if level != "ok"] == ["status"]


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
