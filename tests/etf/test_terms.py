from __future__ import annotations

import pytest
from erlang import OtpErlangAtom, OtpErlangPid, OtpErlangReference

from mod_erlang_py.errors import EncodeError, NotText
from mod_erlang_py.etf import (
    Atom,
    Binary,
    List,
    Pid,
    Reference,
    Term,
    atom_text,
    decode,
    encode,
    encode_atom,
    text,
)
from tests.etf.vectors import PID, PID_HEX, REF, REF_HEX


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (b"caf\xc3\xa9", b"caf\xc3\xa9"),
        (b"", b""),
        ([], b""),
        ([104, 233], "hé".encode()),
        (b"h\xe9", "hé".encode()),
        ([0xC3, 0xA9], "é".encode()),
        (b"\xff\x00", "ÿ\0".encode()),
        ([104, 233, 1078], "héж".encode()),
        ([0x1F600], "😀".encode()),
        (List([104, 105]), b"hi"),
        (Binary(b"bin"), b"bin"),
        (Binary(b"\xff"), b"\xff"),
        ([b"a", [Binary(b"b"), 99], [], [[b"d"]]], b"abcd"),
        ([104, b"i"], b"hi"),
        ([List([97, [98]]), Binary(b"")], b"ab"),
        (List([Binary(b"a"), 98, Binary(b"c")], improper=True), b"abc"),
        ([b"\xe4", Binary("ä".encode())], "ää".encode()),
        ([b"\xc3", [0xA4]], "ä".encode()),
        ([b"\xe4", 8364, Binary(b"\xff")], "ä€".encode() + b"\xff"),
        (Atom("жé"), "жé".encode()),
        (Atom(b"caf\xe9"), "café".encode()),
        (True, b"true"),
        (False, b"false"),
        (None, b"undefined"),
    ],
)
def test_text(term: Term, expected: bytes) -> None:
    assert text(term) == expected


@pytest.mark.parametrize(
    "term",
    [
        1,
        1.5,
        (104, 105),
        {},
        "str",
        PID,
        Binary(b"\xa0", 3),
        [104, True],
        [104, Atom("i")],
        [b"a", [True]],
        [b"a", Binary(b"\xa0", 3)],
        [b"a", List([104, 105], improper=True)],
        [b"a", {}],
        [[b"a", [-1]]],
        [104, 1.0],
        [-1],
        [104, 0x110000],
        [104, 1 << 70],
        [104, 0xD800, 1078],
        List([104, 105], improper=True),
        Atom("\ud800"),
    ],
)
def test_not_text(term: Term) -> None:
    with pytest.raises(NotText):
        text(term)


@pytest.mark.parametrize(
    ("term", "expected"),
    [(Atom("a"), "a"), (Atom(b"\xe9"), "é"), (True, "true"), (False, "false"), (None, "undefined")],
)
def test_atom_text(term: Term, expected: str) -> None:
    assert atom_text(term) == expected


@pytest.mark.parametrize("term", [1, 0, "a", b"a", [], Binary(b"a"), PID])
def test_atom_text_of_other_terms(term: Term) -> None:
    assert atom_text(term) is None


def test_encode_atom_counts_characters_not_bytes() -> None:
    assert encode_atom("ж" * 255)[:3] == b"\x76\x01\xfe"
    with pytest.raises(EncodeError):
        encode_atom("a" * 256)
    with pytest.raises(EncodeError):
        encode_atom("\udc00")


def test_pid_of_a_decoded_term() -> None:
    raw = decode(bytes.fromhex("83" + PID_HEX))
    assert type(raw) is OtpErlangPid
    assert Pid.of(raw) == PID
    assert raw == PID
    assert hash(raw) == hash(PID)
    assert Pid.of(PID) is PID


def test_pids_are_equal_whatever_tag_carried_them() -> None:
    old = Pid.of(OtpErlangPid(OtpErlangAtom(b"n@h"), b"\0\0\0\7", b"\0\0\0\0", b"\1"))
    new = Pid("n@h", 7, 0, 1)
    assert old == new
    assert len({old, new}) == 1
    assert old is not None
    assert old.binary() == new.binary()
    assert encode(new)[1] == 88


@pytest.mark.parametrize("other", [("m@h", 7, 0, 1), ("n@h", 8, 0, 1), ("n@h", 7, 1, 1), ("n@h", 7, 0, 2)])
def test_pids_differ_by_every_value(other: tuple[str, int, int, int]) -> None:
    assert Pid("n@h", 7, 0, 1) != Pid(*other)


def test_reference_of_a_decoded_term() -> None:
    raw = decode(bytes.fromhex("83" + REF_HEX))
    assert type(raw) is OtpErlangReference
    assert Reference.of(raw) == REF
    assert raw == REF
    assert hash(raw) == hash(REF)
    assert Reference("n@h", 1, (1, 2)) != Reference("n@h", 1, (2, 1))


@pytest.mark.parametrize("term", [1, None, Atom("a"), REF])
def test_not_a_pid(term: Term) -> None:
    assert Pid.of(term) is None


@pytest.mark.parametrize("term", [1, None, Atom("a"), PID])
def test_not_a_reference(term: Term) -> None:
    assert Reference.of(term) is None


def test_str() -> None:
    assert str(Pid("n@h", 7, 0, 1)) == "<n@h.7.0>"
    assert str(Reference("n@h", 1, (1, 2))) == "#Ref<n@h.1.2>"


@pytest.mark.parametrize(
    "values", [("n@h", 1 << 32, 0, 1), ("n@h", 0, -1, 1), ("n@h", 0, 0, 1 << 32), ("n" * 256, 0, 0, 1)]
)
def test_pid_out_of_range(values: tuple[str, int, int, int]) -> None:
    with pytest.raises(EncodeError):
        Pid(*values)


@pytest.mark.parametrize("ids", [(), (1,) * 6, (1 << 32,), (-1,)])
def test_reference_out_of_range(ids: tuple[int, ...]) -> None:
    with pytest.raises(EncodeError):
        Reference("n@h", 1, ids)


def test_our_pids_and_references_inside_erlang_py_lists() -> None:
    ours = List([PID, REF], improper=True)
    theirs = decode(encode(ours))
    assert ours == theirs
    assert {ours: 1}[theirs] == 1
