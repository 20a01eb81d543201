"""Each input that was kept, once more."""

from __future__ import annotations

import pytest

from tests.compiled import missing
from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

KEPT = [(target, data) for target in TARGETS for data in corpus.read(target)]


@pytest.mark.parametrize(("target", "data"), KEPT, ids=[f"{target}-{data.hex()[:40]}" for target, data in KEPT])
def test_what_was_kept(target: str, data: bytes) -> None:
    if target == "events" and (reason := missing()):
        pytest.skip(reason)
    TARGETS[target](data)


def test_a_line_may_say_what_it_is(tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "FOLDER", tmp_path)
    corpus.file_of("guard").write_text("# terms\n6101  # 1\n\n6a\n")
    assert corpus.read("guard") == [b"a\1", b"j"]
    assert corpus.add("guard", [b"j", b"", b"m\0\0\0\0", b"a\2"]) == 2
    assert corpus.read("guard") == [b"a\1", b"j", b"a\2", b"m\0\0\0\0"]
