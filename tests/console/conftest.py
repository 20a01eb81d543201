"""A service that stands still."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console.standing import Standing


@pytest.fixture
def standing(tmp_path: Path) -> Standing:
    return Standing(tmp_path)
