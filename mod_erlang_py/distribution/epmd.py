"""The Erlang port mapper: requests, replies, both ways.

Requests carry a length before them, replies none: a reply's decoder says None until it has all of it.
Source: ERTS "Distribution Protocol", section "EPMD Protocol".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from mod_erlang_py.errors import EpmdError


class NodeType(IntEnum):
    HIDDEN = 72
    NORMAL = 77


class _Tag(IntEnum):
    DUMP_REQ = 100
    KILL_REQ = 107
    NAMES_REQ = 110
    STOP_REQ = 115
    ALIVE2_X_RESP = 118
    PORT2_RESP = 119
    ALIVE2_REQ = 120
    ALIVE2_RESP = 121
    PORT_PLEASE2_REQ = 122


@dataclass(frozen=True, slots=True)
class EpmdEntry:
    """A node as epmd knows it.

    name: the part before the @. port: where the node listens. node_type: a NodeType, or what was registered.
    highest, lowest: handshake versions; 6 is OTP 23's. From 6 on epmd answers with a 32-bit creation.
    """

    name: str
    port: int
    node_type: int = NodeType.HIDDEN
    highest: int = 6
    lowest: int = 5
    extra: bytes = b""


@dataclass(frozen=True, slots=True)
class AliveRequest:
    entry: EpmdEntry


@dataclass(frozen=True, slots=True)
class PortPleaseRequest:
    name: str


@dataclass(frozen=True, slots=True)
class NamesRequest:
    pass


@dataclass(frozen=True, slots=True)
class DumpRequest:
    pass


@dataclass(frozen=True, slots=True)
class KillRequest:
    pass


@dataclass(frozen=True, slots=True)
class StopRequest:
    name: str


Request: TypeAlias = AliveRequest | PortPleaseRequest | NamesRequest | DumpRequest | KillRequest | StopRequest

KILL_OK, KILL_NO = b"OK", b"NO"
_ENTRY = struct.Struct(">HBBHHH")  # port, node type, protocol, highest, lowest, length of the name
_TCP_IPV4 = 0
_NAME_LINE = re.compile(r"name (\S+) at port (\d{1,5})", re.ASCII)


# --- the node's side ---


def alive2_request(entry: EpmdEntry) -> bytes:
    """ALIVE2_REQ: register; the registration lasts as long as the connection."""
    return _request(bytes([_Tag.ALIVE2_REQ]) + _encode_entry(entry))


def port_please2_request(name: str) -> bytes:
    """PORT_PLEASE2_REQ for the part of a node name before the @."""
    return _request(bytes([_Tag.PORT_PLEASE2_REQ]) + name.encode())


def names_request() -> bytes:
    return _request(bytes([_Tag.NAMES_REQ]))


def decode_alive2_response(data: bytes) -> int | None:
    """The creation that ALIVE2_X_RESP (OTP 23 on) or ALIVE2_RESP grants, or None while it is incomplete.

    Raises: EpmdError when epmd refuses, as for a name that is taken, and for bytes that are no answer.
    """
    if not data:
        return None
    if data[0] not in (_Tag.ALIVE2_X_RESP, _Tag.ALIVE2_RESP):
        raise EpmdError(f"no answer to ALIVE2_REQ: {data[:16].hex()}")
    size = 6 if data[0] == _Tag.ALIVE2_X_RESP else 4
    if len(data) < size:
        return None
    if data[1]:
        raise EpmdError(f"registration refused: result {data[1]}")
    return int.from_bytes(data[2:size], "big")


def decode_port2_response(data: bytes) -> EpmdEntry | None:
    """The entry that PORT2_RESP holds, or None while it is incomplete.

    Raises: EpmdError('unknown') when epmd has no such name; EpmdError for bytes that are no answer.
    """
    if data and data[0] != _Tag.PORT2_RESP:
        raise EpmdError(f"no answer to PORT_PLEASE2_REQ: {data[:16].hex()}")
    if len(data) < 2:
        return None
    if data[1]:
        raise EpmdError("unknown")
    return _decode_entry(data[2:])


def decode_names_response(data: bytes) -> dict[str, int]:
    """Name -> port from the whole reply to NAMES_REQ, which ends with the connection.

    Raises: EpmdError when the reply is cut short or no such list.
    """
    if len(data) < 4:
        raise EpmdError("no answer to NAMES_REQ")
    found = {}
    for line in data[4:].decode(errors="replace").splitlines():
        match = _NAME_LINE.fullmatch(line)
        if match is None:
            raise EpmdError(f"no line of NAMES_REQ's answer: {line[:80]!r}")
        found[match[1]] = int(match[2])
    return found


# --- epmd's side ---


def decode_request(body: bytes) -> Request:
    """The request in body, which is without its length. Raises: EpmdError for any other one, and for an empty name."""
    if not body:
        raise EpmdError("empty request")
    rest = body[1:]
    match body[0]:
        case _Tag.ALIVE2_REQ:
            entry = _decode_entry(rest)
            if entry is None:
                raise EpmdError("ALIVE2_REQ cut short")
            _check_name(entry.name)
            return AliveRequest(entry)
        case _Tag.PORT_PLEASE2_REQ:
            return PortPleaseRequest(_decode_asked(rest))
        case _Tag.NAMES_REQ:
            return NamesRequest()
        case _Tag.DUMP_REQ:
            return DumpRequest()
        case _Tag.KILL_REQ:
            return KillRequest()
        case _Tag.STOP_REQ:
            return StopRequest(_decode_asked(rest))
        case _:
            raise EpmdError(f"no request that we serve: {body[:16].hex()}")


def alive2_response(entry: EpmdEntry, creation: int, result: int = 0) -> bytes:
    """ALIVE2_X_RESP, or ALIVE2_RESP for an entry whose highest version is under 6. result: 0 is success."""
    if entry.highest >= 6:
        return struct.pack(">BBI", _Tag.ALIVE2_X_RESP, result, creation)
    return struct.pack(">BBH", _Tag.ALIVE2_RESP, result, creation)


def port2_response(entry: EpmdEntry | None) -> bytes:
    """PORT2_RESP; None says that the name is unknown."""
    if entry is None:
        return bytes([_Tag.PORT2_RESP, 1])
    return bytes([_Tag.PORT2_RESP, 0]) + _encode_entry(entry)


def names_response(epmd_port: int, entries: Iterable[EpmdEntry]) -> bytes:
    lines = "".join(f"name {entry.name} at port {entry.port}\n" for entry in entries)
    return struct.pack(">I", epmd_port) + lines.encode()


def dump_response(epmd_port: int, entries: Iterable[tuple[EpmdEntry, int]]) -> bytes:
    """What is registered, with the number of the descriptor that holds each."""
    lines = "".join(f"active name     <{entry.name}> at port {entry.port}, fd = {fd}\n\0" for entry, fd in entries)
    return struct.pack(">I", epmd_port) + lines.encode()


def _request(body: bytes) -> bytes:
    return struct.pack(">H", len(body)) + body


def _encode_entry(entry: EpmdEntry) -> bytes:
    name = entry.name.encode()
    head = _ENTRY.pack(entry.port, entry.node_type, _TCP_IPV4, entry.highest, entry.lowest, len(name))
    return head + name + struct.pack(">H", len(entry.extra)) + entry.extra


def _decode_entry(data: bytes) -> EpmdEntry | None:
    """The entry, or None while it is incomplete."""
    if len(data) < _ENTRY.size:
        return None
    port, node_type, _protocol, highest, lowest, name_size = _ENTRY.unpack_from(data)
    name_end = _ENTRY.size + name_size
    if len(data) < name_end + 2:
        return None
    extra_end = name_end + 2 + int.from_bytes(data[name_end : name_end + 2], "big")
    if len(data) < extra_end:
        return None
    name = _decode_name(data[_ENTRY.size : name_end])
    return EpmdEntry(name, port, node_type, highest, lowest, data[name_end + 2 : extra_end])


def _decode_asked(data: bytes) -> str:
    """A name that goes to the end of its request; old nodes put a NUL there."""
    name = _decode_name(data.removesuffix(b"\0"))
    _check_name(name)
    return name


def _check_name(name: str) -> None:
    if not name or "\0" in name:
        raise EpmdError(f"no name of a node: {name[:80]!r}")


def _decode_name(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise EpmdError(f"name that is not UTF-8: {data[:80]!r}") from None
