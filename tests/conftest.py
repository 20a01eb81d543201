"""The fixtures that start real things: epmd, Erlang nodes, and our node in both of its hosts.

    node            our node, once for each kind of host: "simulated" and "freeswitch"; shared, so leave it as it was
    simulated_node  the same, in the simulated switch only
    freeswitch_node the same, in FreeSWITCH only
    peer            an Erlang node beside `node`, shared, with its cookie and epmd; for requests that leave no trace
    erl             makes Erlang nodes that end with the test: erl(node) beside a node, erl() alone
    start_node      makes nodes of ours that end with the test, for tests that stop, kill or configure them
    epmd            an epmd of the test's own, to stop and start again; shared nodes never use it
    installed       the folder that FreeSWITCHes share, for those that a test starts itself
    free_port       a port on 127.0.0.1

Tests run in the order of _ORDER, the fast ones first. A test that needs `erl` or FreeSWITCH is skipped, with the
reason, where there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import settings

from scripts.epmd import Epmd, wait_until_registered
from scripts.scratch import (
    FreeSwitch,
    ScratchFreeSwitch,
    find_freeswitch,
    local_host_name,
    share_ports,
    write_dialplan,
    write_settings,
)
from scripts.scratch import free_port as find_free_port
from tests.peers.erl import Erl, missing
from tests.waiting import wait_until

# How long an example takes on a busy machine says nothing; the run's timeout ends what hangs.
# What CI runs is what was run before: the same examples each time. Elsewhere others are looked for.
_CI = bool(os.environ.get("CI"))
settings.register_profile("tests", deadline=None, derandomize=_CI, print_blob=True)
settings.register_profile("few", settings.get_profile("tests"), max_examples=10)
settings.load_profile("tests")

if _worker := os.environ.get("PYTEST_XDIST_WORKER"):  # "gw0"
    share_ports(int(_worker[2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))

# folders of tests/; "" is any other
_ORDER = ["etf", "distribution", "node", "events", "requests", "", "switch", "in_switch", "peers"]
_KINDS = ["simulated", "freeswitch"]
_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 90.0  # while it makes what all share, with everything else going on
_STOP_SECONDS = 15.0
_unique = count(1)
# make coverage
_MEASURED = ["-m", "coverage", "run"] if os.environ.get("MEASURE_NODES") else []


# --- our node -----------------------------------------------------------------------------------------------------


class Host(Protocol):
    """A process with our node in it."""

    @property
    def pid(self) -> int: ...
    @property
    def alive(self) -> bool: ...
    def log(self) -> str: ...
    def api(self, command: str) -> str: ...
    def stop(self) -> int: ...
    def kill(self) -> None: ...


@dataclass
class RunningNode:
    """Our node, ready: it is registered with its epmd.

    kind: as for start_node. name: "freeswitch@localhost". port: that epmd has, on 127.0.0.1.
    """

    kind: str
    name: str
    cookie: str
    port: int
    epmd_port: int
    host: Host = field(repr=False)

    @property
    def pid(self) -> int:
        """Of the operating system's process: python's or FreeSWITCH's."""
        return self.host.pid

    @property
    def alive(self) -> bool:
        return self.host.alive

    def log(self) -> str:
        """All that was logged so far."""
        return self.host.log()

    def api(self, command: str) -> str:
        """What an API command prints, asked for without touching the links under test where the host allows it:
        FreeSWITCH's fs_cli; a passing Erlang node for the simulated switch."""
        return self.host.api(command)

    def stop(self) -> int:
        """An orderly end; the exit code. May be called again."""
        return self.host.stop()

    def kill9(self) -> None:
        self.host.kill()

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def resident_kib(self) -> int:
        """VmRSS."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


class SimulatedHost:
    """`python -m mod_erlang_py --conf DIR` as a process of its own."""

    def __init__(
        self, folder: Path, settings: dict[str, str], epmd_port: int, name: str, environment: dict[str, str]
    ) -> None:
        self._folder = folder
        self._name = name
        self._epmd_port = epmd_port
        self._cookie = settings["cookie"]
        write_settings(folder / "conf", settings)
        write_dialplan(folder / "conf")
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *_MEASURED, "-m", "mod_erlang_py", "--conf", str(folder / "conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"ERL_EPMD_PORT": str(epmd_port), "PYTHONUNBUFFERED": "1"} | environment,
                cwd=_ROOT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def api(self, command: str) -> str:
        name, _, arguments = command.partition(" ")
        asker = f"asker{next(_unique)}"
        with Erl(asker, folder=_erl_folder(self._folder), epmd_port=self._epmd_port, cookie=self._cookie) as erl:
            reply = erl.eval(f"{{_, R}} = request('{self._name}', {{api, '{name}', \"{arguments}\"}}), R")
        value = bytes(reply) if isinstance(reply, list) else getattr(reply, "value", reply)
        assert isinstance(value, bytes), value
        return value.decode(errors="replace")

    def stop(self) -> int:
        self._process.terminate()
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class FreeSwitchHost:
    """A scratch FreeSWITCH."""

    def __init__(self, switch: ScratchFreeSwitch) -> None:
        self.switch = switch
        switch.start()

    @property
    def pid(self) -> int:
        return self.switch.pid

    @property
    def alive(self) -> bool:
        return self.switch.alive

    def log(self) -> str:
        return self.switch.log()

    def api(self, command: str) -> str:
        return self.switch.fs_cli(command)

    def stop(self) -> int:
        return self.switch.stop()

    def kill(self) -> None:
        self.switch.kill()


class StartNode(Protocol):
    def __call__(
        self,
        kind: str,
        *,
        epmd: Epmd | str | None = None,
        epmd_port: int | None = None,
        files: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        **settings: str,
    ) -> RunningNode: ...


class StartErl(Protocol):
    def __call__(
        self,
        beside: RunningNode | None = None,
        *,
        name: str | None = None,
        cookie: str | None = None,
        epmd_port: int | None = None,
        hidden: bool = False,
        ipv6: bool = False,
        arguments: tuple[str, ...] = (),
    ) -> Erl: ...


class Launcher:
    """Starts nodes of ours, each with what it needs; knows what several of them share."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self.shared_folder = base / "freeswitch-shared"

    def start(
        self,
        kind: str,
        epmd_port: int,
        settings: dict[str, str],
        files: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> RunningNode:
        """Settings have `_` for `-`. Raises AssertionError, with the log, when the node is not ready in time."""
        given = {name.replace("_", "-"): value for name, value in settings.items()}
        given = {"listen-ip": "127.0.0.1", "listen-port": str(find_free_port()), "cookie": "ClueCon"} | given
        name = given.get("nodename", "freeswitch")
        name = name if "@" in name else f"{name}@{local_host_name()}"
        folder = self._base / f"{kind}{next(_unique)}"
        folder.mkdir()
        host = self._host(kind, folder, given, epmd_port, name, files, environment or {})
        by_tls = "tls-listen-port" in given and given.get("proto-dist") != "inet_tcp"
        port = int(given["tls-listen-port" if by_tls else "listen-port"])
        node = RunningNode(kind, name, given["cookie"], port, epmd_port, host)
        if given.get("epmd") == "none":
            wait_until(lambda: f"{name} listens on" in node.log(), _START_SECONDS, node.log)
        else:
            _wait_until_registered(node)
        return node

    def _host(
        self,
        kind: str,
        folder: Path,
        settings: dict[str, str],
        epmd_port: int,
        name: str,
        files: dict[str, str] | None,
        environment: dict[str, str],
    ) -> Host:
        if kind == "simulated":
            return SimulatedHost(folder, settings, epmd_port, name, environment)
        found = find_freeswitch()
        if not isinstance(found, FreeSwitch):
            pytest.skip(found)
        module = "mod_python3" if kind == "freeswitch" else kind
        if not (found.mod_dir / f"{module}.so").exists():
            pytest.skip(f"{found.mod_dir} has no {module}")
        switch = ScratchFreeSwitch(
            found,
            folder,
            settings=settings,
            epmd_port=epmd_port,
            erlang=module,
            shared=self.shared_folder,
            files=files,
            environment=environment,
        )
        return FreeSwitchHost(switch)


def _wait_until_registered(node: RunningNode) -> None:
    alive_name = node.name.partition("@")[0]
    if not wait_until_registered(alive_name, node.port, node.epmd_port, lambda: node.alive, _START_SECONDS):
        node.kill9()
        pytest.fail(f"{node.name} ({node.kind}) is not registered with epmd\n{node.log()[-4000:]}", pytrace=False)


# --- shared by the whole run --------------------------------------------------------------------------------------


@dataclass
class _Shared:
    """What ordinary tests share, by kind; started when first asked for, and again when a test has ended it."""

    launcher: Launcher
    erl_folder: Path
    epmds: dict[str, Epmd] = field(default_factory=dict)
    nodes: dict[str, RunningNode] = field(default_factory=dict)
    peers: dict[str, Erl] = field(default_factory=dict)

    def epmd(self, kind: str) -> Epmd:
        """One for each kind: two nodes of one name cannot share an epmd."""
        if kind not in self.epmds:
            self.epmds[kind] = Epmd(find_free_port())
        return self.epmds[kind]

    def node(self, kind: str) -> RunningNode:
        node = self.nodes.get(kind)
        if node is None or not node.alive:
            node = self.nodes[kind] = self.launcher.start(kind, self.epmd(kind).port, {})
        return node

    def peer(self, node: RunningNode) -> Erl:
        peer = self.peers.get(node.kind)
        if peer is None or not peer.alive:
            peer = Erl("peer", folder=self.erl_folder, epmd_port=node.epmd_port, cookie=node.cookie)
            self.peers[node.kind] = peer
        return peer

    def close(self) -> None:
        for peer in self.peers.values():
            peer.close()
        codes = {kind: node.stop() for kind, node in self.nodes.items() if node.alive}
        for epmd in self.epmds.values():
            epmd.stop()
        assert not any(codes.values()), f"exit codes of the shared nodes: {codes}"


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Shared]:
    base = tmp_path_factory.mktemp("nodes")
    shared = _Shared(Launcher(base), _erl_folder(base))
    yield shared
    try:
        shared.close()
    finally:
        shutil.rmtree(shared.launcher.shared_folder, ignore_errors=True)  # 13 MB; the logs stay for a while


