"""Every term that is sent and received, at DEBUG: `erlang debug on`.

What goes to a log handler is left out: a line about a line would never end. No handshake passes here, so no cookie.
"""

from __future__ import annotations

import logging

from mod_erlang_py.etf import Term
from mod_erlang_py.etf.show import show

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)
_shown = False


def is_shown() -> bool:
    return _shown


def turn(on: bool) -> None:
    global _shown
    _log.setLevel(logging.DEBUG if on else logging.INFO)
    _shown = on


def sent(node: str, to: object, term: Term) -> None:
    """to: a pid, or the name of a process of the node."""
    _log.debug("to %s, %s: %s", node, to, show(term))


def received(node: str, sender: object, term: Term) -> None:
    _log.debug("from %s, %s: %s", node, sender, show(term))
