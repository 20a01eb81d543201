"""Runs pytest inside FreeSWITCH: `pyrun runner JOB`, a file that conftest.py writes, {"root", "packages", "arguments",
"tests", "reports", "coverage"}.

What happens goes into the file `reports`, a line of JSON each: {"start": the test}, {"report": one of its phases, as
pytest serializes it}, at last {"end": what there is to say about it}.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

STACK = 16 * 1024 * 1024
"""Bytes; FreeSWITCH gives its threads 240 KiB."""
RECURSION = 2000
"""mod_python3 allows 240, for the whole interpreter."""


def runtime(args: str) -> None:
    """Returns at once: at its end mod_python3 would wait for the thread that calls this."""
    job = json.loads(Path(args).read_text())
    before = threading.stack_size(STACK)
    threading.Thread(target=run, args=(job,), name="pytest", daemon=True).start()
    threading.stack_size(before)


def run(job: dict[str, Any]) -> None:
    with Path(job["reports"]).open("w", buffering=1) as reports:

        def tell(**what: object) -> None:
            reports.write(json.dumps(what) + "\n")

        try:
            sys.setrecursionlimit(RECURSION)
            sys.path.insert(0, job["root"])
            sys.path.append(job["packages"])
            with measured(Path(job["root"])) if job["coverage"] else nullcontext():
                import pytest

                end = f"pytest ended with {pytest.main(job['arguments'], plugins=[Plugin(job['tests'], tell)])!r}"
        except BaseException:
            end = traceback.format_exc()
        tell(end=end)


@contextmanager
def measured(root: Path) -> Iterator[None]:
    """As by `coverage run` at the root. Of the switch's own threads, nothing."""
    import coverage

    measure = coverage.Coverage(data_file=str(root / ".coverage"), config_file=str(root / "pyproject.toml"))
    measure.start()
    try:
        yield
    finally:
        measure.stop()
        measure.save()


class Plugin:
    def __init__(self, tests: Sequence[str], tell: Callable[..., None]) -> None:
        self._tests = tests
        self._tell = tell

    def pytest_configure(self, config: Any) -> None:
        self._hook = config.hook
        self._config = config

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        found = {item.nodeid: item for item in items}
        items[:] = [found[test] for test in self._tests]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._tell(start=nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._tell(report=self._hook.pytest_report_to_serializable(config=self._config, report=report))
