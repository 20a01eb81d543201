"""These tests run inside a real FreeSWITCH, and each is reported as any other.

An ordinary run collects them, starts one FreeSWITCH, has pytest run there (runner.py), and shows the reports it gets. A
switch that crashes is a failure of the test that ran, and of those behind it.

    switch      the FreeSwitch they run in
    log_lines   the lines of its log during the test
    call        the UUID of a parked call
"""

from __future__ import annotations

import ctypes
import json
import logging
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mod_erlang_py.switch.port import LogLine
from scripts.preflight import python_version
from scripts.scratch import MODULES, FreeSwitch, ScratchError, ScratchFreeSwitch, find_freeswitch, free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    import mod_erlang_py.switch.freeswitch as inside

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INSIDE = hasattr(ctypes.CDLL(None), "switch_version_full")
SECONDS = 60
"""That a test may take, before it ends the switch."""
FILES = {"autoload_configs/python.conf.xml": '<configuration name="python.conf"><settings/></configuration>\n'}


@pytest.fixture(scope="session")
def switch() -> inside.FreeSwitch:
    from mod_erlang_py.switch.freeswitch import FreeSwitch

    return FreeSwitch()


@pytest.fixture
def log_lines(switch: inside.FreeSwitch) -> Iterator[list[LogLine]]:
    lines: list[LogLine] = []
    unbind = switch.bind_log(lines.append)
    yield lines
    unbind()


def end_of_log(lines: list[LogLine]) -> None:
    """Returns when everything logged so far is among the lines."""
    from mod_erlang_py.switch.freeswitch.log import SwitchLogHandler

    mark = uuid.uuid4().hex
    SwitchLogHandler().emit(logging.LogRecord("test", logging.INFO, __file__, 1, mark, None, None))
    wait_until(lambda: any(mark.encode() in line.text for line in lines))


@pytest.fixture
def call(switch: inside.FreeSwitch) -> Iterator[str]:
    found = originate(switch, "&park()")
    parked(switch, found)
    yield found
    switch.execute("uuid_kill", found.encode())


def parked(switch: inside.FreeSwitch, call: str) -> None:
    """Returns when it is."""

    def is_parked() -> bool:
        with switch.locate(call) as session:
            return session is not None and session.is_controlled()

    wait_until(is_parked)


def originate(switch: inside.FreeSwitch, what: str | bytes) -> str:
    """A call of nobody with nobody, which has the variable `kind`; its UUID. what: "&application(data)"."""
    what = what if isinstance(what, bytes) else what.encode()
    made = switch.execute("originate", b"{kind=test}null/nobody " + what)
    assert made.output.startswith(b"+OK "), made
    return made.output[4:].strip().decode()


# --- in an ordinary run -------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mine = [item for item in items if HERE in item.path.parents]
    if not mine or INSIDE:
        return
    found = find_freeswitch()
    version = python_version(found.python) if isinstance(found, FreeSwitch) else None
    other = version and version != f"{sys.version_info.major}.{sys.version_info.minor}"
    for item in mine:
        item.add_marker("freeswitch")  # which tests/conftest.py skips where there is none
        if other:
            item.add_marker(pytest.mark.skip(reason=f"the FreeSWITCH has Python {version}, this run another"))


_runs: dict[pytest.Session, Run] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if INSIDE or not _is_mine(item):
        return None
    run = _runs.get(item.session)
    if run is None:
        run = _runs[item.session] = Run(item.config, [other for other in item.session.items if _is_mine(other)])
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = list(run.reports(item))
    if nextitem is None or not _is_mine(nextitem):
        del _runs[item.session]
        reports += run.end(item)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _is_mine(item: pytest.Item) -> bool:
    """Whether it is to run in the switch: the others are skipped as any other test."""
    return HERE in item.path.parents and item.get_closest_marker("skip") is None


