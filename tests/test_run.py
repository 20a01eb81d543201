"""`make run` and the scratch FreeSWITCH behind it."""

from __future__ import annotations

import os
import re
import signal
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


@pytest.mark.parametrize("host", ["simulated", pytest.param("FreeSWITCH", marks=pytest.mark.freeswitch)])
def test_run_says_what_to_type(host: str, epmd: Epmd, erl: StartErl, tmp_path: Path) -> None:
    environment = os.environ | {"ERL_EPMD_PORT": str(epmd.port), "TMPDIR": str(tmp_path)}
    if host == "simulated":
        environment["FREESWITCH_PREFIX"] = "/nonexistent"
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.run"],
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
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait() == 0, printed
        assert list(tmp_path.iterdir()) == []
    finally:
        watchdog.cancel()
        process.kill()
        process.stdout.close()


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