@pytest.fixture(scope="session")
def installed(_shared: _Shared) -> Path:
    """What the FreeSWITCHes of a run share: the first of them fills it."""
    return _shared.launcher.shared_folder


def _erl_folder(base: Path) -> Path:
    return base / "erl"


@pytest.fixture(params=[pytest.param(kind, marks=getattr(pytest.mark, kind, ())) for kind in _KINDS])
def node(request: pytest.FixtureRequest, _shared: _Shared) -> RunningNode:
    kind: str = request.param
    return _shared.node(kind)


@pytest.fixture
def simulated_node(_shared: _Shared) -> RunningNode:
    return _shared.node("simulated")


@pytest.fixture
def freeswitch_node(_shared: _Shared) -> RunningNode:
    return _shared.node("freeswitch")


@pytest.fixture
def peer(node: RunningNode, _shared: _Shared) -> Erl:
    peer = _shared.peer(node)
    peer.forget()
    return peer


# --- of one test --------------------------------------------------------------------------------------------------


@pytest.fixture
def free_port() -> Callable[[], int]:
    return find_free_port


@pytest.fixture
def epmd() -> Iterator[Epmd]:
    epmd = Epmd(find_free_port())
    yield epmd
    epmd.stop()


@pytest.fixture
def start_node(_shared: _Shared) -> Iterator[StartNode]:
    """start_node(kind, epmd=..., files=..., encoding="binary", ...): settings with `_` for `-`.

    kind: "simulated", "freeswitch", or "mod_erlang_event": FreeSWITCH with the C module, to compare ours with.
    epmd: one that runs, else each gets its own; or the setting `epmd`, and then none is started. epmd_port: where the
    latter's is. files: path in conf_dir -> text, for FreeSWITCH only. environment: variables in place of ours.
    """
    nodes: list[RunningNode] = []
    epmds: list[Epmd] = []

    def start(
        kind: str,
        *,
        epmd: Epmd | str | None = None,
        epmd_port: int | None = None,
        files: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        **settings: str,
    ) -> RunningNode:
        if epmd is None:
            epmd = Epmd(find_free_port())
            epmds.append(epmd)
        if isinstance(epmd, str):
            settings["epmd"] = epmd
            port = epmd_port or find_free_port()
        else:
            port = epmd.port
        nodes.append(_shared.launcher.start(kind, port, settings, files, environment))
        return nodes[-1]

    yield start
    for node in nodes:
        node.kill9()
    for own in epmds:
        own.stop()


