from __future__ import annotations

import dataclasses
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.distribution.control import (
    IN_PAYLOAD,
    AliasSend,
    AltactBits,
    AltactSigSend,
    ControlMessage,
    ControlOp,
    DemonitorP,
    Exit,
    Exit2,
    GroupLeader,
    Link,
    MonitorP,
    MonitorPExit,
    RegSend,
    Send,
    SendSender,
    SpawnReply,
    SpawnRequest,
    Unlink,
    UnlinkId,
    UnlinkIdAck,
    decode_control,
    encode_control,
)
from mod_erlang_py.errors import EncodeError, ProtocolViolation
from mod_erlang_py.etf import Atom, Pid, Reference, Term, decode_bare, encode_bare

C = Pid("otp@h", 92, 0, 5)
U = Pid("cn1@h", 7, 1, 6)
R = Reference("otp@h", 5, (1, 2, 3))
REASON = (Atom("shutdown"), [300])
TOKEN = (0, 17, 1, C, 0)
X = Atom("")
OPTIONS: list[Term] = [Atom("monitor")]
T = Atom("t")
ANYTHING = (X, REASON, TOKEN, OPTIONS, T, None)
"""Stand where any term may."""

MESSAGES: list[tuple[ControlMessage, tuple[Term, ...], bool]] = [
    # message, tuple, payload
    (Link(C, U), (1, C, U), False),
    (Send(U), (2, X, U), True),
    (Exit(C, U, REASON), (3, C, U, REASON), False),
    (Exit(C, U, None), (3, C, U, None), False),
    (Unlink(C, U), (4, C, U), False),
    (RegSend(C, "ж"), (6, C, X, Atom("ж")), True),
    (GroupLeader(C, U), (7, C, U), False),
    (Exit2(C, U, REASON), (8, C, U, REASON), False),
    (Send(U, TOKEN), (12, X, U, TOKEN), True),
    (Exit(C, U, REASON, TOKEN), (13, C, U, TOKEN, REASON), False),
    (RegSend(C, "n", TOKEN), (16, C, X, Atom("n"), TOKEN), True),
    (Exit2(C, U, REASON, TOKEN), (18, C, U, TOKEN, REASON), False),
    (MonitorP(C, U, R), (19, C, U, R), False),
    (MonitorP(C, "n", R), (19, C, Atom("n"), R), False),
    (DemonitorP(C, U, R), (20, C, U, R), False),
    (DemonitorP(C, "n", R), (20, C, Atom("n"), R), False),
    (MonitorPExit(U, C, R, REASON), (21, U, C, R, REASON), False),
    (MonitorPExit("n", C, R, REASON), (21, Atom("n"), C, R, REASON), False),
    (SendSender(C, U), (22, C, U), True),
    (SendSender(C, U, TOKEN), (23, C, U, TOKEN), True),
    (Exit(C, U, IN_PAYLOAD), (24, C, U), True),
    (Exit(C, U, IN_PAYLOAD, TOKEN), (25, C, U, TOKEN), True),
    (Exit2(C, U, IN_PAYLOAD), (26, C, U), True),
    (Exit2(C, U, IN_PAYLOAD, TOKEN), (27, C, U, TOKEN), True),
    (MonitorPExit(U, C, R, IN_PAYLOAD), (28, U, C, R), True),
    (
        SpawnRequest(R, C, C, ("m", "true", 4), OPTIONS),
        (29, R, C, C, (Atom("m"), True, 4), OPTIONS),
        True,
    ),
    (
        SpawnRequest(R, C, "user", ("m", "f", 0), OPTIONS, TOKEN),
        (30, R, C, Atom("user"), (Atom("m"), Atom("f"), 0), OPTIONS, TOKEN),
        True,
    ),
    (SpawnReply(R, C, 2, U), (31, R, C, 2, U), False),
    (SpawnReply(R, C, 0, "notsup"), (31, R, C, 0, Atom("notsup")), False),
    (SpawnReply(R, C, 3, U, TOKEN), (32, R, C, 3, U, TOKEN), False),
    (AliasSend(C, R), (33, C, R), True),
    (AliasSend(C, R, TOKEN), (34, C, R, TOKEN), True),
    (UnlinkId(1, C, U), (35, 1, C, U), False),
    (UnlinkId((1 << 64) - 1, C, U), (35, (1 << 64) - 1, C, U), False),
    (UnlinkIdAck(1, U, C), (36, 1, U, C), False),
    (AltactSigSend(0, C, U), (37, 0, C, U), True),
    (AltactSigSend(1 << 70, C, U), (37, 1 << 70, C, U), True),
    (AltactSigSend(AltactBits.TO_ALIAS, C, R), (37, 4, C, R), True),
    (AltactSigSend(AltactBits.TO_NAME | AltactBits.PRIORITY, C, "n"), (37, 9, C, Atom("n")), True),
    (AltactSigSend(AltactBits.TOKEN | AltactBits.EXIT, C, U, TOKEN), (37, 18, C, U, TOKEN), True),
]


def test_every_op_has_its_row() -> None:
    assert {elements[0] for _, elements, _ in MESSAGES} == set(ControlOp) - {ControlOp.NODE_LINK}


def by_op(row: object) -> str | None:
    return type(row).__name__ if dataclasses.is_dataclass(row) else None


