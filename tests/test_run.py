"""`make run` and the scratch FreeSWITCH behind it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from lxml import etree

from scripts.epmd import Epmd
from scripts.install import ROOT
from scripts.scratch import write_settings
from tests.conftest import StartErl, StartNode

# In a dialplan of one's own.
DESK = """\
<extension name="desk">
  <condition field="destination_number" expression="^4711$">
    <action application="erlang" data="desk calls@localhost"/>
  </condition>
</extension>
"""

# The UUID of a call to that number, once the process of that name has it.
CALL = """
Call = fun(Name, Number) ->
    register(Name, self()),
    {foo, 'freeswitch@localhost'} ! {bgapi, originate, "loopback/" ++ Number ++ "/default &park()"},
    receive {call, {event, [UUID | _]}} -> UUID after 10000 -> none end
end,
ok
"""


@pytest.mark.parametrize("host", ["simulated", pytest.param("FreeSWITCH", marks=pytest.mark.freeswitch)])
def test_run_says_what_to_type(host: str, epmd: Epmd, erl: StartErl, tmp_path: Path) -> None:
    environment = os.environ | {"ERL_EPMD_PORT": str(epmd.port), "TMPDIR": str(tmp_path)}
    if host == "simulated":
        environment["FREESWITCH_PREFIX"] = "/nonexistent"
    dialplan = tmp_path / "dialplan.xml"
    dialplan.write_text(DESK)
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.run", str(dialplan)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Ctrl-C"):
                break
        assert f"ERL_EPMD_PORT={epmd.port} erl -sname test -setcookie ClueCon\n" in printed
        typed = re.findall(r"^ +(.+)\.$", printed, re.MULTILINE)
        peer = erl(name="test", epmd_port=epmd.port)
        assert peer.text(typed[0]) == "pong"
        assert peer.text(typed[1]).startswith('{ok,"UP ')
        peer.close()
        with erl(name="calls", epmd_port=epmd.port) as calls:
            calls.eval(CALL)
            assert calls.text('is_list(Call(myhandler, "7501"))', 15) == "true"
            calls.text("unregister(myhandler)")
            assert calls.text('is_list(Call(desk, "4711"))', 15) == "true"
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait() == 0, printed
        assert list(tmp_path.iterdir()) == [dialplan]
    finally:
        watchdog.cancel()
        process.kill()
        process.stdout.close()


def run(epmd_port: object) -> subprocess.CompletedProcess[str]:
    """Until it ends by itself."""
    environment = os.environ | {"ERL_EPMD_PORT": str(epmd_port), "FREESWITCH_PREFIX": "/nonexistent"}
    command = [sys.executable, "-m", "scripts.run"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60)


@pytest.mark.erl
@pytest.mark.parametrize("answer", [b"", b"\xff" * 100, b"\x00\x00\x11\x11\xff\xff"], ids=["none", "noise", "almost"])
def test_epmds_port_is_something_elses(answer: bytes, tmp_path: Path) -> None:
    """One line, which says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            done = run(port)
        finally:
            server.shutdown(socket.SHUT_RDWR)
            serving.join()
    assert done.returncode == 1
    assert done.stderr == (
        f"run: no epmd can run on port {port}, which something else may have (ss -ltnp 'sport = :{port}' says what); "
        "ERL_EPMD_PORT=... gives another\n"
    )


@pytest.mark.parametrize("port", ["x", "0", "65536"])
def test_no_port(port: str) -> None:
    done = run(port)
    assert (done.returncode, done.stderr) == (1, f"run: ERL_EPMD_PORT={port} is no port\n")


def test_settings_go_into_the_shipped_file(tmp_path: Path) -> None:
    write_settings(tmp_path, {"listen-ip": "127.0.0.1", "encoding": "binary", "net-ticktime": "4", "x": '"\\1&'})
    tree = etree.parse(str(tmp_path / "autoload_configs/erlang_event.conf.xml"))
    params = {param.get("name"): param.get("value") for param in tree.findall(".//param")}
    assert params == {
        "listen-ip": "127.0.0.1",
        "listen-port": "8031",
        "nodename": "freeswitch",
        "shortname": "true",
        "cookie": "ClueCon",
        "encoding": "binary",
        "net-ticktime": "4",
        "x": '"\\1&',
    }


@pytest.mark.freeswitch
def test_scratch_freeswitch_with_the_c_module(start_node: StartNode, erl: StartErl) -> None:
    node = start_node("mod_erlang_event", encoding="binary")
    assert erl(node).request(node.name, '{api, global_getvar, "hostname"}').startswith("{ok,<<")
    assert node.api("module_exists mod_erlang_event") == "true"
    assert "mod_erlang_event" in node.log()
    assert node.stop() == 0
