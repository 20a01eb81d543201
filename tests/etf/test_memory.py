"""What is said of the memory of a term is near what it takes."""

from __future__ import annotations

import gc
import struct
import tracemalloc

import pytest

from mod_erlang_py.etf import Term, decode_message, memory

PID = b"X" + b"w\x0epeer@localhost" + b"\0\0\0\1\0\0\0\0\0\0\0\1"


@pytest.mark.parametrize(
    "element",
    [
        b"j",
        b"h\1j",
        b"l\0\0\0\1jj",
        b"k\0\4text",
        b"m\0\0\0\4text",
        b"m\0\0\4\0" + b"x" * 1024,
        b"w\5atoms",
        b"F\0\0\0\0\0\0\0\1",
        b"b\0\1\0\0",
        PID,
        b"Z\0\3" + PID[1:17] + b"\0\0\0\1" * 4,
        b"p\0\0\0\x36" + b"\1" + b"\0" * 24 + b"w\1ma\1a\1" + PID[:1] + b"w\3a@b" + b"\0" * 12,
        b"t\0\0\0\1a\1j",
        b"q" + b"w\1mw\1fa\1",
    ],
    ids=lambda element: element[:8].hex(),
)
def test_about_as_much(element: bytes) -> None:
    count = 2000
    data = b"\x83l" + struct.pack(">I", count) + element * count + b"j"
    gc.collect()
    tracemalloc.start()
    try:
        term: Term = decode_message(data)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken / 3 < memory(term) + 1 < 4 * taken
