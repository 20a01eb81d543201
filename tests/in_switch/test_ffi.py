"""What the process must have, and which functions may keep the GIL."""

from __future__ import annotations

import pytest

from mod_erlang_py.switch.freeswitch.ffi import keeping_gil, without_gil
from mod_erlang_py.switch.freeswitch.prototypes import PROTOTYPES


def test_every_function_is_there_without_the_gil() -> None:
    for name in PROTOTYPES:
        assert callable(getattr(without_gil(), name))


@pytest.mark.parametrize("name", PROTOTYPES)
def test_only_a_function_that_says_why_keeps_the_gil(name: str) -> None:
    assert hasattr(keeping_gil(), name) == bool(PROTOTYPES[name].keeps_gil)
