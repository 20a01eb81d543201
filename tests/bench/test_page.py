"""What is written into docs/benchmarks and the README."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from scripts.bench import charts, page
from scripts.bench.results import Unit, read
from scripts.bench.summary import rows
from scripts.bench.workloads import api
from tests.bench.samples import RESULTS, SAMPLES, sample


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of ours; what is between their markers is there to be replaced."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    shutil.copy(page.PAGE, folder / "README.md")
    shutil.copy(page.README, tmp_path / "README.md")
    monkeypatch.setattr(page, "FOLDER", folder)
    monkeypatch.setattr(page, "PAGE", folder / "README.md")
    monkeypatch.setattr(page, "RESULTS", folder / "results.json")
    monkeypatch.setattr(page, "README", tmp_path / "README.md")
    return tmp_path


def test_only_what_is_between_the_markers_is_replaced() -> None:
    x, y = (f"<!-- measured: {name} -->\nold\n\nold\n<!-- end of measured -->\n" for name in "xy")
    once = page.replaced(f"a\n{x}b\n{y}", "x", r"new \1")
    assert once == f"a\n{x}b\n{y}".replace("old\n\nold", r"new \1", 1)
    assert page.replaced(once, "x", "old\n\nold") == f"a\n{x}b\n{y}"


@pytest.mark.parametrize("text", ["", "<!-- measured: x -->", 2 * "<!-- measured: x -->\n<!-- end of measured -->\n"])
def test_a_page_without_the_place(text: str) -> None:
    with pytest.raises(page.NoMarkers):
        page.replaced(text, "x", "new")


def test_our_pages_have_a_place_for_everything(pages: Path) -> None:
    """The machine, the figures, what was left out and what failed; and a chart of what there is."""
    pytest.importorskip("matplotlib")
    assert page.publish(RESULTS) == []
    written = (pages / "benchmarks" / "README.md").read_text()
    assert "2 processors (A processor), Linux 6.1, FreeSWITCH 1.11.1, Python 3.11.2, OTP 25" in written
    assert "| one at a time, p50 | 60.0 (50.0 to 90.0) | 10,200 (10,100 to 10,300) | 170.00        |" in written
    assert "Not measured: no sipp (sip-tester)." in written
    assert "Failed: python, round 2: it did not start" in written
    assert '| `{api, echo, "hello"}`, p50, µs ' in (pages / "README.md").read_text()
    assert read(pages / "benchmarks" / "results.json") == RESULTS
    assert sorted(file.name for file in (pages / "benchmarks").glob("*.svg")) == ["api.svg", "growth.svg"]


def test_without_matplotlib_the_rest_is_written(pages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert page.publish(RESULTS) == ["no charts: matplotlib is missing"]
    assert "60.0 (50.0 to 90.0)" in (pages / "benchmarks" / "README.md").read_text()
    assert list((pages / "benchmarks").glob("*.svg")) == []
    with pytest.raises(charts.NoMatplotlib):
        charts.draw(rows(SAMPLES), pages)


@pytest.mark.parametrize(
    ("what", "unit", "better"), [(api.P50, Unit.MICROSECONDS, "400"), (api.rate(20), Unit.RATE, "900")]
)
def test_what_matters_has_the_better_of_the_settings_of_mod_erlang_event(what: str, unit: Unit, better: str) -> None:
    by_name = {"compiled": 50.0, "mod_erlang_event": 900.0, "max-event-bulk": 400.0}
    lines = page.what_matters(rows([sample(name, value, what=what, unit=unit) for name, value in by_name.items()]))
    (line,) = lines.splitlines()[2:]
    ours, theirs, *_ = [cell.strip() for cell in line.split("|")[2:-1]]
    assert (ours, theirs) == ("50.0", better)


def test_ten_figures_matter() -> None:
    assert len(page.MATTERS) == 10


def test_every_chart_is_shown_on_the_page() -> None:
    written = page.PAGE.read_text()
    assert {chart.file for chart in charts.CHARTS} == {
        part.partition(".svg)")[0] for part in written.split("](")[1:] if ".svg)" in part
    }
