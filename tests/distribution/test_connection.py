from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_erlang_py.distribution import connection
from mod_erlang_py.distribution.connection import (
    MAX_ENDS,
    MAX_KNOWN,
    TICK,
    Bodies,
    FrameReader,
    Frames,
    Received,
    decode_body,
    encode_frame,
    encode_frames,
)
from mod_erlang_py.distribution.control import (
    IN_PAYLOAD,
    AliasSend,
    ControlMessage,
    DemonitorP,
    Exit,
    Exit2,
    Link,
    MonitorP,
    MonitorPExit,
    RegSend,
    Send,
    SendSender,
    SpawnRequest,
    UnlinkId,
    encode_control,
)
from mod_erlang_py.errors import DecodeError, ProtocolViolation
from mod_erlang_py.etf import Atom, List, Pid, Reference, Term, decode, encode, scan

NODE = "otp@127.0.0.1"
CREATION = 0x6B03653B
U = Pid("cn1@127.0.0.1", 7, 1, 0x11223344)


def otp(number: int, creation: int = CREATION) -> Pid:
    return Pid(NODE, number, 0, creation)


def ref(word: int, second: int = 0x6F4D0002) -> Reference:
    return Reference(NODE, CREATION, (word, second, 0xB13FAEFC))


def gen_call(caller: Pid, tag: Reference, request: Term) -> Term:
    return Atom("$gen_call"), (caller, List([Atom("alias"), tag], improper=True)), request


