"""Control messages: one frozen dataclass each, its tuple on the class line.

The forms with a trace token fold into the same class, where token is None when there is none. The reason of
an exit signal stands in the tuple or is the payload, as negotiated: then it is IN_PAYLOAD here.
Source: ERTS "Distribution Protocol", section "Protocol between Connected Nodes"; dist.c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias, get_args

from mod_erlang_py.errors import DecodeError, ProtocolViolation
from mod_erlang_py.etf import Atom, Pid, Reference, Term, atom_text, decode_bare, encode_bare


class ControlOp(IntEnum):
    """The first element of a control tuple."""

    LINK = 1
    SEND = 2
    EXIT = 3
    UNLINK = 4
    NODE_LINK = 5  # dead; OTP closes the link on it, and so do we
    REG_SEND = 6
    GROUP_LEADER = 7
    EXIT2 = 8
    SEND_TT = 12
    EXIT_TT = 13
    REG_SEND_TT = 16
    EXIT2_TT = 18
    MONITOR_P = 19
    DEMONITOR_P = 20
    MONITOR_P_EXIT = 21
    SEND_SENDER = 22
    SEND_SENDER_TT = 23
    PAYLOAD_EXIT = 24
    PAYLOAD_EXIT_TT = 25
    PAYLOAD_EXIT2 = 26
    PAYLOAD_EXIT2_TT = 27
    PAYLOAD_MONITOR_P_EXIT = 28
    SPAWN_REQUEST = 29
    SPAWN_REQUEST_TT = 30
    SPAWN_REPLY = 31
    SPAWN_REPLY_TT = 32
    ALIAS_SEND = 33
    ALIAS_SEND_TT = 34
    UNLINK_ID = 35
    UNLINK_ID_ACK = 36
    ALTACT_SIG_SEND = 37


class InPayload(Enum):
    IN_PAYLOAD = "the reason is the payload"


IN_PAYLOAD: Final = InPayload.IN_PAYLOAD


class AltactBits(IntFlag):
    """The second element of ALTACT_SIG_SEND. Without TO_ALIAS and TO_NAME: to a pid. Ignore higher bits."""

    PRIORITY = 1
    TOKEN = 2
    TO_ALIAS = 4
    TO_NAME = 8
    EXIT = 16


class _Message:
    """A control message. op: what it has on the wire. has_payload: whether a term follows the tuple."""

    __slots__ = ()
    OP: ClassVar[ControlOp]
    PAYLOAD: ClassVar[bool] = False

    @property
    def op(self) -> ControlOp:
        return self.OP

    @property
    def has_payload(self) -> bool:
        return self.PAYLOAD


class _Traceable(_Message):
    """A message with a second op, which has a token."""

    __slots__ = ()
    OP_TT: ClassVar[ControlOp]
    token: Term

    @property
    def op(self) -> ControlOp:
        return self.OP if self.token is None else self.OP_TT


class _ExitSignal(_Message):
    """A message whose reason is in the tuple or in the payload, each with an op of its own."""

    __slots__ = ()
    PAYLOAD_OP: ClassVar[ControlOp]
    reason: Term

    @property
    def op(self) -> ControlOp:
        return self.PAYLOAD_OP if self.has_payload else self.OP

    @property
    def has_payload(self) -> bool:
        return self.reason is IN_PAYLOAD


class _TraceableExit(_ExitSignal):
    __slots__ = ()
    OP_TT: ClassVar[ControlOp]
    PAYLOAD_OP_TT: ClassVar[ControlOp]
    token: Term

    @property
    def op(self) -> ControlOp:
        if self.token is None:
            return self.PAYLOAD_OP if self.has_payload else self.OP
        return self.PAYLOAD_OP_TT if self.has_payload else self.OP_TT


@dataclass(frozen=True, slots=True)
class Link(_Message):  # {1, FromPid, ToPid}
    OP = ControlOp.LINK
    from_pid: Pid
    to_pid: Pid


@dataclass(frozen=True, slots=True)
class Send(_Traceable):  # {2, '', ToPid} {12, '', ToPid, Token}; payload: the message
    OP, OP_TT, PAYLOAD = ControlOp.SEND, ControlOp.SEND_TT, True
    to: Pid
    token: Term = None


@dataclass(frozen=True, slots=True)
class Exit(_TraceableExit):  # {3, FromPid, ToPid, Reason} {13, .., Token, Reason} {24, ..} {25, ..}
    """A link is broken, for its sender ended."""

    OP, OP_TT = ControlOp.EXIT, ControlOp.EXIT_TT
    PAYLOAD_OP, PAYLOAD_OP_TT = ControlOp.PAYLOAD_EXIT, ControlOp.PAYLOAD_EXIT_TT
    from_pid: Pid
    to_pid: Pid
    reason: Term
    token: Term = None


@dataclass(frozen=True, slots=True)
class Unlink(_Message):  # {4, FromPid, ToPid}; only without UNLINK_ID
    OP = ControlOp.UNLINK
    from_pid: Pid
    to_pid: Pid


@dataclass(frozen=True, slots=True)
class RegSend(_Traceable):  # {6, FromPid, '', ToName} {16, FromPid, '', ToName, Token}; payload: the message
    OP, OP_TT, PAYLOAD = ControlOp.REG_SEND, ControlOp.REG_SEND_TT, True
    from_pid: Pid
    to_name: str
    token: Term = None


@dataclass(frozen=True, slots=True)
class GroupLeader(_Message):  # {7, Leader, ToPid}
    """leader, the sender, is to be the group leader of to_pid."""

    OP = ControlOp.GROUP_LEADER
    leader: Pid
    to_pid: Pid


@dataclass(frozen=True, slots=True)
class Exit2(_TraceableExit):  # {8, FromPid, ToPid, Reason} {18, .., Token, Reason} {26, ..} {27, ..}
    """exit/2 was called."""

    OP, OP_TT = ControlOp.EXIT2, ControlOp.EXIT2_TT
    PAYLOAD_OP, PAYLOAD_OP_TT = ControlOp.PAYLOAD_EXIT2, ControlOp.PAYLOAD_EXIT2_TT
    from_pid: Pid
    to_pid: Pid
    reason: Term
    token: Term = None


@dataclass(frozen=True, slots=True)
class MonitorP(_Message):  # {19, FromPid, ToPidOrName, Ref}
    OP = ControlOp.MONITOR_P
    from_pid: Pid
    to: Pid | str
    ref: Reference


@dataclass(frozen=True, slots=True)
class DemonitorP(_Message):  # {20, FromPid, ToPidOrName, Ref}
    OP = ControlOp.DEMONITOR_P
    from_pid: Pid
    to: Pid | str
    ref: Reference


@dataclass(frozen=True, slots=True)
class MonitorPExit(_ExitSignal):  # {21, FromPidOrName, ToPid, Ref, Reason} {28, FromPidOrName, ToPid, Ref}
    """What ToPid monitored is gone; from_ is what its MonitorP named as to."""

    OP, PAYLOAD_OP = ControlOp.MONITOR_P_EXIT, ControlOp.PAYLOAD_MONITOR_P_EXIT
    from_: Pid | str
    to_pid: Pid
    ref: Reference
    reason: Term


@dataclass(frozen=True, slots=True)
class SendSender(_Traceable):  # {22, FromPid, ToPid} {23, FromPid, ToPid, Token}; payload: the message
    OP, OP_TT, PAYLOAD = ControlOp.SEND_SENDER, ControlOp.SEND_SENDER_TT, True
    from_pid: Pid
    to: Pid
    token: Term = None


@dataclass(frozen=True, slots=True)
class SpawnRequest(_Traceable):  # {29, Ref, FromPid, GroupLeader, {M, F, Arity}, Opts} {30, .., Token}
    """payload: the argument list."""

    OP, OP_TT, PAYLOAD = ControlOp.SPAWN_REQUEST, ControlOp.SPAWN_REQUEST_TT, True
    ref: Reference
    from_pid: Pid
    group_leader: Pid | str
    mfa: tuple[str, str, int]
    options: Term
    token: Term = None


@dataclass(frozen=True, slots=True)
class SpawnReply(_Traceable):  # {31, Ref, ToPid, Flags, PidOrErrorAtom} {32, .., Token}
    """flags: 1 a link was made, 2 a monitor was made."""

    OP, OP_TT = ControlOp.SPAWN_REPLY, ControlOp.SPAWN_REPLY_TT
    ref: Reference
    to_pid: Pid
    flags: int
    result: Pid | str
    token: Term = None


@dataclass(frozen=True, slots=True)
class AliasSend(_Traceable):  # {33, FromPid, Alias} {34, FromPid, Alias, Token}; payload: the message
    OP, OP_TT, PAYLOAD = ControlOp.ALIAS_SEND, ControlOp.ALIAS_SEND_TT, True
    from_pid: Pid
    to: Reference
    token: Term = None


@dataclass(frozen=True, slots=True)
class UnlinkId(_Message):  # {35, Id, FromPid, ToPid}; id: 1 to 2^64 - 1
    OP = ControlOp.UNLINK_ID
    id: int
    from_pid: Pid
    to_pid: Pid


@dataclass(frozen=True, slots=True)
class UnlinkIdAck(_Message):  # {36, Id, FromPid, ToPid}; the id of the UnlinkId
    OP = ControlOp.UNLINK_ID_ACK
    id: int
    from_pid: Pid
    to_pid: Pid


@dataclass(frozen=True, slots=True)
class AltactSigSend(_Message):  # {37, Bits, FromPid, To} {37, Bits, FromPid, To, Token}
    """payload: the message, or the reason when bits has AltactBits.EXIT. The type of to is what bits says."""

    OP, PAYLOAD = ControlOp.ALTACT_SIG_SEND, True
    bits: int
    from_pid: Pid
    to: Pid | Reference | str
    token: Term = None


ControlMessage: TypeAlias = (
    Link
    | Send
    | Exit
    | Unlink
    | RegSend
    | GroupLeader
    | Exit2
    | MonitorP
    | DemonitorP
    | MonitorPExit
    | SendSender
    | SpawnRequest
    | SpawnReply
    | AliasSend
    | UnlinkId
    | UnlinkIdAck
    | AltactSigSend
)


def decode_control(data: bytes) -> ControlMessage:
    """The message in data, which is the control term and nothing else, without a version byte.

    Raises: ProtocolViolation for an unknown op, a wrong arity or type, or bytes that are no term.
    """
    try:
        elements = decode_bare(data)
    except DecodeError as error:
        raise ProtocolViolation(f"control message: {error}") from error
    if not isinstance(elements, tuple) or not elements or type(elements[0]) is not int:
        raise ProtocolViolation("control message that is no tuple with an op")
    if elements[0] == ControlOp.ALTACT_SIG_SEND:
        return _read_altact(elements)
    try:
        op = ControlOp(elements[0])
        fields = _FIELDS[op]
    except (ValueError, KeyError):
        raise ProtocolViolation(f"control message {elements[0]:#x} is unknown") from None
    values = elements[1:]
    if len(values) != len(fields):
        raise ProtocolViolation(f"{op.name} of {len(elements)} elements")
    message = _CLASSES[op]
    read = {field.name: field.read(value) for field, value in zip(fields, values, strict=True)}
    read.pop(_UNUSED.name, None)
    if issubclass(message, _ExitSignal):
        read.setdefault("reason", IN_PAYLOAD)
    result: ControlMessage = message(**read)
    return result


def encode_control(message: ControlMessage) -> bytes:
    """The control term without a version byte. Raises: EncodeError for a field that is no term."""
    op = message.op
    fields = _FIELDS[op]
    if isinstance(message, AltactSigSend) and message.token is None:
        fields = _ALTACT
    return encode_bare((int(op), *[field.write(getattr(message, field.name)) for field in fields]))


# --- the tuples, as tables ---


class _Field(NamedTuple):
    """An element of a control tuple: the attribute it stands for, and how it is read and written."""

    name: str
    read: Callable[[Term], Any]
    write: Callable[[Any], Term]


def _read_pid(term: Term) -> Pid:
    pid = Pid.of(term)
    if pid is None:
        raise ProtocolViolation(f"{type(term).__name__} where a pid belongs")
    return pid


def _read_reference(term: Term) -> Reference:
    reference = Reference.of(term)
    if reference is None:
        raise ProtocolViolation(f"{type(term).__name__} where a reference belongs")
    return reference


def _read_name(term: Term) -> str:
    name = atom_text(term)
    if name is None:
        raise ProtocolViolation(f"{type(term).__name__} where a name belongs")
    return name


def _read_pid_or_name(term: Term) -> Pid | str:
    return Pid.of(term) or _read_name(term)


def _read_target(term: Term) -> Pid | Reference | str:
    return Pid.of(term) or Reference.of(term) or _read_name(term)


def _read_mfa(term: Term) -> tuple[str, str, int]:
    if not isinstance(term, tuple) or len(term) != 3:
        raise ProtocolViolation("no {M, F, Arity}")
    module, function, arity = term
    return _read_name(module), _read_name(function), _read_number(arity)


def _read_number(term: Term) -> int:
    if type(term) is not int or term < 0:
        raise ProtocolViolation(f"{type(term).__name__} where a number from 0 on belongs")
    return term


def _read_unlink_id(term: Term) -> int:
    number = _read_number(term)
    if not 1 <= number < 1 << 64:
        raise ProtocolViolation(f"unlink id {number:#x}")
    return number


def _as_is(value: Any) -> Any:
    return value


def _write_name(value: Any) -> Term:
    return Atom(value) if isinstance(value, str) else value


def _write_mfa(value: tuple[str, str, int]) -> Term:
    module, function, arity = value
    return Atom(module), Atom(function), arity


def _pid(name: str) -> _Field:
    return _Field(name, _read_pid, _as_is)


def _pid_or_name(name: str) -> _Field:
    return _Field(name, _read_pid_or_name, _write_name)


def _number(name: str) -> _Field:
    return _Field(name, _read_number, _as_is)


_FROM, _TO_PID, _TO = _pid("from_pid"), _pid("to_pid"), _pid("to")
_REF = _Field("ref", _read_reference, _as_is)
_REASON = _Field("reason", _as_is, _as_is)
_TOKEN = _Field("token", _as_is, _as_is)
_UNLINK_ID = _Field("id", _read_unlink_id, _as_is)
_UNUSED = _Field("op", _as_is, lambda op: Atom(""))  # once a cookie; read by nobody

_SPAWN_REQUEST = (
    _REF,
    _FROM,
    _pid_or_name("group_leader"),
    _Field("mfa", _read_mfa, _write_mfa),
    _Field("options", _as_is, _as_is),
)
_SPAWN_REPLY = (_REF, _TO_PID, _number("flags"), _pid_or_name("result"))
_ALIAS = _Field("to", _read_reference, _as_is)
_MONITOR = (_FROM, _pid_or_name("to"), _REF)
_REG_SEND = (_FROM, _UNUSED, _Field("to_name", _read_name, _write_name))
_ALTACT = (_number("bits"), _FROM, _Field("to", _read_target, _write_name))

_FIELDS: dict[ControlOp, tuple[_Field, ...]] = {
    ControlOp.LINK: (_FROM, _TO_PID),
    ControlOp.SEND: (_UNUSED, _TO),
    ControlOp.SEND_TT: (_UNUSED, _TO, _TOKEN),
    ControlOp.EXIT: (_FROM, _TO_PID, _REASON),
    ControlOp.EXIT_TT: (_FROM, _TO_PID, _TOKEN, _REASON),
    ControlOp.PAYLOAD_EXIT: (_FROM, _TO_PID),
    ControlOp.PAYLOAD_EXIT_TT: (_FROM, _TO_PID, _TOKEN),
    ControlOp.UNLINK: (_FROM, _TO_PID),
    ControlOp.REG_SEND: _REG_SEND,
    ControlOp.REG_SEND_TT: (*_REG_SEND, _TOKEN),
    ControlOp.GROUP_LEADER: (_pid("leader"), _TO_PID),
    ControlOp.EXIT2: (_FROM, _TO_PID, _REASON),
    ControlOp.EXIT2_TT: (_FROM, _TO_PID, _TOKEN, _REASON),
    ControlOp.PAYLOAD_EXIT2: (_FROM, _TO_PID),
    ControlOp.PAYLOAD_EXIT2_TT: (_FROM, _TO_PID, _TOKEN),
    ControlOp.MONITOR_P: _MONITOR,
    ControlOp.DEMONITOR_P: _MONITOR,
    ControlOp.MONITOR_P_EXIT: (_pid_or_name("from_"), _TO_PID, _REF, _REASON),
    ControlOp.PAYLOAD_MONITOR_P_EXIT: (_pid_or_name("from_"), _TO_PID, _REF),
    ControlOp.SEND_SENDER: (_FROM, _TO),
    ControlOp.SEND_SENDER_TT: (_FROM, _TO, _TOKEN),
    ControlOp.SPAWN_REQUEST: _SPAWN_REQUEST,
    ControlOp.SPAWN_REQUEST_TT: (*_SPAWN_REQUEST, _TOKEN),
    ControlOp.SPAWN_REPLY: _SPAWN_REPLY,
    ControlOp.SPAWN_REPLY_TT: (*_SPAWN_REPLY, _TOKEN),
    ControlOp.ALIAS_SEND: (_FROM, _ALIAS),
    ControlOp.ALIAS_SEND_TT: (_FROM, _ALIAS, _TOKEN),
    ControlOp.UNLINK_ID: (_UNLINK_ID, _FROM, _TO_PID),
    ControlOp.UNLINK_ID_ACK: (_UNLINK_ID, _FROM, _TO_PID),
    ControlOp.ALTACT_SIG_SEND: (*_ALTACT, _TOKEN),
}

_CLASSES: dict[ControlOp, type[Any]] = {
    op: message
    for message in get_args(ControlMessage)
    for name in ("OP", "OP_TT", "PAYLOAD_OP", "PAYLOAD_OP_TT")
    if (op := getattr(message, name, None)) is not None
}


def _read_altact(elements: tuple[Term, ...]) -> AltactSigSend:
    """ALTACT_SIG_SEND, whose bits say what the rest is; it may grow, so further elements are ignored."""
    if len(elements) < 4:
        raise ProtocolViolation(f"ALTACT_SIG_SEND of {len(elements)} elements")
    bits, from_pid, to = [field.read(value) for field, value in zip(_ALTACT, elements[1:4], strict=True)]
    expected = Reference if bits & AltactBits.TO_ALIAS else str if bits & AltactBits.TO_NAME else Pid
    if not isinstance(to, expected):
        raise ProtocolViolation(f"ALTACT_SIG_SEND {bits:#x} to a {type(to).__name__}")
    if not bits & AltactBits.TOKEN:
        return AltactSigSend(bits, from_pid, to)
    if len(elements) < 5:
        raise ProtocolViolation("ALTACT_SIG_SEND without its token")
    return AltactSigSend(bits, from_pid, to, elements[4])
