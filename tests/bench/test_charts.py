"""Pictures."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.bench.charts import draw
from scripts.bench.summary import rows
from tests.bench.samples import SAMPLES

pytest.importorskip("matplotlib")


def texts(file: Path) -> list[str]:
    return [text.strip() for text in ElementTree.parse(file).getroot().itertext() if text.strip()]


def test_bars_for_each_contender_that_has_figures_and_lines_over_numbers(tmp_path: Path) -> None:
    api, growth = sorted(draw(rows(SAMPLES), tmp_path))
    assert {"mod_erlang_py", "mod_erlang_event", "two OTP nodes", "20 processes", "p99"} <= set(texts(api))
    assert "mod_event_socket, plain" not in texts(api)
    assert {"mod_erlang_py", "1", "64", "delivered, by links that receive it"} <= set(texts(growth))


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        draw(rows(SAMPLES), folder)
    assert (first / "api.svg").read_bytes() == (second / "api.svg").read_bytes()


def test_no_figures_no_charts(tmp_path: Path) -> None:
    assert draw([], tmp_path) == []
