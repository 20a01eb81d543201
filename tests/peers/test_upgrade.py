"""An installation in a real FreeSWITCH: newer files, newer settings, and scripts of others beside it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mod_erlang_py import code
from scripts.epmd import Epmd, wait_until_registered
from scripts.install import CONFIGURATION, PACKAGES, ROOT
from scripts.scratch import MODULES, FreeSwitch, ScratchFreeSwitch, find_freeswitch, free_port, with_settings
from tests.conftest import FreeSwitchHost, RunningNode, StartErl
from tests.pages import steps
from tests.peers.allocated import ALLOCATED
from tests.peers.reader import Reader
from tests.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.freeswitch

BEFORE = "83a9ea6"
"""The last commit of version 0.1."""
RESTARTS = 100

_PROBE = (
    ALLOCATED
    + """
import gc, sys, time, types

def runtime(args):
    import freeswitch
    gc.collect()
    # Each fs_cli costs mod_event_socket 1.6 MB, which FreeSWITCH gives back a second or two later.
    until = time.monotonic() + 10
    while mib() > 40 and time.monotonic() < until:
        time.sleep(0.1)
    found = [one for one in gc.get_objects() if isinstance(one, types.ModuleType)]
    modules = [one.__name__ for one in found if one.__name__.startswith("mod_erlang_py")]
    most = max(modules.count(name) for name in modules)
    freeswitch.consoleLog("notice", f"PROBE {most} of a module, {len(gc.get_objects())} objects, {mib()} MiB\\n")
"""
)
_THEIRS = """
import freeswitch

def runtime(args):
    freeswitch.consoleLog("notice", f"{__name__} of somebody else's runs\\n")
