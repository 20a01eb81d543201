"""What takes bytes of strangers, each as a function of bytes that raises when something is wrong with what it did.

tests/fuzz/corpus has what each is to be tried with in every run of the tests; `make fuzz` looks for more (atheris).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import suppress
from ctypes import c_char_p, c_int, c_void_p
from functools import cache
from typing import Any

from mod_erlang_py.distribution.connection import Bodies, FrameReader, Received, decode_body
from mod_erlang_py.distribution.control import Exit, Exit2, MonitorPExit
from mod_erlang_py.distribution.epmd import decode_alive2_response, decode_names_response, decode_port2_response
from mod_erlang_py.distribution.epmd_server import Conversation, PortMapper
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.handshake import AcceptorHandshake, InitiatorHandshake, State, digest
from mod_erlang_py.distribution.handshake_events import LocalNode, NameReceived, Status, StatusReceived
from mod_erlang_py.errors import DecodeError, EpmdError, HandshakeError, ProtocolViolation
from mod_erlang_py.etf import VERSION, Term, decode, decode_message, encode, scan
from mod_erlang_py.etf.show import show
from mod_erlang_py.switch.port import Form
from mod_erlang_py.switch.simulated.event_types import EVENT_TYPES

MAX_FRAME = 4096
COOKIE = "secret"
CHALLENGE = 0xDEADBEEF
PEER = "otp@127.0.0.1"


def guard(data: bytes) -> None:
    """A term, without its 131. What is let through is built, written, and read again as the same."""
    found, term = _read(decode, VERSION + data)
    quick, quickly = _read(decode_message, VERSION + data)
    assert (quick, shown(quickly)) == (found, shown(term))
    if not found:
        return
    assert 0 < scan(data, 0) <= len(data)
    written = encode(term)
    assert encode(decode(written)) == written
    assert len(show(term, 100)) <= 101


def _read(decoder: Callable[[bytes], Term], data: bytes) -> tuple[bool, Term]:
    try:
        return True, decoder(data)
    except DecodeError:
        return False, None


def shown(term: Term) -> str:
    """With the types of all that is in it."""
    if isinstance(term, dict):
        return f"{{{', '.join(f'{shown(key)}: {shown(value)}' for key, value in term.items())}}}"
    if isinstance(term, (list, tuple)):
        return f"{type(term).__name__}({', '.join(map(shown, term))})"
    return repr(term)


def frames(data: bytes) -> None:
    """The bytes of a link; the first says how they come in pieces."""
    step, data = (data[0] if data else 0) + 1, data[1:]
    whole, whole_error = _bodies([data])
    pieces, error = _bodies([data[at : at + step] for at in range(0, len(data), step)])
    assert whole_error == error
    assert whole == pieces or error  # with an error, those of its own piece are not given any more
    remembering = Bodies()
    for body in [*pieces, *pieces]:
        found = _decoded(decode_body, body)
        seen = _decoded(remembering.decode, body)
        assert repr(seen) == repr(found)
        if found is None:
            continue
        if isinstance(found.control, (Exit, Exit2, MonitorPExit)):
            with suppress(DecodeError):
                found.reason()
        elif found.payload is not None:
            with suppress(DecodeError):
                decode_message(found.payload)


def _decoded(decoder: Callable[[bytes], Received], body: bytes) -> Received | None:
    try:
        return decoder(body)
    except ProtocolViolation:
        return None


def _bodies(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    reader = FrameReader(MAX_FRAME)
    found: list[bytes] = []
    for piece in pieces:
        try:
            found += reader.receive_data(piece)
        except ProtocolViolation:
            return found, True
    return found, False


def handshake(data: bytes) -> None:
    """The first byte says which side we are, and what we find to say to a name; the second, how the rest comes."""
    how, step, data = data[:1] or b"\0", (data[1] if len(data) > 1 else 0) + 1, data[2:]
    status = list(Status)[(how[0] >> 1) % len(Status)]
    local = LocalNode("cn1@127.0.0.1", OURS, 0x11223344)
    machine: AcceptorHandshake | InitiatorHandshake
    if how[0] & 1:
        machine = InitiatorHandshake(local, PEER, COOKIE, CHALLENGE, refused_challenges={1, 2, 3})
    else:
        machine = AcceptorHandshake(local, lambda _: COOKIE, CHALLENGE, refused_challenges={1, 2, 3})
    try:
        for at in range(0, len(data), step):
            machine.receive_data(data[at : at + step])
            for event in machine.events_received():
                if isinstance(event, NameReceived) and isinstance(machine, AcceptorHandshake):
                    machine.send_status(status)
                elif event == StatusReceived(Status.ALIVE) and isinstance(machine, InitiatorHandshake):
                    machine.answer_alive(status is not Status.ALIVE)
    except HandshakeError:
        assert machine.state in (State.FAILED, State.REFUSED)
    said = machine.data_to_send()
    assert COOKIE.encode() not in said
    for number in (1, 2, 3, CHALLENGE):
        assert digest(COOKIE, number) not in said
    assert machine.state is not State.CONNECTED or digest(COOKIE, CHALLENGE) in data


def epmd(data: bytes) -> None:
    """Three connections with an epmd; each piece of the data has a byte for which of them, and one for its length."""
    mapper = PortMapper(4369, 1)
    conversations = [Conversation(mapper, local=number != 2, fd=number) for number in range(3)]
    while len(data) > 1:
        which, size = data[0] % 3, data[1]
        piece, data = data[2 : 2 + size], data[2 + size :]
        if conversations[which].over:
            conversations[which] = Conversation(mapper, which != 2, which)
        reply = conversations[which].receive_data(piece)
        for decode_reply in (decode_alive2_response, decode_port2_response, decode_names_response):
            with suppress(EpmdError):
                decode_reply(reply)
        named = {one.name for one in conversations if one.name is not None}
        assert {entry.name for entry, _ in mapper.entries()} == named
        assert conversations[2].name is None
    for one in conversations:
        one.end()
    assert mapper.entries() == []


def events(data: bytes) -> None:
    """An event with the texts in the data, each behind its length less one: its headers, and the body, if there is one
    more. C encodes it as Python does."""
    compiled, library, encoders = _compiled()
    texts = list(_texts(data))
    names, values = texts[0::2], texts[1::2]
    body = texts[-1] if len(texts) % 2 else None
    made = library.stand_in_create(EVENT_TYPES.index("TRAP"), b"TRAP", b"")
    for name, value in zip(names, values, strict=False):
        library.stand_in_add(made, name, value)
    if body is not None:
        library.stand_in_set_body(made, body)
    for forms, flags in ((form, compiled.bits((form,))) for form in Form):
        (read,) = compiled.read(made, flags)
        headers = read.headers()
        parts = [name for name, _ in headers], [value for _, value in headers], body, read.uuid
        assert read.encoded(forms) == encoders[forms](*parts)
        decode(VERSION + read.encoded(forms))
    ctypes.CDLL(None).switch_event_destroy(ctypes.byref(c_void_p(made)))


def _texts(data: bytes) -> Iterator[bytes]:
    """None is empty, none has a NUL: they are C's. The subclass is a name that FreeSWITCH keeps apart."""
    while len(data) > 1:
        text, data = data[1 : 2 + data[0]].replace(b"\0", b"0"), data[2 + data[0] :]
        yield b"Subclass" if text == b"Event-Subclass" else text


