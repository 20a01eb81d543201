"""The Python values that stand for Erlang terms: erlang-py's, with a Pid and a Reference of our own."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from erlang import (
    OtpErlangAtom as Atom,
)
from erlang import (
    OtpErlangBinary as Binary,
)
from erlang import (
    OtpErlangFunction as Function,
)
from erlang import (
    OtpErlangList as List,
)
from erlang import (
    OtpErlangPid,
    OtpErlangReference,
)
from erlang import (
    OtpErlangPort as Port,
)

from mod_erlang_py.errors import EncodeError, NotText

__all__ = [
    "Atom",
    "Binary",
    "Function",
    "List",
    "Pid",
    "Port",
    "Reference",
    "Term",
    "atom_text",
    "characters_as_utf8",
    "encode_atom",
    "encode_binary",
    "encode_string",
    "text",
]

Term: TypeAlias = Any
"""An Erlang term.

    Erlang                      Python
    true  false  undefined      True  False  None
    any other atom              Atom(str); Atom(bytes), Latin-1, when an old tag carried it: ask atom_text
    integer, float              int, float
    "text", [1, 2, 3]           bytes: every list of 1 to 65535 integers 0..255 arrives so (STRING_EXT)
    any other proper list       list; inside a map key: List
    [a | b]                     List([a, b], improper=True)
    {a, b}                      tuple
    #{k => v}                   dict
    <<"binary">>                Binary(bytes); bits < 8 in a bit string's last byte
    pid, reference              decoded: OtpErlangPid, OtpErlangReference (use Pid.of, Reference.of);
                                made here: Pid, Reference
    port, fun                   Port, Function: kept as they came

A Python str is no term: it could mean an atom, a binary or a list.

