"""In what form a control message goes to a peer: the newest that its flags allow.

Everything that is sent passes here, so that a peer gets nothing that it has not said it understands: ei and jinterface
close the connection on what they do not know. The flags are those that both sides have (PeerNode.flags).
Source: ERTS "Distribution Protocol", sections "Distribution Flags" and "Protocol between Connected Nodes"; dist.c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mod_erlang_py.distribution.connection import encode_frame
from mod_erlang_py.distribution.control import (
    IN_PAYLOAD,
    AliasSend,
    AltactBits,
    AltactSigSend,
    ControlMessage,
    DemonitorP,
    Exit,
    Exit2,
    MonitorP,
    MonitorPExit,
    Send,
    SendSender,
    SpawnReply,
    SpawnRequest,
    Unlink,
    UnlinkId,
    UnlinkIdAck,
    encode_control,
)
from mod_erlang_py.distribution.flags import DistFlags
from mod_erlang_py.etf import Pid, Reference, encode, encode_atom

MONITORS = DistFlags.DIST_MONITOR | DistFlags.DIST_MONITOR_NAME
"""OTP monitors a node that has both, and no other (dist.c): ei has the first, and knows none."""
ALIASES = DistFlags.ALIAS | DistFlags.ALTACT_SIG
"""A node that has either takes what is sent to an alias."""


def form(message: ControlMessage, flags: DistFlags) -> ControlMessage | None:
    """The message as a peer with these flags takes it; None for one that it takes in no form.

    An exit signal is given with its reason; what has IN_PAYLOAD in its place afterwards has it for its payload.
    """
    match message:
        case SendSender():
            return message if DistFlags.SEND_SENDER in flags else Send(message.to, message.token)
        case MonitorP() | DemonitorP() | MonitorPExit() if MONITORS not in flags:
            return None
        case Exit() | Exit2() | MonitorPExit() if DistFlags.EXIT_PAYLOAD in flags:
            return replace(message, reason=IN_PAYLOAD)
        case UnlinkId(_, from_pid, to_pid) if DistFlags.UNLINK_ID not in flags:
            return Unlink(from_pid, to_pid)
        case UnlinkIdAck() if DistFlags.UNLINK_ID not in flags:
            return None
        case Unlink() if DistFlags.UNLINK_ID in flags:
            return None  # it wants an id, which only the sender can give
        case SpawnRequest() | SpawnReply() if DistFlags.SPAWN not in flags:
            return None
        case AliasSend() if DistFlags.ALIAS not in flags:
            return None
        case AltactSigSend() if DistFlags.ALTACT_SIG not in flags:
            return None
    return message


def send_control(local: Pid, flags: DistFlags) -> Callable[[Pid | str | Reference], bytes]:
    """What makes the control messages, encoded, of sends to the processes of a peer with these flags; a reference is an
    alias, for a peer that has ALIASES only.

    Each ends in whom it is for, and what is before that is always the same.
    """
    to_pid = b"h\x03a\x16" + local.binary() if DistFlags.SEND_SENDER in flags else b"h\x03a\x02w\0"
    to_name = b"h\x04a\x06" + local.binary() + b"w\0"
    if DistFlags.ALTACT_SIG in flags:  # OTP 28 deprecates the other, 30 shall not have it
        to_alias = b"h\x04a\x25a" + bytes((AltactBits.TO_ALIAS,)) + local.binary()
    else:
        to_alias = b"h\x03a\x21" + local.binary()

    def control(to: Pid | str | Reference) -> bytes:
        if isinstance(to, Pid):
            return to_pid + to.binary()
        return to_name + encode_atom(to) if isinstance(to, str) else to_alias + to.binary()

    return control


def signal_frame(message: ControlMessage, flags: DistFlags) -> bytes:
    """The whole frame of a message that has no payload but the reason of an exit signal; b"" where there is no form."""
    formed = form(message, flags)
    if formed is None:
        return b""
    payload = encode(message.reason) if isinstance(message, (Exit, Exit2, MonitorPExit)) and formed.has_payload else b""
    return encode_frame(encode_control(formed), payload)