class _Compiled:
    """Raises ImportError where there is none."""

    def __init__(self) -> None:
        from mod_erlang_py.switch.freeswitch.source import _compiled
        from mod_erlang_py.switch.freeswitch.source.compiled import bits
        from mod_erlang_py.switch.freeswitch.source.compiled_event import CompiledEvent

        self.bits = bits
        self.read: Callable[[int, int], Any] = lambda event, flags: _compiled.read(
            event, "TRAP", CompiledEvent, flags
        ).events()


@cache
def _compiled() -> tuple[_Compiled, ctypes.CDLL, Any]:
    from tests.compiled import load_stand_in, missing
    from tests.switch.source_contract import ENCODERS

    if reason := missing():
        raise ImportError(reason)
    library = load_stand_in()
    library.stand_in_create.argtypes = (c_int, c_char_p, c_char_p)
    library.stand_in_create.restype = c_void_p
    library.stand_in_add.argtypes = (c_void_p, c_char_p, c_char_p)
    library.stand_in_set_body.argtypes = (c_void_p, c_char_p)
    return _Compiled(), library, ENCODERS


TARGETS: dict[str, Callable[[bytes], None]] = {
    "guard": guard,
    "frames": frames,
    "handshake": handshake,
    "epmd": epmd,
    "events": events,
}
