"""Terms as OTP 25 writes them (term_to_binary, or seen on a link) and as Python holds them."""

from __future__ import annotations

from typing import NamedTuple

from mod_erlang_py.etf import Atom, Binary, Function, List, Pid, Port, Reference, Term

PID = Pid("otp@127.0.0.1", 92, 0, 0x6B03653B)
PID_HEX = "58770d6f7470403132372e302e302e310000005c000000006b03653b"
REF = Reference("otp@127.0.0.1", 0x6B03653B, (0x4C3E, 0x6F4D0002, 0xB13FAEFC))
REF_HEX = "5a0003770d6f7470403132372e302e302e316b03653b00004c3e6f4d0002b13faefc"
FUN_HEX = (
    "7000000039 00 b4ed4e7d0e9a3f40916d386993231fc8 00000000 00000001"
    "770166 6100 6205a76a73 5877016e000000090000000000000000 6101"
)  # fmt: skip
NODE = Atom("n@h")


class Vector(NamedTuple):
    tag: int
    term: Term
    hex: str  # without the version byte


BOTH_WAYS = [
    Vector(70, 1.5, "463ff8000000000000"),
    Vector(70, -0.0, "468000000000000000"),
    Vector(77, Binary(b"\xa0", 3), "4d0000000103a0"),
    Vector(88, PID, PID_HEX),
    Vector(89, Port(NODE, b"\0\0\0\5", b"\0\0\0\1"), "5977036e40680000000500000001"),
    Vector(90, REF, REF_HEX),
    Vector(97, 0, "6100"),
    Vector(97, 255, "61ff"),
    Vector(98, 256, "6200000100"),
    Vector(98, -1, "62ffffffff"),
    Vector(98, -(1 << 31), "6280000000"),
    Vector(104, (), "6800"),
    Vector(104, (Atom("api"), Atom("echo"), b"hello"), "6803770361706977046563686f6b000568656c6c6f"),
    Vector(105, (0,) * 256, "6900000100" + "6100" * 256),
    Vector(106, [], "6a"),
    Vector(107, b"\1\2\3", "6b0003010203"),
    Vector(107, b"x" * 65535, "6bffff" + "78" * 65535),
    Vector(108, [300, Atom("a")], "6c00000002620000012c7701616a"),
    Vector(108, List([Atom("alias"), REF], improper=True), "6c000000017705616c696173" + REF_HEX),
    Vector(109, Binary(b""), "6d00000000"),
    Vector(109, Binary(b"bin"), "6d0000000362696e"),
    Vector(110, 1 << 31, "6e040000000080"),
    Vector(110, 1 << 64, "6e0900000000000000000001"),
    Vector(110, -(1 << 31) - 1, "6e040101000080"),
    Vector(111, 1 << 2048, "6f0000010100" + "00" * 256 + "01"),
    Vector(112, Function(112, bytes.fromhex(FUN_HEX)[1:]), FUN_HEX),
    Vector(113, Function(113, bytes.fromhex("77056c6973747377036d61706102")), "7177056c6973747377036d61706102"),
    Vector(116, {}, "7400000000"),
    Vector(116, {Atom("a"): 1, (Atom("k"), 1): [2.0]}, "740000000277016161016802 77016b61016c00000001"
           "4640000000000000006a"),
    Vector(116, {List([2, 300]): (Atom("x"),)}, "74000000016c000000026102620000012c6a6801770178"),
    Vector(116, {1: Atom("int"), 2: Atom("int")}, "740000000261017703696e7461027703696e74"),
    Vector(118, Atom("ж" * 255), "7601fe" + "d0b6" * 255),
    Vector(119, Atom("жé"), "7704d0b6c3a9"),
    Vector(119, Atom(""), "7700"),
    Vector(119, True, "770474727565"),
    Vector(119, False, "770566616c7365"),
    Vector(119, None, "7709756e646566696e6564"),
    Vector(120, Port(NODE, b"\0\0\0\1\0\0\0\5", b"\0\0\0\1"), "7877036e4068000000010000000500000001"),
]  # fmt: skip

# What other nodes may write, and OTP itself no longer does.
DECODE_ONLY = [
    Vector(98, 5, "6200000005"),
    Vector(99, 1.5, "63" + b"1.50000000000000000000e+00".ljust(31, b"\0").hex()),
    Vector(100, Atom(b"caf\xe9"), "640004636166e9"),
    Vector(100, True, "64000474727565"),
    Vector(101, Reference("n@h", 1, (7,)), "6577036e40680000000701"),
    Vector(102, Port(NODE, b"\0\0\0\5", b"\1"), "6677036e40680000000501"),
    Vector(103, Pid("n@h", 7, 8, 1), "6777036e4068000000070000000801"),
    Vector(105, (1,), "69000000016101"),
    Vector(107, b"", "6b0000"),
    Vector(108, [], "6c000000006a"),
    Vector(108, [1], "6c0000000161016a"),
    Vector(110, 0, "6e0000"),
    Vector(111, -5, "6f000000010105"),
    Vector(114, Reference("n@h", 1, (7, 8)), "72000277036e4068010000000700000008"),
    Vector(115, Atom(b"\xe9"), "7301e9"),
    Vector(118, Atom("a"), "76000161"),
]
