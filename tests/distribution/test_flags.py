from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.distribution.flags import (
    MANDATORY_23,
    MANDATORY_25,
    MANDATORY_26,
    NEEDED,
    OURS,
    DistFlags,
    expanded,
    missing,
    names,
)


def test_words_of_the_manual() -> None:
    assert MANDATORY_23 == 0x50184
    assert MANDATORY_25 == 0x1070F94
    assert MANDATORY_26 == 0x403070F94
    assert OURS == 0x2D075F4FBC


def test_we_never_advertise_what_changes_the_framing_or_what_we_do_not_serve() -> None:
    for flag in (
        DistFlags.PUBLISHED,
        DistFlags.ATOM_CACHE,
        DistFlags.HIDDEN_ATOM_CACHE,
        DistFlags.DIST_HDR_ATOM_CACHE,
        DistFlags.FRAGMENTS,
        DistFlags.NAME_ME,
    ):
        assert not OURS & flag


@pytest.mark.parametrize(
    "word",
    [
        pytest.param(0xD07DF7FBC, id="OTP 25, hidden"),
        pytest.param(0x2D07DF7FBD, id="OTP 28"),
        pytest.param(0x407074F9C, id="ei of OTP 25"),
        pytest.param(0x4000000, id="the digest alone"),
        pytest.param(OURS, id="ourselves"),
    ],
)
def test_whom_we_can_talk_to(word: int) -> None:
    assert missing(word) == DistFlags(0)


@pytest.mark.parametrize("flag", [flag for flag in DistFlags if flag in NEEDED])
def test_what_is_missing(flag: DistFlags) -> None:
    assert missing(MANDATORY_25 & ~flag) == flag
    assert names(missing(MANDATORY_25 & ~flag)) == flag.name


def test_the_digest_expands_to_what_is_mandatory_in_25() -> None:
    assert expanded(DistFlags.MANDATORY_25_DIGEST) == DistFlags.MANDATORY_25_DIGEST | MANDATORY_25
    assert expanded(DistFlags.PUBLISHED) == DistFlags.PUBLISHED


def test_unknown_bits_are_kept() -> None:
    assert int(DistFlags(1 << 63 | 1)) == 1 << 63 | 1


def test_strangers_words_leave_nothing_behind() -> None:
    before = len(DistFlags._value2member_map_)
    for bit in range(40, 64):
        missing(OURS.value | 1 << bit)
    assert len(DistFlags._value2member_map_) <= before + 1


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_any_word(word: int, more: int) -> None:
    lacking = missing(word)
    assert not lacking.value & expanded(word)
    assert missing(word | lacking.value) == DistFlags(0)
    assert missing(word | more) in lacking
    assert names(lacking).split(", ") == ([flag.name for flag in DistFlags if flag in lacking] or [""])