Beware: == between an erlang-py object and anything else raises AttributeError (Atom("a") == 1). With terms of a peer,
compare atom_text(term) or ask isinstance first. Pid and Reference can be compared with everything.
"""

MAX_ATOM_CHARACTERS = 255
MAX_STRING = 65535
"""Characters of a STRING_EXT; a longer string is sent as a list."""


@lru_cache(maxsize=4096)
def encode_atom(name: str) -> bytes:
    """The atom as SMALL_ATOM_UTF8_EXT, or as ATOM_UTF8_EXT when over 255 bytes.

    Raises: EncodeError over 255 characters, or for lone surrogates.
    """
    if len(name) > MAX_ATOM_CHARACTERS:
        raise EncodeError(f"atom of {len(name)} characters")
    try:
        data = name.encode()
    except UnicodeEncodeError:
        raise EncodeError(f"atom {name!r} is not Unicode text") from None
    size = len(data)
    return (struct.pack(">BB", 119, size) if size < 256 else struct.pack(">BH", 118, size)) + data


def encode_binary(value: bytes) -> bytes:
    return b"m" + struct.pack(">I", len(value)) + value


def encode_string(value: bytes) -> bytes:
    """A list of bytes: STRING_EXT, or LIST_EXT when it is longer than that can be."""
    size = len(value)
    if size == 0:
        return b"j"
    if size <= MAX_STRING:
        return b"k" + struct.pack(">H", size) + value
    elements = bytearray(b"a\0" * size)
    elements[1::2] = value
    return b"l" + struct.pack(">I", size) + bytes(elements) + b"j"


@dataclass(frozen=True, slots=True, eq=False)
class Pid(OtpErlangPid):
    """A process identifier; equal to another by its four values, whatever tag carried that one.

    Raises: EncodeError when node is no atom or a number is not within 32 bits.
    """

    # erlang-py keeps these as Atom and bytes; its own code reads them through binary() alone.
    node: str  # type: ignore[assignment]
    id: int  # type: ignore[assignment]
    serial: int  # type: ignore[assignment]
    creation: int  # type: ignore[assignment]
    _binary: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            numbers = struct.pack(">III", self.id, self.serial, self.creation)
        except struct.error:
            raise EncodeError(f"pid {self} has a number over 32 bits") from None
        object.__setattr__(self, "_binary", b"X" + encode_atom(self.node) + numbers)

    @classmethod
    def of(cls, term: Term) -> Pid | None:
        """The pid that a decoded term is, or None when it is none."""
        if isinstance(term, cls):
            return term
        if not isinstance(term, OtpErlangPid):
            return None
        return cls(_node(term.node), _number(term.id), _number(term.serial), _number(term.creation))

    def binary(self) -> bytes:
        """NEW_PID_EXT, the node as a UTF-8 atom."""
        return self._binary

    def __eq__(self, other: object) -> bool:
        return self._binary == other._binary if isinstance(other, Pid) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._binary)

    def __str__(self) -> str:
        return f"<{self.node}.{self.id}.{self.serial}>"


@dataclass(frozen=True, slots=True, eq=False)
class Reference(OtpErlangReference):
    """A reference; ids are 1 to 5 words of 32 bits, opaque. Equal to another by its three values.

    Raises: EncodeError when node is no atom, ids are none or over 5, or a number is not within 32 bits.
    """

    node: str  # type: ignore[assignment]
    creation: int  # type: ignore[assignment]
    ids: tuple[int, ...]
    _binary: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count = len(self.ids)
        if not 1 <= count <= 5:
            raise EncodeError(f"reference of {count} words")
        try:
            numbers = struct.pack(f">I{count}I", self.creation, *self.ids)
        except struct.error:
            raise EncodeError(f"reference {self} has a number over 32 bits") from None
        binary = struct.pack(">BH", 90, count) + encode_atom(self.node) + numbers
        object.__setattr__(self, "_binary", binary)

    @classmethod
    def of(cls, term: Term) -> Reference | None:
        """The reference that a decoded term is, or None when it is none."""
        if isinstance(term, cls):
            return term
        if not isinstance(term, OtpErlangReference):
            return None
        words = struct.unpack(f">{len(term.id) // 4}I", term.id)
        return cls(_node(term.node), _number(term.creation), words)

    def binary(self) -> bytes:
        """NEWER_REFERENCE_EXT, the node as a UTF-8 atom."""
        return self._binary

    def __eq__(self, other: object) -> bool:
        return self._binary == other._binary if isinstance(other, Reference) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._binary)

    def __str__(self) -> str:
        return f"#Ref<{self.node}.{'.'.join(map(str, self.ids))}>"


def _node(atom: Atom) -> str:
    return atom.value if isinstance(atom.value, str) else atom.value.decode("latin-1")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def atom_text(term: Term) -> str | None:
    """The text of an atom, true, false and undefined included; None for any other term."""
    if isinstance(term, Atom):
        value = term.value
        return value if isinstance(value, str) else value.decode("latin-1")
    if term is None:
        return "undefined"
    if term is True:
        return "true"
    return "false" if term is False else None


def text(term: Term) -> bytes:
    """What an Erlang programmer means by a text: string, list of characters, binary, atom; or an iolist.

    Binaries are the bytes that they are. So are the integers of a string or an iolist, if the whole is UTF-8 then: that
    is what `unicode:characters_to_binary` and a list of it have. Else they are code points, which become UTF-8.
    Raises: NotText for any other term, for code points that are none, and for bit strings.
    """
    if isinstance(term, bytes):
        return characters_as_utf8(term)
    if isinstance(term, Binary) and term.bits == 8:
        return term.value
    if isinstance(term, (list, List)):
        return _joined(_pieces(term))
    name = atom_text(term)
    if name is None:
        raise NotText(f"no text but {type(term).__name__}")
    try:
        return name.encode()
    except UnicodeEncodeError:
        raise NotText("atom that is not Unicode text") from None


def characters_as_utf8(characters: bytes) -> bytes:
    """A list of integers up to 255, as UTF-8: as they are when they are UTF-8, else as code points."""
    try:
        characters.decode()
    except UnicodeDecodeError:
        return characters.decode("latin-1").encode()
    return characters


def _pieces(term: list[Term] | List) -> list[bytes | str]:
    """What stands in an iolist, in order: the bytes of binaries, and characters."""
    pieces: list[bytes | str] = []
    stack: list[Term] = [term]
    while stack:
        one = stack.pop()
        if isinstance(one, int) and not isinstance(one, bool):
            try:
                pieces.append(chr(one))
            except (ValueError, OverflowError):
                raise NotText("a number that is no character") from None
        elif isinstance(one, bytes):
            pieces.append(one.decode("latin-1"))
        elif isinstance(one, Binary) and one.bits == 8:
            pieces.append(one.value)
        elif isinstance(one, list):
            stack.extend(reversed(one))
        elif isinstance(one, List) and (not one.improper or isinstance(one.value[-1], Binary)):
            stack.extend(reversed(one.value))
        else:
            raise NotText(f"{type(one).__name__} in a text")
    return pieces


def _joined(pieces: list[bytes | str]) -> bytes:
    try:
        narrow = b"".join(one if isinstance(one, bytes) else one.encode("latin-1") for one in pieces)
        narrow.decode()
        return narrow
    except UnicodeError:  # a character over 255, or no UTF-8
        pass
    try:
        return b"".join(one if isinstance(one, bytes) else one.encode() for one in pieces)
    except UnicodeEncodeError:
        raise NotText("a number that is no character") from None
