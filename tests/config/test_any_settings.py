"""Whatever is in the file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.config import tls
from mod_erlang_py.config.disposition import Continue, Disposition, Hangup, Park, Transfer, disposition
from mod_erlang_py.config.reload import CHANGEABLE, compare
from mod_erlang_py.config.settings import _PARSERS, Config, field_of, read, values_of
from mod_erlang_py.config.strategy import Hash, LeastCalls, Random, Strategy, strategy
from mod_erlang_py.errors import ConfigError

LIKELY = ["true", "no", "auto", "binary", "hangup X", "transfer a b c", "hash x", "n@h", "7", "5000", "65536"]
NAMES = st.sampled_from([name for name in _PARSERS if name not in tls.PARSERS])  # which must fit each other
ANY_NAMES = NAMES | st.text(max_size=20).filter(lambda name: name not in tls.PARSERS)
VALUES = st.sampled_from(LIKELY) | st.integers().map(str) | st.text(max_size=20)
NO_SAFE_DEFAULT = ("cookie", "cookie-file", "apply-inbound-acl")
FILES = st.lists(st.tuples(NAMES, VALUES), max_size=6)
WORDS = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=8)


def read_any(settings: list[tuple[str, str]]) -> tuple[Config, list[ConfigError]]:
    """Without what is not safe to be wrong."""
    try:
        return read(settings)
    except ConfigError as error:
        left = [one for one in settings if one[0] != error.param or one[0] not in NO_SAFE_DEFAULT]
    assert len(left) < len(settings)
    return read_any(left)


@given(st.lists(st.tuples(ANY_NAMES, VALUES), max_size=6))
def test_a_wrong_value_is_as_none(settings: list[tuple[str, str]]) -> None:
    config, wrong = read_any(settings)
    bad = {(error.param, error.value) for error in wrong}
    good = [one for one in settings if one not in bad and "cookie" not in one[0]]
    assert read_any([*good, ("cookie", config.cookie)]) == (config, [error for error in wrong if error.value == "***"])


@given(FILES, FILES)
def test_a_reload_puts_into_force_what_can_change(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    old, (new, wrong) = read_any(before)[0], read_any(after)
    found = compare(old, new, wrong)
    kept = {field_of(error.param) for error in wrong}
    for name, value in values_of(found.config).items():
        assert value == values_of(new if name in CHANGEABLE - kept else old)[name]
    assert compare(found.config, new, wrong).changed == ()


@given(
    st.one_of(
        st.sampled_from([Continue(), Park(), Hangup()]),
        st.builds(Hangup, WORDS),
        st.builds(Transfer, WORDS),
        st.builds(Transfer, WORDS, WORDS),
        st.builds(Transfer, WORDS, WORDS, WORDS),
    )
)
def test_what_becomes_of_a_call_is_read_as_it_is_written(one: Disposition) -> None:
    assert disposition(str(one)) == one


@given(st.sampled_from([Random(), LeastCalls()]) | st.builds(Hash, WORDS))
def test_a_strategy_is_read_as_it_is_written(one: Strategy) -> None:
    assert strategy(str(one)) == one
