"""What counts as a fault, and what is written of it."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.bench.charts import NoMatplotlib
from scripts.trials.soak import chart, page
from scripts.trials.soak.counts import NOTHING, Counts, Kind
from scripts.trials.soak.growth import Rest
from scripts.trials.soak.result import Result, line
from scripts.trials.usage import Usage
from tests.bench.samples import MACHINE
from tests.trials.soak.samples import REST, count, result, samples, well


def with_one(kind: Kind, asked: int, answered: int, doubled: int = 0) -> Counts:
    return well() | {kind: count(asked, answered, doubled)}


def test_all_went_well() -> None:
    assert result().faults() == []
    assert result(after=replace(REST, objects=301_200)).faults() == []
    assert "Nothing lost, nothing doubled, no growth." in page.told(result(), MACHINE)


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (result(with_one(Kind.SIP, 100, 99)), "sip: 1 lost of 100"),
        (result(with_one(Kind.EVENT, 100, 100, 2)), "event: 2 doubled"),
        (result(well() | {Kind.VISIT: NOTHING}), "visit: nothing was done"),
        (result(after=Rest(Usage(38, 23, 64_000), 300_000)), "descriptors at rest: 22, then 23"),
        (result(after=replace(REST, objects=301_201)), "objects at rest: 300000, then 301201, after 400 calls"),
        (result(a_minute=500), "memory grows: 10000 KiB in 20 minutes"),
        (result(tracebacks=1), "1 tracebacks in the log"),
    ],
)
def test_a_fault(found: Result, fault: str) -> None:
    assert found.faults() == [fault]
    assert f"- **{fault}**" in page.told(found, MACHINE)


def test_rates_are_those_since_the_line_before() -> None:
    told = line(*samples(3)[1:3])
    assert told.startswith("120 s: 60 threads, 40 descriptors, 62 MiB; under way 5, doubled 0; a second: api 10.0, ")


def test_our_page_has_a_place_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    shutil.copy(page.PAGE, tmp_path)
    monkeypatch.setattr(page, "PICTURE", tmp_path / "soak.svg")
    monkeypatch.setattr(page, "PAGE", tmp_path / "soak.md")
    assert page.publish(result(), MACHINE) == []
    written = (tmp_path / "soak.md").read_text()
    assert "30 minutes on 2 processors (A processor)" in written
    assert "| SIP calls                            | 100 " in written
    assert f"]({page.PICTURE.name})" in written
    texts = {text.strip() for text in ElementTree.parse(tmp_path / "soak.svg").getroot().itertext()}
    assert {"calls", "doubled", "memory", "threads", "descriptors", "done a second"} <= texts


def test_the_same_samples_give_the_same_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.svg"):
        chart.draw(samples(30), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_without_matplotlib_there_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NoMatplotlib):
        chart.draw(samples(30), tmp_path / "soak.svg")