@pytest.fixture
def erl(_shared: _Shared) -> Iterator[StartErl]:
    """erl(node): an Erlang node with that node's epmd and cookie. erl(): with the epmd that all such share.

    name: unique when not given.
    """
    started: list[Erl] = []

    def start(
        beside: RunningNode | None = None,
        *,
        name: str | None = None,
        cookie: str | None = None,
        epmd_port: int | None = None,
        hidden: bool = False,
        ipv6: bool = False,
        arguments: tuple[str, ...] = (),
    ) -> Erl:
        erl = Erl(
            name or f"test{next(_unique)}",
            folder=_shared.erl_folder,
            epmd_port=epmd_port or (beside.epmd_port if beside else _shared.epmd("erl").port),
            cookie=cookie or (beside.cookie if beside else "ClueCon"),
            hidden=hidden,
            ipv6=ipv6,
            arguments=arguments,
        )
        started.append(erl)
        return erl

    yield start
    for erl in started:
        erl.close()


# --- what runs, and in which order --------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first; those that cannot run here are skipped with the reason."""
    found = find_freeswitch()
    no_freeswitch = None if isinstance(found, FreeSwitch) else found
    no_erl = missing()
    uses_erl = {"erl", "peer", "epmd", "node", "simulated_node", "freeswitch_node", "start_node"}
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "freeswitch_node" in fixtures:
            item.add_marker("freeswitch")
        if fixtures & uses_erl:
            item.add_marker("erl")
        if no_freeswitch and item.get_closest_marker("freeswitch"):
            item.add_marker(pytest.mark.skip(reason=no_freeswitch))
        if no_erl and item.get_closest_marker("erl"):
            item.add_marker(pytest.mark.skip(reason=no_erl))
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    parts = item.path.relative_to(Path(__file__).parent).parts
    folder = parts[0] if len(parts) > 1 else ""
    return _ORDER.index(folder) if folder in _ORDER else _ORDER.index("")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The end of the node's log goes with the report of a test that failed."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, RunningNode):
                report.sections.append((f"log of {value.name} ({value.kind})", value.log()[-4000:]))
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run in which no test ran is no success, even when all of them were skipped."""
    if _worker:
        return  # it has some of the tests
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    ran = reporter is not None and any(reporter.stats.get(outcome) for outcome in ("passed", "failed", "error"))
    if exitstatus == pytest.ExitCode.OK and not ran and not session.config.option.collectonly:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