class Run:
    """One FreeSWITCH in which those tests run, in their order."""

    def __init__(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self._config = config
        self._folder = Path(tempfile.mkdtemp(prefix="in_switch"))
        self._reports = self._folder / "reports"
        self._read = 0
        self._lines: list[str] = []
        self._of_others: dict[str, list[pytest.TestReport]] = {}
        self._over: str | None = None
        found = find_freeswitch()
        assert isinstance(found, FreeSwitch)
        self._switch = ScratchFreeSwitch(
            found,
            self._folder,
            settings={},
            epmd_port=free_port(),
            erlang=None,
            modules=[*MODULES, "mod_python3"],
            files=FILES,
        )
        shutil.copy(HERE / "runner.py", self._switch.script_dir)
        job = self._folder / "job"
        job.write_text(json.dumps(self._job(items)))
        try:
            self._switch.start()
            self._switch.fs_cli(f"pyrun runner {job}")
        except ScratchError as error:
            self._over = str(error)

    def _job(self, items: Sequence[pytest.Item]) -> dict[str, Any]:
        options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
        options += ["--capture=sys", f"--timeout={SECONDS}", "--timeout-method=thread"]
        options += [f"--basetemp={self._folder / 'pytest'}"]
        return {
            "root": str(ROOT),
            "packages": str(Path(pytest.__file__).parent.parent),
            "arguments": [*options, *sorted({str(item.path) for item in items})],
            "tests": [item.nodeid for item in items],
            "reports": str(self._reports),
            "coverage": "coverage" in sys.modules,
        }

    def reports(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        """Those of its phases, as they come. They may be asked for in another order than they run in: of pytest-xdist
        this process has some of the files."""
        for report in self._of_others.pop(item.nodeid, []):
            yield report
            if report.when == "teardown":
                return
        while True:
            line = self._next()
            if line is None:
                yield self._failure(item, "call", self._over or "")
                return
            if "report" in line:
                report = self._config.hook.pytest_report_from_serializable(config=self._config, data=line["report"])
                if isinstance(report.longrepr, list):  # of a skipped test; JSON has no tuples
                    report.longrepr = tuple(report.longrepr)
                if report.nodeid != item.nodeid:
                    self._of_others.setdefault(report.nodeid, []).append(report)
                    continue
                yield report
                if report.when == "teardown":
                    return

    def _next(self) -> dict[str, Any] | None:
        """What was told next; None when no more will be, and _over says why."""
        deadline = time.monotonic() + SECONDS + 30
        while self._over is None:
            alive = self._switch.alive
            line = self._line()
            if line is not None:
                told: dict[str, Any] = json.loads(line)
                if "end" not in told:
                    return told
                self._over = told["end"]
            elif not alive:
                self._over = f"FreeSWITCH is gone\n{self._tail()}"
            elif time.monotonic() > deadline:
                self._over = f"nothing was heard from FreeSWITCH for {SECONDS + 30} s\n{self._tail()}"
            else:
                time.sleep(0.01)
        return None

    def _line(self) -> str | None:
        """The next whole line of the reports."""
        if not self._lines and self._reports.exists():
            with self._reports.open() as reports:
                reports.seek(self._read)
                new = reports.read()
            whole = new[: new.rfind("\n") + 1]
            self._read += len(whole.encode())
            self._lines = whole.splitlines()
        return self._lines.pop(0) if self._lines else None

    def _tail(self) -> str:
        output = (self._folder / "log" / "stdout").read_text(errors="replace")
        return "\n".join([*self._switch.log().splitlines()[-30:], "--- its output", *output.splitlines()[-60:]])

    def end(self, last: pytest.Item) -> list[pytest.TestReport]:
        """Stop the switch. A failure of the last test when that goes wrong."""
        try:
            code = self._switch.stop()
            return [self._failure(last, "teardown", f"exit code {code}\n{self._tail()}")] if code else []
        except ScratchError as error:
            return [self._failure(last, "teardown", str(error))]
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def _failure(item: pytest.Item, when: Any, text: str) -> pytest.TestReport:
        return pytest.TestReport(item.nodeid, item.location, dict.fromkeys(item.keywords, 1), "failed", text, when)
