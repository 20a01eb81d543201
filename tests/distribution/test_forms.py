"""Each control message as it goes to peers of all kinds."""

from __future__ import annotations

from typing import get_args

import pytest

from mod_erlang_py.distribution.connection import FrameReader, Received, decode_body
from mod_erlang_py.distribution.control import (
    IN_PAYLOAD,
    AliasSend,
    AltactBits,
    AltactSigSend,
    ControlMessage,
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
)
from mod_erlang_py.distribution.flags import MANDATORY_26, NEEDED, OURS, DistFlags
from mod_erlang_py.distribution.forms import form, send_control, signal_frame
from mod_erlang_py.etf import Atom, Pid, Reference, encode

C = Pid("otp@h", 92, 0, 5)
U = Pid("cn1@h", 7, 1, 6)
R = Reference("otp@h", 5, (1, 2, 3))
REASON = (Atom("shutdown"), Atom("x"))
TOKEN = (0, 17, 1, C, 0)

NONE = DistFlags(0)
ALL = DistFlags(sum(DistFlags))
MONITOR, NAME = DistFlags.DIST_MONITOR, DistFlags.DIST_MONITOR_NAME
SENDER, EXITS, IDS = DistFlags.SEND_SENDER, DistFlags.EXIT_PAYLOAD, DistFlags.UNLINK_ID
SPAWN = SpawnRequest(R, C, C, ("m", "f", 0), [])
PRIORITY = AltactSigSend(AltactBits.PRIORITY, C, U)
DOWN, DOWN_IN_PAYLOAD = MonitorPExit(U, C, R, REASON), MonitorPExit(U, C, R, IN_PAYLOAD)

ONLY_WITH_BOTH: list[ControlMessage] = [
    MonitorP(C, U, R),
    MonitorP(C, "n", R),
    DemonitorP(C, U, R),
    DemonitorP(C, "n", R),
]
TABLE: list[tuple[ControlMessage, list[tuple[DistFlags, ControlMessage | None]]]] = [
    # message; the flags that count for it, all combinations of them, with the form in which it goes to such a peer
    (Link(C, U), [(NONE, Link(C, U))]),
    (Send(U), [(NONE, Send(U)), (SENDER, Send(U))]),
    (Send(U, TOKEN), [(NONE, Send(U, TOKEN))]),
    (SendSender(C, U), [(NONE, Send(U)), (SENDER, SendSender(C, U))]),
    (SendSender(C, U, TOKEN), [(NONE, Send(U, TOKEN)), (SENDER, SendSender(C, U, TOKEN))]),
    (RegSend(C, "n"), [(NONE, RegSend(C, "n"))]),
    (RegSend(C, "n", TOKEN), [(NONE, RegSend(C, "n", TOKEN))]),
    (GroupLeader(C, U), [(NONE, GroupLeader(C, U))]),
    (Exit(C, U, REASON), [(NONE, Exit(C, U, REASON)), (EXITS, Exit(C, U, IN_PAYLOAD))]),
    (Exit(C, U, REASON, TOKEN), [(NONE, Exit(C, U, REASON, TOKEN)), (EXITS, Exit(C, U, IN_PAYLOAD, TOKEN))]),
    (Exit2(C, U, REASON), [(NONE, Exit2(C, U, REASON)), (EXITS, Exit2(C, U, IN_PAYLOAD))]),
    (Exit2(C, U, REASON, TOKEN), [(NONE, Exit2(C, U, REASON, TOKEN)), (EXITS, Exit2(C, U, IN_PAYLOAD, TOKEN))]),
    (Unlink(C, U), [(NONE, Unlink(C, U)), (IDS, None)]),
    (UnlinkId(3, C, U), [(NONE, Unlink(C, U)), (IDS, UnlinkId(3, C, U))]),
    (UnlinkIdAck(3, C, U), [(NONE, None), (IDS, UnlinkIdAck(3, C, U))]),
    *[(one, [(NONE, None), (MONITOR, None), (NAME, None), (MONITOR | NAME, one)]) for one in ONLY_WITH_BOTH],
    (
        DOWN,
        [
            *[(flags, None) for flags in (NONE, MONITOR, NAME, EXITS, MONITOR | EXITS, NAME | EXITS)],
            (MONITOR | NAME, DOWN),
            (MONITOR | NAME | EXITS, DOWN_IN_PAYLOAD),
        ],
    ),
    (SPAWN, [(NONE, None), (DistFlags.SPAWN, SPAWN)]),
    (SpawnReply(R, C, 0, "x"), [(NONE, None), (DistFlags.SPAWN, SpawnReply(R, C, 0, "x"))]),
    (AliasSend(C, R), [(NONE, None), (DistFlags.ALIAS, AliasSend(C, R))]),
    (PRIORITY, [(NONE, None), (DistFlags.ALTACT_SIG, PRIORITY)]),
]
ROWS = [(message, flags, expected) for message, row in TABLE for flags, expected in row]


