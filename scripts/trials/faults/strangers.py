"""Those who connect, and are no node."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from scripts.trials.faults.fault import Fault, Trial

_RESET = struct.pack("ii", 1, 0)
_AT_ONCE = 8
_HELD = 12
"""Connections that each of those keeps open: together more than may be in their handshake."""

GARBAGE: tuple[Callable[[random.Random], bytes], ...] = (
    lambda chance: chance.randbytes(chance.randrange(1, 200)),
    lambda chance: b"GET / HTTP/1.1\r\nHost: freeswitch\r\n\r\n",
    lambda chance: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500),
    lambda chance: b"\xff\xff" + chance.randbytes(100),
    lambda chance: b"\x00\x00",
    lambda chance: b"",
    lambda chance: _name(chance, b"a" * chance.randrange(1, 400) + b"@localhost"),
    lambda chance: _name(chance, b"stranger@localhost") + chance.randbytes(50),
    lambda chance: _name(chance, b"\r\n2026-11-26 [CRIT] forged@x"),
)


def _name(chance: random.Random, name: bytes) -> bytes:
    """The first packet of a handshake of version 6."""
    packet = b"N" + chance.randbytes(8) + struct.pack(">IH", 7, len(name)) + name
    return struct.pack(">H", len(packet)) + packet


def _garbage(trial: Trial) -> int:
    tries = trial.tries(10_000)

    def one_after_the_other(seed: int) -> None:
        chance = random.Random(seed)
        held: deque[socket.socket] = deque()
        for number in range(tries // _AT_ONCE):
            with contextlib.suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", trial.switch.port), timeout=10)
                held.append(connection)
                connection.sendall(GARBAGE[number % len(GARBAGE)](chance))
            if len(held) > _HELD:
                _close(held.popleft(), reset=bool(number % 2))
        for connection in held:
            _close(connection, reset=False)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(one_after_the_other, range(_AT_ONCE)))
    return tries


def _close(connection: socket.socket, reset: bool) -> None:
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


FAULTS = (Fault("garbage", "10,000 connections of those who are no node", _garbage),)
