"""The nodes of `make soak` in a real FreeSWITCH: that they do what they are there for. Most of its twenty seconds pass
with starting nodes and looking for what comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.trials.soak import phones
from scripts.trials.soak.configuration import place
from scripts.trials.soak.counts import Kind
from scripts.trials.soak.nodes import Nodes
from scripts.trials.soak.run import switch_at
from tests.waiting import wait_until

pytestmark = [pytest.mark.freeswitch, pytest.mark.erl]


@pytest.mark.skipif(phones.lacks() is not None, reason=phones.lacks() or "")
def test_everything_is_done_and_nothing_lost_nor_doubled(tmp_path: Path, installed: Path) -> None:
    """And what the node killed had is served by another."""
    at = place(tmp_path)
    with switch_at(at, installed) as switch:
        with Nodes(switch, at) as nodes:
            wait_until(lambda: all(count.answered for count in nodes.counts().values()), 60)
            found = nodes.rest()
        assert {kind: (count.open, count.doubled) for kind, count in found.items() if count.open or count.doubled} == {}
        assert all((count.answered and count.worst) or kind is Kind.LINE for kind, count in found.items())
        assert switch.tracebacks() == 0