@pytest.mark.parametrize(("message", "elements", "payload"), MESSAGES, ids=by_op)
def test_both_ways(message: ControlMessage, elements: tuple[Term, ...], payload: bool) -> None:
    data = encode_control(message)
    assert decode_bare(data) == decode_bare(encode_bare(elements))
    decoded = decode_control(data)
    assert type(decoded) is type(message)
    assert repr(decoded) == repr(decode_control(encode_bare(elements)))
    for field in dataclasses.fields(message):
        expected = getattr(message, field.name)
        got = getattr(decoded, field.name)
        assert got == expected, field.name
        assert (got is IN_PAYLOAD) == (expected is IN_PAYLOAD)
    assert decoded.op == message.op == elements[0]
    assert decoded.has_payload == message.has_payload == payload


@pytest.mark.parametrize(("message", "elements", "payload"), MESSAGES, ids=by_op)
def test_wrong_arity(message: ControlMessage, elements: tuple[Term, ...], payload: bool) -> None:
    # A further element is a token to some ops; two are too many for all but ALTACT_SIG_SEND, which may grow.
    wrong = [elements[:size] for size in range(1, len(elements))]
    if elements[0] != ControlOp.ALTACT_SIG_SEND:
        wrong.append((*elements, 1))
    for tuple_ in wrong:
        with pytest.raises(ProtocolViolation):
            decode_control(encode_bare(tuple_))


@pytest.mark.parametrize(("message", "elements", "payload"), MESSAGES, ids=by_op)
def test_wrong_types(message: ControlMessage, elements: tuple[Term, ...], payload: bool) -> None:
    for index in range(1, len(elements)):
        if any(elements[index] is term for term in ANYTHING):
            continue
        with pytest.raises(ProtocolViolation):
            decode_control(encode_bare((*elements[:index], [1.5], *elements[index + 1 :])))


def test_altact_sig_may_grow() -> None:
    assert decode_control(encode_bare((37, 0, C, U, 1, 2, 3))) == AltactSigSend(0, C, U)
    assert decode_control(encode_bare((37, 2, C, U, Atom("t"), 2))) == AltactSigSend(2, C, U, Atom("t"))


@pytest.mark.parametrize(
    "elements",
    [
        (37, 4, C, U),
        (37, 8, C, U),
        (37, 0, C, R),
        (37, 0, C, Atom("n")),
        (37, -1, C, U),
        (37, 2, C, U),
        (35, 0, C, U),
        (35, 1 << 64, C, U),
        (36, -1, C, U),
        (31, R, C, -1, U),
        (29, R, C, C, (Atom("m"), Atom("f")), []),
        (29, R, C, C, (Atom("m"), Atom("f"), -1), []),
        (5,),
        (0, C, U),
        (38, C, U),
        (1 << 70, C, U),
        (True, C, U),
        (1.0, C, U),
        ([1], C, U),
        (),
        Atom("link"),
        [300, C, U],
    ],
)
def test_no_control_message(elements: Term) -> None:
    with pytest.raises(ProtocolViolation):
        decode_control(encode_bare(elements))


def test_other_encodings_of_the_same() -> None:
    data = encode_control(Link(C, U))
    large = b"i\0\0\0\3" + b"b\0\0\0\1" + data[4:]
    assert decode_control(large) == Link(C, U)
    big = b"h\3" + b"n\1\0\1" + data[4:]
    assert decode_control(big) == Link(C, U)
    old = b"h\3a\1" + b"gs\5otp@h\0\0\0\x5c\0\0\0\0\5" + U.binary()
    assert decode_control(old) == Link(C, U)


def test_the_unused_cookie_may_be_anything() -> None:
    assert decode_control(encode_bare((2, Atom("secret"), U))) == Send(U)


@given(st.binary(max_size=80))
def test_random_bytes(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        decode_control(data)


@given(st.sampled_from([encode_control(message) for message, _, _ in MESSAGES]), st.data())
def test_mutations(control: bytes, data: st.DataObject) -> None:
    mutated = bytearray(control)
    mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = decode_control(bytes(mutated))
    except ProtocolViolation:
        return
    assert decode_control(encode_control(message)).op == message.op


def test_a_name_that_is_no_atom() -> None:
    with pytest.raises(EncodeError):
        encode_control(RegSend(C, "n" * 256))


ELEMENTS: list[Term] = [X, Atom("n"), None, 1, -1, 2**70, 1.5, b"text", [], {}, C, R, (), (Atom("m"), Atom("f"), 0)]


@pytest.mark.parametrize("op", range(45))
def test_every_number_with_every_arity(op: int) -> None:
    """And with every type of element in each place of what may be right, and of what is not."""
    right = [elements[1:] for _, elements, _ in MESSAGES if elements[0] == op]
    arities = {len(fields) for fields in right} if op != ControlOp.ALTACT_SIG_SEND else {3, 4, 5, 6, 7, 8}
    for arity, base in product(range(9), [*right, (C, U, R, TOKEN, REASON, X, C, C)]):
        fields = (*base, *ELEMENTS)[:arity]
        for place, element in product(range(arity), ELEMENTS):
            data = encode_bare((op, *fields[:place], element, *fields[place + 1 :]))
            try:
                message = decode_control(data)
            except ProtocolViolation:
                continue
            assert arity in arities
            written = encode_control(message)
            if op != ControlOp.ALTACT_SIG_SEND:  # whose token may be `undefined`, as if there were none
                assert encode_control(decode_control(written)) == written