# Frame bodies as OTP 25 sent them.
VECTORS: dict[str, tuple[str, ControlMessage, Term]] = {
    "ping, monitor": (
        "70836804611358770d6f7470403132372e302e302e310000005c000000006b03653b770a6e65745f6b65726e656c5a0003770d6f7470403132372e302e302e316b03653b00004c3e6f4d0002b13faefc",
        MonitorP(otp(0x5C), "net_kernel", ref(0x4C3E)),
        None,
    ),
    "ping, call": (
        "70836804610658770d6f7470403132372e302e302e310000005c000000006b03653b7700770a6e65745f6b65726e656c83680377092467656e5f63616c6c680258770d6f7470403132372e302e302e310000005c000000006b03653b6c000000017705616c6961735a0003770d6f7470403132372e302e302e316b03653b00004c3e6f4d0002b13faefc6802770769735f61757468770d6f7470403132372e302e302e31",
        RegSend(otp(0x5C), "net_kernel"),
        gen_call(otp(0x5C), ref(0x4C3E), (Atom("is_auth"), Atom(NODE))),
    ),
    "monitor pid": (
        "70836804611358770d6f7470403132372e302e302e310000005f000000006b03653b58770d636e31403132372e302e302e310000000700000001112233445a0003770d6f7470403132372e302e302e316b03653b00004c466f4c0002b13faefc",
        MonitorP(otp(0x5F), U, ref(0x4C46, 0x6F4C0002)),
        None,
    ),
    "demonitor name": (
        "70836804611458770d6f7470403132372e302e302e3100000060000000006b03653b77037372765a0003770d6f7470403132372e302e302e316b03653b00004c486f4c0002b13faefc",
        DemonitorP(otp(0x60), "srv", ref(0x4C48, 0x6F4C0002)),
        None,
    ),
    "link": (
        "70836803610158770d6f7470403132372e302e302e3100000062000000006b03653b58770d636e31403132372e302e302e31000000070000000111223344",
        Link(otp(0x62), U),
        None,
    ),
    "link, C ends": (
        "70836803611858770d6f7470403132372e302e302e3100000066000000006b03653b58770d636e31403132372e302e302e31000000070000000111223344837704626f6f6d",
        Exit(otp(0x66), U, IN_PAYLOAD),
        Atom("boom"),
    ),
    "unlink id 1": (
        "708368046123610158770d6f7470403132372e302e302e3100000064000000006b03653b58770d636e31403132372e302e302e31000000070000000111223344",
        UnlinkId(1, otp(0x64), U),
        None,
    ),
    "exit(U,die)": (
        "70836803611a58770d6f7470403132372e302e302e3100000069000000006b03653b58770d636e31403132372e302e302e31000000070000000111223344837703646965",
        Exit2(otp(0x69), U, IN_PAYLOAD),
        Atom("die"),
    ),
    "U ! hi": (
        "70836803611658770d6f7470403132372e302e302e310000006b000000006b03653b58770d636e31403132372e302e302e310000000700000001112233448377026869",
        SendSender(otp(0x6B), U),
        Atom("hi"),
    ),
    "call, request": (
        "70836804610658770d6f7470403132372e302e302e310000006c000000006b03653b7700770373727683680377092467656e5f63616c6c680258770d6f7470403132372e302e302e310000006c000000006b03653b6c000000017705616c6961735a0003770d6f7470403132372e302e302e316b03653b00004c546f4d0002b13faefc7703726571",
        RegSend(otp(0x6C), "srv"),
        gen_call(otp(0x6C), ref(0x4C54), Atom("req")),
    ),
    "cast": (
        "70836804610658770d6f7470403132372e302e302e310000006e000000006b03653b7700770373727683680277092467656e5f636173747703726571",
        RegSend(otp(0x6E), "srv"),
        (Atom("$gen_cast"), Atom("req")),
    ),
    "rpc:call": (
        "70836806611d5a0003770d6f7470403132372e302e302e316b03653b00004c5b6f4c0002b13faefc58770d6f7470403132372e302e302e3100000070000000006b03653b58770d6f7470403132372e302e302e3100000047000000006b03653b6803770465727063770c657865637574655f63616c6c61046c0000000177076d6f6e69746f726a836c000000045a0003770d6f7470403132372e302e302e316b03653b00004c5a6f4c0002b13faefc770665726c616e6777046e6f64656a6a",
        SpawnRequest(
            ref(0x4C5B, 0x6F4C0002), otp(0x70), otp(0x47), ("erpc", "execute_call", 4), [Atom("monitor")]
        ),
        [ref(0x4C5A, 0x6F4C0002), Atom("erlang"), Atom("node"), []],
    ),
    "spawn_link": (
        "70836806611d5a0003770d6f7470403132372e302e302e316b03653b00004c6f6f4c0002b13faefc58770d6f7470403132372e302e302e310000007a000000006b03653b58770d6f7470403132372e302e302e3100000047000000006b03653b6803770665726c616e6777046e6f646561006c0000000177046c696e6b6a836a",
        SpawnRequest(
            ref(0x4C6F, 0x6F4C0002), otp(0x7A), otp(0x47), ("erlang", "node", 0), [Atom("link")]
        ),
        [],
    ),
    "alias send": (
        "70836803612158770d6f7470403132372e302e302e3100000082000000006b03653b5a0003770d636e31403132372e302e302e3111223344000000010000000200000003837708616c6961736d7367",
        AliasSend(otp(0x82), Reference("cn1@127.0.0.1", 0x11223344, (1, 2, 3))),
        Atom("aliasmsg"),
    ),
    "reg send hello": (
        "70836804610658770d6f7470403132372e302e302e3100000057000000006b03653a77007702636e83770568656c6c6f",
        RegSend(otp(0x57, 0x6B03653A), "cn"),
        Atom("hello"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_frames_of_otp_25(name: str) -> None:
    body_hex, control, payload = VECTORS[name]
    body = bytes.fromhex(body_hex)
    received = decode_body(body)
    assert received.control == control
    assert (received.payload is not None) == control.has_payload
    if received.payload is not None:
        assert decode(received.payload) == payload
    frame = encode_frame(encode_control(control), encode(payload) if control.has_payload else b"")
    assert frame == len(body).to_bytes(4, "big") + body


SENDER = encode_control(SendSender(otp(1), U))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="a tick is no message"),
        pytest.param(b"p", id="p"),
        pytest.param(b"p\x83", id="no control message"),
        pytest.param(b"\x83D\0h\3", id="distribution header"),
        pytest.param(b"\x83E" + bytes(20), id="fragment"),
        pytest.param(b"p" + SENDER, id="no 131"),
        pytest.param(b"p\x83" + SENDER[:-1], id="control message cut short"),
        pytest.param(b"p\x83" + SENDER, id="no payload"),
        pytest.param(b"p\x83" + SENDER + b"a\1", id="payload without its 131"),
        pytest.param(b"p\x83P\0\0\0\0", id="compressed control message"),
        pytest.param(b"p\x83h\1a\5", id="NODE_LINK"),
    ],
)
def test_bodies_that_end_the_link(body: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        decode_body(body)


def test_a_bad_payload_is_its_receivers_matter() -> None:
    received = decode_body(b"p\x83" + SENDER + b"\x83\xff")
    assert received == Received(SendSender(otp(1), U), b"\x83\xff")


def test_bytes_after_a_message_without_payload_are_ignored() -> None:
    assert decode_body(b"p\x83" + encode_control(Link(otp(1), U)) + b"tail").payload is None


NOPROC = Atom("noproc")


@pytest.mark.parametrize("in_payload", [True, False])
def test_reasons_from_either_place(in_payload: bool) -> None:
    reason = IN_PAYLOAD if in_payload else NOPROC
    signals: list[ControlMessage] = [
        Exit(otp(1), U, reason),
        Exit2(otp(1), U, reason, (1, 2)),
        MonitorPExit("n", U, ref(1), reason),
    ]
    for signal in signals:
        body = encode_frame(encode_control(signal), encode(NOPROC) if in_payload else b"")[4:]
        assert decode_body(body).reason() == NOPROC


def test_no_reason() -> None:
    with pytest.raises(TypeError):
        Received(Send(U), b"\x83j").reason()
    with pytest.raises(DecodeError):
        Received(Exit(otp(1), U, IN_PAYLOAD), b"\x83\xff").reason()


def test_payloads_that_are_shared() -> None:
    payloads = [b"abcd", b"", b"efghi" * 100]
    frames = encode_frames(SENDER, payloads, b"\x83")
    whole = [encode_frame(SENDER, b"\x83" + payload) for payload in payloads]
    assert b"".join(frames.buffers) == b"".join(whole)
    assert (frames.number, frames.size) == (3, len(b"".join(whole)))
    assert all(one is other for one, other in zip(frames.buffers[1::2], payloads, strict=True))
    assert encode_frames(SENDER, []) == Frames([], 0, 0)


@given(st.lists(st.binary(max_size=40), max_size=20), st.data())
def test_any_split(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    reader = FrameReader(40)
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += reader.receive_data(stream[start:end])
    assert received == bodies


def test_byte_by_byte() -> None:
    reader = FrameReader(100)
    stream = TICK + encode_frame(SENDER, b"\x83j") + TICK
    received = [body for byte in stream for body in reader.receive_data(bytes([byte]))]
    assert received == [b"", b"p\x83" + SENDER + b"\x83j", b""]


def test_frames_come_out_as_soon_as_they_are_whole() -> None:
    reader = FrameReader(10)
    assert reader.receive_data(b"\0\0\0\2a") == []
    assert reader.receive_data(b"b\0\0\0\1c\0\0") == [b"ab", b"c"]
    assert reader.receive_data(b"\0\0") == [b""]


def test_the_cap_counts_before_anything_is_buffered() -> None:
    reader = FrameReader(10)
    assert reader.receive_data(b"\0\0\0\x0a" + b"x" * 10) == [b"x" * 10]
    assert reader.receive_data(b"\0\0\0") == []
    with pytest.raises(ProtocolViolation, match="limit"):
        reader.receive_data(b"\x0b")
    for data in (b"", b"x", b"x" * 100):
        with pytest.raises(ProtocolViolation):
            reader.receive_data(data)


def test_a_frame_over_the_limit_behind_one_that_came_in_parts() -> None:
    reader = FrameReader(100)
    assert reader.receive_data(b"\0\0\0\x64" + b"x" * 50) == []
    for data in (b"x" * 50 + b"\0\0\0\x65", b"", b"x"):
        with pytest.raises(ProtocolViolation, match="frame of 101 bytes"):
            reader.receive_data(data)


def test_a_frame_of_many_chunks_is_copied_a_few_times_only() -> None:
    size = 8 * 1024 * 1024
    reader = FrameReader(size)
    assert reader.receive_data(size.to_bytes(4, "big")) == []
    chunk = bytes(1024)
    received = [body for _ in range(size // 1024) for body in reader.receive_data(chunk)]
    assert [len(body) for body in received] == [size]


def test_bodies_of_a_link_are_decoded_alike_whatever_came_before() -> None:
    """Of more processes and lengths than are remembered, each twice, and one within the bytes of another."""
    bodies = Bodies()
    names = ("", "a", "ab", "abc", "abcd", "abcde", "abcdef", "foobar!", "x" * 9, "x" * 255, "ü")
    messages: list[ControlMessage] = [RegSend(otp(number), name) for number in range(MAX_KNOWN // 8) for name in names]
    messages += [SendSender(otp(1), U), Send(U), SendSender(otp(1), U, token=1), Exit2(otp(1), U, IN_PAYLOAD)]
    for number, message in enumerate(messages * 2):
        body = encode_frame(encode_control(message), encode(number))[4:]
        assert bodies.decode(body) == decode_body(body) == Received(message, encode(number))
        link = encode_frame(encode_control(Link(otp(number), U)))[4:]
        assert bodies.decode(link) == Received(Link(otp(number), U), None)
    assert len(bodies._known) <= MAX_KNOWN
    assert len(bodies._ends) <= MAX_ENDS


def test_a_control_message_that_came_before_is_not_looked_over_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_over = 0

    def counted(data: bytes, offset: int) -> int:
        nonlocal looked_over
        looked_over += 1
        return scan(data, offset)

    monkeypatch.setattr(connection, "scan", counted)
    bodies = Bodies()
    for _ in range(10):
        for number in range(3):
            bodies.decode(encode_frame(encode_control(RegSend(otp(number), "foo")), encode(1))[4:])
    assert looked_over == 3


def test_long_control_messages_are_not_remembered() -> None:
    bodies = Bodies()
    message = SendSender(otp(1), U, token=b"x" * 300)
    for _ in range(2):
        assert bodies.decode(encode_frame(encode_control(message), encode(1))[4:]).control == message
    assert not bodies._known


@given(st.binary(max_size=80), st.integers(0, 70))
def test_what_is_remembered_lets_nothing_else_through(junk: bytes, kept: int) -> None:
    bodies = Bodies()
    body = encode_frame(SENDER, encode(1))[4:]
    bodies.decode(body)
    for broken in (body[:kept] + junk, body[: -len(encode(1))] + junk):
        assert _outcome(bodies.decode, broken) == _outcome(decode_body, broken)


def _outcome(decode: Callable[[bytes], Received], body: bytes) -> Received | str:
    try:
        return decode(body)
    except ProtocolViolation as violation:
        return str(violation)
