"""What other nodes ask of `net_kernel`, the one registered process that every node has."""

from __future__ import annotations

import logging

from mod_erlang_py import etf
from mod_erlang_py.errors import DecodeError
from mod_erlang_py.etf import Atom, Pid, Term, atom_text

from .link import Link

log = logging.getLogger(__name__)


def answer(link: Link, payload: bytes) -> bool:
    """`{'$gen_call', {Pid, Tag}, {is_auth, Node}}`, which is net_adm:ping, gets `{Tag, yes}`. Whether that is all.

    Tag is given back as it came: a reference, or `[alias | Ref]` since OTP 24. To a ping there must be no other answer,
    and no DOWN: OTP takes them for a reason to disconnect (seen with 25). Whoever waits for
    something else is answered as by any other process of ours; the rest is dropped.
    """
    try:
        message = etf.decode(payload)
    except DecodeError as error:
        log.debug("%s sent net_kernel bytes that are no term: %s", link.name, error)
        return True
    match message:
        case (call, tuple((caller, tag)), request) if pid := Pid.of(caller):
            if atom_text(call) != "$gen_call" or not _is_auth(request):
                return False
            link.send(pid, (tag, Atom("yes")))
            return True
        case (sender, *_) if Pid.of(sender):
            return False
    log.debug("%s sent net_kernel something else than a ping", link.name)
    return True


def _is_auth(request: Term) -> bool:
    return isinstance(request, tuple) and len(request) == 2 and atom_text(request[0]) == "is_auth"