def by_kind(value: object) -> str | None:
    return repr(value) if isinstance(value, DistFlags) else type(value).__name__


def test_every_message_has_its_row() -> None:
    assert {type(message) for message, _ in TABLE} == set(get_args(ControlMessage))


@pytest.mark.parametrize(("message", "flags", "expected"), ROWS, ids=by_kind)
def test_the_form(message: ControlMessage, flags: DistFlags, expected: ControlMessage | None) -> None:
    """With those flags and no others, and with all the others too that do not count for it."""
    counting = DistFlags(0)
    for one, row in TABLE:
        if one is message:
            for those, _ in row:
                counting |= those
    assert form(message, flags) == expected
    assert form(message, NEEDED & ~counting | flags) == expected
    assert form(message, ALL & ~counting | flags) == expected


@pytest.mark.parametrize("to", [U, "n"], ids=["pid", "name"])
@pytest.mark.parametrize("flags", [NONE, OURS, MANDATORY_26, ALL], ids=["none", "ours", "26", "all"])
def test_every_peer_takes_a_send(to: Pid | str, flags: DistFlags) -> None:
    sent = decode_control(send_control(C, flags)(to))
    if isinstance(to, str):
        assert sent == RegSend(C, to)
    else:
        assert sent == (SendSender(C, to) if SENDER in flags else Send(to))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (DistFlags.ALIAS, AliasSend(C, R)),
        (DistFlags.ALIAS | DistFlags.ALTACT_SIG, AltactSigSend(AltactBits.TO_ALIAS, C, R)),
        (DistFlags.ALTACT_SIG, AltactSigSend(AltactBits.TO_ALIAS, C, R)),
        (OURS, AltactSigSend(AltactBits.TO_ALIAS, C, R)),
    ],
    ids=by_kind,
)
def test_a_send_to_an_alias(flags: DistFlags, expected: ControlMessage) -> None:
    assert decode_control(send_control(C, flags)(R)) == expected


@pytest.mark.parametrize(
    ("message", "flags", "expected"),
    [
        (Link(C, U), NONE, Received(Link(C, U), None)),
        (Exit(C, U, REASON), NONE, Received(Exit(C, U, REASON), None)),
        (Exit(C, U, REASON), EXITS, Received(Exit(C, U, IN_PAYLOAD), encode(REASON))),
        (DOWN, MONITOR | NAME | EXITS, Received(DOWN_IN_PAYLOAD, encode(REASON))),
        (DOWN, MONITOR | NAME, Received(DOWN, None)),
    ],
    ids=by_kind,
)
def test_the_frame_of_a_signal(message: ControlMessage, flags: DistFlags, expected: Received) -> None:
    """The reason of an exit goes with it, in either place."""
    (body,) = FrameReader(1000).receive_data(signal_frame(message, flags))
    assert decode_body(body) == expected


def test_what_has_no_form_makes_no_frame() -> None:
    assert signal_frame(MonitorP(C, "n", R), MONITOR) == b""
