"""What can be wrong with a handshake's bytes, from either side, and with what is said to epmd."""

from __future__ import annotations

import struct
from random import Random

from mod_erlang_py.distribution.epmd import EpmdEntry, alive2_request, names_request, port_please2_request
from mod_erlang_py.distribution.flags import OURS
from mod_erlang_py.distribution.handshake import digest

WORDS = (b"ok", b"ok_simultaneous", b"nok", b"not_allowed", b"alive", b"true", b"false", b"named:x", b"")


def spoiled(random: Random, data: bytes, name: str) -> bytes:
    """In place of the packets that belong there: broken ones, others, or more of them."""
    kind = random.randrange(6)
    broken = bytearray(data or packet(random, name))
    at = random.randrange(len(broken))
    if kind == 0:
        broken[at] = random.randrange(256)
    elif kind == 1:
        del broken[at:]
    elif kind == 2:
        return data + packet(random, name)
    elif kind == 3:
        return data * random.choice((2, 3))
    elif kind == 4:
        return packet(random, name)
    else:
        size = random.choice((0, 1, len(broken) + 1, 1200, 1201, 65535))
        broken[:2] = size.to_bytes(2, "big")
    return bytes(broken)


def packet(random: Random, name: str) -> bytes:
    """A packet that belongs in some state of either side, right but for what it says."""
    node = random.choice(
        (name, "", "x", "@", "a@b@c", "a@" + "b" * 254, "a\nb@c", name.upper(), "freeswitch@localhost")
    )
    flags = random.choice((OURS.value, OURS.value, 0, 2**64 - 1, random.randrange(2**64)))
    number, creation, proof = random.randrange(2**32), random.randrange(2**32), digest("ClueCon", random.randrange(9))
    encoded = node.encode()
    size = random.choice((len(encoded), len(encoded), 0, len(encoded) + 1, 65535))
    body = random.choice(
        (
            struct.pack(">cQIH", b"N", flags, creation, size) + encoded,
            struct.pack(">cQIIH", b"N", flags, number, creation, size) + encoded,
            struct.pack(">cHI", b"n", random.choice((5, 6, 0)), flags & 0xFFFFFFFF) + encoded,
            struct.pack(">cII", b"c", flags >> 32, creation),
            b"s" + random.choice(WORDS),
            struct.pack(">cI", b"r", number) + proof,
            b"a" + proof,
            random.randbytes(random.randrange(40)),
        )
    )
    return len(body).to_bytes(2, "big") + body


def request_to_epmd(random: Random) -> tuple[bytes, int]:
    """Bytes of one, two or three requests, often broken, and how many they are."""
    count = random.choice((1, 1, 1, 2, 3))
    data = bytearray(b"".join(_to_epmd(random) for _ in range(count)))
    for _ in range(random.choice((0, 0, 1, 3))):
        data[random.randrange(len(data))] = random.randrange(256)
    if random.random() < 0.2:
        del data[random.randrange(1, len(data) + 1) :]
    return bytes(data), count


def _to_epmd(random: Random) -> bytes:
    name = random.choice(("fuzzed", "freeswitch", "a b", "é" * 20, "x" * 255, "x" * 256, "two\nlines", ""))
    entry = EpmdEntry(name, random.randrange(65536), random.choice((72, 77, 0)), random.choice((6, 5, 0)), 5,
                      random.choice((b"", b"extra", b"x" * 1100)))  # fmt: skip
    body = random.choice((b"d", b"k", b"n", b"sfuzzed", b"s", b"z", b"x", b"?", b"", b"z\xff\xfe", b"zfreeswitch\0"))
    return random.choice(
        (
            alive2_request(entry),
            port_please2_request(name),
            names_request(),
            len(body).to_bytes(2, "big") + body,
            random.choice((0, 1, 3000, 65535)).to_bytes(2, "big") + body,
        )
    )
