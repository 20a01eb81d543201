"""What the process must have, and which functions may keep the GIL."""

from __future__ import annotations

import pytest

from mod_erlang_py.switch.freeswitch.ffi import keeping_gil, leaving_python, without_gil
from mod_erlang_py.switch.freeswitch.prototypes import PROTOTYPES


def test_every_function_is_there_without_the_gil() -> None:
    for name, prototype in PROTOTYPES.items():
        assert callable(getattr(leaving_python() if prototype.may_run_python else without_gil(), name))


@pytest.mark.parametrize("name", PROTOTYPES)
def test_one_in_which_scripts_may_run_leaves_python(name: str) -> None:
    """There is no other way to call it."""
    assert hasattr(without_gil(), name) != bool(PROTOTYPES[name].may_run_python)
    assert not (PROTOTYPES[name].may_run_python and PROTOTYPES[name].keeps_gil)


@pytest.mark.parametrize("name", PROTOTYPES)
def test_only_a_function_that_says_why_keeps_the_gil(name: str) -> None:
    assert hasattr(keeping_gil(), name) == bool(PROTOTYPES[name].keeps_gil)