"""


@pytest.fixture
def found() -> FreeSwitch:
    found = find_freeswitch()
    assert isinstance(found, FreeSwitch)
    return found


@pytest.fixture
def node(found: FreeSwitch, tmp_path: Path, epmd: Epmd) -> Iterator[RunningNode]:
    """What is here, with a script folder of its own."""
    port = free_port()
    settings = {"listen-ip": "127.0.0.1", "listen-port": str(port), "cookie": "ClueCon"}
    switch = ScratchFreeSwitch(found, tmp_path / "fs", settings=settings, epmd_port=epmd.port)
    host = FreeSwitchHost(switch)
    try:
        assert wait_until_registered("freeswitch", port, epmd.port, lambda: switch.alive, 30), switch.log()[-4000:]
        yield RunningNode("freeswitch", "freeswitch@localhost", "ClueCon", port, epmd.port, host)
    finally:
        switch.kill()


def scripts_of(node: RunningNode) -> Path:
    assert isinstance(node.host, FreeSwitchHost)
    return node.host.switch.script_dir


def restart(node: RunningNode) -> None:
    """Returns when the new node answers fs_cli; pyrun does not wait for its script."""
    assert "+OK" in node.api("unload mod_erlang_py")
    node.api("pyrun erlang_py")
    wait_until(lambda: node.api("erlang status json").startswith("{"), 15, node.log)


def running(node: RunningNode) -> code.Code:
    versions = json.loads(node.api("erlang status json"))["versions"]
    return code.Code(versions["mod_erlang_py"], versions["digest"])


# --- an upgrade ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=["first", BEFORE])
def old_tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Its sources, and what its installer asks of an installed package: what it needs."""
    roots = subprocess.run(["git", "rev-list", "--max-parents=0", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    commit = roots.stdout.strip() if request.param == "first" else request.param
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True)
    if archive.returncode:
        pytest.skip(f"git has no commit {commit} here")
    tree = tmp_path / "old"
    tree.mkdir()
    subprocess.run(["tar", "-x"], input=archive.stdout, cwd=tree, check=True)
    needs = re.search(r"^dependencies = \[(.*?)^\]", (tree / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert needs
    metadata = tree / "mod_erlang_py-0.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    requires = [f"Requires-Dist: {line}\n" for line in re.findall(r'^ *"(.*)",$', needs[1], re.MULTILINE)]
    metadata.write_text(f"Metadata-Version: 2.1\nName: mod-erlang-py\nVersion: 0.1.0\n{''.join(requires)}")
    return tree


def test_upgrade(found: FreeSwitch, tmp_path: Path, epmd: Epmd, old_tree: Path, erl: StartErl) -> None:
    """As docs/upgrading.md has it; what is there to do is said by install, the doctor and the status, and nothing runs
    by itself. fs_cli's address and password are in ~/.fs_cli_conf."""
    modules = (*MODULES, "mod_python3")
    switch = ScratchFreeSwitch(found, tmp_path / "fs", settings={}, epmd_port=epmd.port, erlang=None, modules=modules)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"HOME": str(tmp_path), "PATH": f"{found.fs_cli.parent}:{environment['PATH']}"}
    _, _, host, _, event_socket, _, password = switch.fs_cli_command("")
    (tmp_path / ".fs_cli_conf").write_text(
        f"[default]\nhost => {host}\nport => {event_socket}\npassword => {password}\n"
    )

    def make(tree: Path, program: str) -> str:
        folders = ["--conf-dir", str(switch.conf_dir), "--script-dir", str(switch.script_dir)]
        python = ["--python", found.python] if program == "install" else []
        done = subprocess.run(
            [sys.executable, "-m", f"scripts.{program}", *folders, *python],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            umask=0o027,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def doctor() -> str:
        command = [sys.executable, str(switch.script_dir / "erlang_py_doctor")]
        return subprocess.run(command, env=environment, capture_output=True, text=True).stdout

    make(old_tree, "install")
    settings = switch.conf_dir / CONFIGURATION[0]
    given = {"listen-ip": "127.0.0.1", "listen-port": str(free_port())}
    settings.write_text(with_settings(settings.read_text(), given))
    switch.start()
    try:
        port = int(given["listen-port"])
        assert wait_until_registered("freeswitch", port, epmd.port, lambda: switch.alive, 30), switch.log()[-4000:]
        files = code.read(ROOT / "mod_erlang_py")
        printed = make(ROOT, "install")
        assert "to do     fs_cli: unload mod_erlang_py, then pyrun erlang_py: files are" in printed
        assert "is taken" not in printed
        assert re.search(
            r"^(updated|mended ) .*/dialplan/default/erlang.xml", printed, re.MULTILINE
        )  # stays, once there
        assert re.search(r"^warn  version        files are newer, running is ", doctor(), re.MULTILINE), doctor()
        switch.fs_cli("pyrun erlang_py")
        wait_until(lambda: "erlang_py: already running" in switch.log())
        assert "+OK" in switch.fs_cli("unload mod_erlang_py")
        switch.fs_cli("pyrun erlang_py")
        assert wait_until_registered("freeswitch", port, epmd.port, lambda: switch.alive, 15), switch.log()[-4000:]
        wait_until(lambda: switch.fs_cli("erlang status json").startswith("{"), 15, switch.log)
        status = json.loads(switch.fs_cli("erlang status json"))
        installed = code.read(switch.script_dir / PACKAGES / "mod_erlang_py")
        assert (status["versions"]["mod_erlang_py"], status["versions"]["digest"]) == (files.version, installed.digest)
        assert not [warning for warning in status["warnings"] if "files are" in warning]
        assert not [line for line in make(ROOT, "install").splitlines() if line.startswith("to do")]
        assert "version " not in doctor()
        assert "ok    files" in doctor()
        peer = erl(epmd_port=epmd.port)
        assert peer.text("net_adm:ping('freeswitch@localhost')") == "pong"
        assert "still runs" in make(ROOT, "uninstall")
        assert not (switch.script_dir / PACKAGES).exists()
        assert "Traceback" not in switch.log()
        assert switch.stop() == 0
    finally:
        switch.kill()


def test_newer_files_of_the_same_version(node: RunningNode) -> None:
    """They are told from what runs by their content."""
    before = running(node)
    errors = scripts_of(node) / PACKAGES / "mod_erlang_py" / "errors.py"
    errors.write_text(f"{errors.read_text()}# newer\n")
    files = code.read(errors.parent)
    assert files != before
    told = f"files are {files}, running is {before}: unload mod_erlang_py, then pyrun erlang_py"
    assert f"warning    {told}" in node.api("erlang status").splitlines()
    restart(node)
    assert running(node) == files
    assert "files are" not in node.api("erlang status")


@pytest.mark.timeout(400)
def test_a_hundred_upgrades_leave_nothing(node: RunningNode) -> None:
    """Of the code that ran before, but for the last one; nor memory, threads, descriptors. ctypes keeps the seven types
    that each made, some 100 objects. Memory: what malloc has given out; what the process has says little."""
    (scripts_of(node) / "probe.py").write_text(_PROBE)
    errors = scripts_of(node) / PACKAGES / "mod_erlang_py" / "errors.py"
    text = errors.read_text()

    def probe(number: int) -> tuple[int, int, int]:
        node.api("pyrun probe")
        wait_until(lambda: node.log().count("PROBE ") == number, 2 * DEADLINE)
        most, objects, mib = re.findall(r"PROBE (\d+) of a module, (\d+) objects, (\d+) MiB", node.log())[-1]
        return int(most), int(objects), int(mib)

    for number in range(RESTARTS):
        errors.write_text(f"{text}# {number}\n")
        restart(node)
        if number == 9:
            _, objects, mib = probe(1)
            threads, descriptors = node.threads(), node.descriptors()
    assert running(node) == code.read(errors.parent)
    most, objects_now, mib_now = probe(2)
    assert most == 2
    assert objects_now - objects < 150 * (RESTARTS - 10)
    assert mib_now < mib + 20
    wait_until(lambda: node.threads() <= threads + 2, told=lambda: f"{node.threads()} threads, {threads} before")
    wait_until(
        lambda: node.descriptors() <= descriptors + 40, told=lambda: f"{node.descriptors()}, {descriptors} before"
    )
    assert "Traceback" not in node.log()


def test_the_page(node: RunningNode, found: FreeSwitch, tmp_path: Path) -> None:
    """docs/installing.md, with the real Makefile, which makes no .venv and needs none."""
    assert isinstance(node.host, FreeSwitchHost)
    switch = node.host.switch
    errors = switch.script_dir / PACKAGES / "mod_erlang_py" / "errors.py"
    errors.write_text(f"{errors.read_text()}# another version\n")
    restart(node)
    fs_cli = shlex.join(["--fs-cli", *switch.fs_cli_command("")])
    variables = [f"FS_CONF_DIR={switch.conf_dir}", f"FS_SCRIPT_DIR={switch.script_dir}", f"PYTHON={found.python}"]
    make = shlex.join([shutil.which("make") or "make", "--no-print-directory", "-C", str(ROOT)])
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, line in (
        ("make", f'{make} "$@" {shlex.join([*variables, f"ARGS={fs_cli}"])}'),
        ("erlang_py_doctor", f"{switch.script_dir / 'erlang_py_doctor'} {fs_cli}"),
    ):
        (tools / name).write_text(f"#!/bin/sh\nexec {line}\n")
        (tools / name).chmod(0o755)
    here = {
        "/etc/freeswitch": str(switch.conf_dir),
        "/usr/share/freeswitch/scripts": str(switch.script_dir),
        "/usr/bin/python3": found.python,
    }
    (tmp_path / "reader").mkdir()
    reader = Reader(node.api, tmp_path / "reader", here, {"PATH": f"{tools}:{os.environ['PATH']}"})
    virtual = ROOT / ".venv" / ".installed"
    before = virtual.stat().st_mtime_ns if virtual.exists() else None
    for step in steps(ROOT / "docs" / "installing.md"):
        reader.do(step)
    assert (virtual.stat().st_mtime_ns if virtual.exists() else None) == before


# --- settings, and others' scripts --------------------------------------------------------------------------------


def test_the_settings_are_read_again(node: RunningNode) -> None:
    assert isinstance(node.host, FreeSwitchHost)
    assert "encoding   string" in node.api("erlang status").splitlines()
    file = node.host.switch.conf_dir / CONFIGURATION[0]
    before = file.read_text()
    file.write_text(with_settings(before, {"encoding": "binary"}))
    restart(node)
    assert "encoding   binary" in node.api("erlang status").splitlines()
    file.write_text(before.replace("</settings>", "</settungs>"))
    restart(node)
    assert "encoding   binary" in node.api("erlang status").splitlines()
    wait_until(lambda: "erlang_py: reloadxml: " in node.log())


def test_scripts_with_the_names_of_our_libraries(node: RunningNode, erl: StartErl) -> None:
    """The node starts, and works; and so do they."""
    for name in ("erlang", "lxml", "prometheus_client"):
        (scripts_of(node) / f"{name}.py").write_text(_THEIRS)

    def run(name: str, times: int) -> None:
        node.api(f"pyrun {name}")
        wait_until(lambda: node.log().count(f"{name} of somebody else's runs") == times, told=node.log)

    run("erlang", 1)
    run("lxml", 1)
    restart(node)
    for times in (2, 3):
        for name in ("erlang", "lxml"):
            run(name, times)
    run("prometheus_client", 1)
    restart(node)
    peer = erl(node)
    assert peer.text(f"wait_until(fun() -> net_adm:ping('{node.name}') =:= pong end)") == "true"
    assert peer.request(node.name, '{api, echo, "x"}') == '{ok,"x"}'
    assert "Traceback" not in node.log()
    assert "ImportError" not in node.log()
