"""Functions of a real libfreeswitch that need no running switch, called in a process of their own.

    ask([("words", text, delimiter, most), ("xml_error", text)])   what each returns

The child (this module run as a program) reads and writes JSON, in which bytes are Latin-1 strings.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from scripts.install import ROOT
from scripts.scratch import FreeSwitch, find_freeswitch


def ask(questions: list[tuple[Any, ...]]) -> list[Any]:
    """words: a list of bytes. xml_error: the parser's words, or None. Skips the test where there is no FreeSWITCH."""
    found = find_freeswitch()
    if not isinstance(found, FreeSwitch):
        pytest.skip(found)
    library = next(found.binary.parent.parent.glob("lib*/**/libfreeswitch.so"), None)
    if library is None:
        pytest.skip(f"no libfreeswitch.so beside {found.binary}")
    given = [[part.decode("latin-1") if isinstance(part, bytes) else part for part in one] for one in questions]
    command = [sys.executable, "-m", "tests.libfreeswitch", str(library)]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    return [
        [part.encode("latin-1") for part in one] if isinstance(one, list) else one for one in json.loads(done.stdout)
    ]


def _main(library: str) -> None:
    loaded = ctypes.CDLL(library)
    answers = [_CALLS[name](loaded, *arguments) for name, *arguments in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


def _words(loaded: ctypes.CDLL, text: str, delimiter: str, most: int) -> list[str]:
    buffer = ctypes.create_string_buffer(text.encode("latin-1"))
    found = (ctypes.c_char_p * most)()
    loaded.switch_separate_string.restype = ctypes.c_uint
    loaded.switch_separate_string.argtypes = (ctypes.c_char_p, ctypes.c_char, ctypes.c_void_p, ctypes.c_uint)
    count = loaded.switch_separate_string(buffer, delimiter.encode(), found, most)
    return [(one or b"").decode("latin-1") for one in found[:count]]


def _xml_error(loaded: ctypes.CDLL, text: str) -> str | None:
    loaded.switch_xml_parse_str_dynamic.restype = ctypes.c_void_p
    loaded.switch_xml_parse_str_dynamic.argtypes = (ctypes.c_char_p, ctypes.c_int)
    loaded.switch_xml_error.restype = ctypes.c_char_p
    loaded.switch_xml_error.argtypes = (ctypes.c_void_p,)
    parsed = loaded.switch_xml_parse_str_dynamic(text.encode("latin-1"), 1)
    said: bytes = loaded.switch_xml_error(parsed)
    return said.decode() or None


_CALLS: dict[str, Callable[..., Any]] = {"words": _words, "xml_error": _xml_error}

if __name__ == "__main__":
    _main(sys.argv[1])
