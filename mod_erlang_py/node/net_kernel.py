"""What other nodes ask of `net_kernel`, the one registered process that every node has."""

from __future__ import annotations

import logging

from mod_erlang_py import etf
from mod_erlang_py.errors import DecodeError
from mod_erlang_py.etf import Atom, Pid, atom_text

from .link import Link

log = logging.getLogger(__name__)


def answer(link: Link, payload: bytes) -> None:
    """`{'$gen_call', {Pid, Tag}, {is_auth, Node}}`, which is net_adm:ping, gets `{Tag, yes}`.

    Tag is given back as it came: a reference, or `[alias | Ref]` since OTP 24. Anything else is dropped: OTP takes any
    other answer, or none with a DOWN, for a reason to disconnect (the reference's section 0, fact 4).
    """
    try:
        message = etf.decode(payload)
    except DecodeError as error:
        log.debug("%s sent net_kernel bytes that are no term: %s", link.name, error)
        return
    match message:
        case (call, tuple((caller, tag)), tuple((question, _))) if (
            atom_text(call) == "$gen_call" and atom_text(question) == "is_auth"
        ):
            pid = Pid.of(caller)
            if pid is not None:
                link.send(pid, (tag, Atom("yes")))
                return
    log.debug("%s sent net_kernel something else than a ping", link.name)
