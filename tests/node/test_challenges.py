"""The challenges that are ours."""

from __future__ import annotations

import pytest

from mod_erlang_py.node import challenges
from mod_erlang_py.node.challenges import Challenges


def test_one_is_ours_while_its_handshake_lasts_and_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("mod_erlang_py.node.challenges.time.monotonic", lambda: now)
    ours = Challenges()
    with ours.fresh() as one, ours.fresh() as two:
        assert one != two
        now += 2 * challenges.REMEMBERED
        assert one in ours
        assert two in ours
        assert one ^ 1 not in ours or one ^ 1 == two
    now += challenges.REMEMBERED - 1
    assert one in ours
    now += 2
    assert one not in ours
    assert two not in ours


def test_also_one_whose_handshake_failed() -> None:
    ours = Challenges()
    with pytest.raises(OSError), ours.fresh() as one:
        raise OSError
    assert one in ours


def test_those_of_ended_handshakes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenges, "MAX_REMEMBERED", 3)
    ours = Challenges()
    made = []
    with ours.fresh() as outstanding:
        for _ in range(5):
            with ours.fresh() as one:
                made.append(one)
        assert [one in ours for one in made] == [False, False, True, True, True]
        assert outstanding in ours


def test_a_challenge_is_given_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter((7, 7, 8))
    monkeypatch.setattr(challenges, "fresh_challenge", lambda: next(numbers))
    ours = Challenges()
    with ours.fresh() as one, ours.fresh() as two:
        assert (one, two) == (7, 8)
