"""Which source it is."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from mod_erlang_py.errors import SwitchError
from mod_erlang_py.log_levels import NOTICE
from mod_erlang_py.switch.freeswitch.events import event_names
from mod_erlang_py.switch.port import ALL, Encoder, EventSource, Form, Implementation

from .python import PythonSource

WHAT = "the compiled event source"
FILES = tuple(Path(__file__).with_name(name) for name in ("_compiled.c", "_events.h"))

log = logging.getLogger(__name__)


def choose(implementation: Implementation, encoders: Mapping[Form, Encoder]) -> EventSource:
    """Raises SwitchError when the compiled one is asked for and not to be had."""
    reason = ""
    if implementation is not Implementation.PYTHON:
        try:
            return _compiled(encoders)
        except SwitchError as error:
            if implementation is Implementation.COMPILED:
                raise
            reason = str(error)
            log.log(NOTICE, "events come by way of Python, which is slower: %s", reason)
    return PythonSource(encoders, reason=reason)


def _compiled(encoders: Mapping[Form, Encoder]) -> EventSource:
    try:
        from ._compiled import SOURCE
        from .compiled import CompiledSource
        from .proof import prove
    except ImportError as error:
        raise SwitchError(WHAT, f"not built, or not for this Python: {error}") from None
    try:
        if hashlib.sha256(b"".join(file.read_bytes() for file in FILES)).hexdigest() != SOURCE:
            raise SwitchError(WHAT, "not of this code: FreeSWITCH keeps what it has loaded, until it is restarted")
        prove(encoders)
        return CompiledSource((*event_names(), ALL))
    except OSError as error:
        raise SwitchError(WHAT, str(error)) from None
