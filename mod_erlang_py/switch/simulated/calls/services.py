"""What channels use of the switch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mod_erlang_py.log_levels import LogLevel
from mod_erlang_py.switch.port import Event, Header
from mod_erlang_py.switch.simulated.origin import Origin


@dataclass(frozen=True, slots=True)
class Services:
    """None of these waits for anybody; they may be used with a channel's lock held."""

    wanted: Callable[[str], bool]
    """Whether anybody wants events of that type."""
    fire: Callable[[str, list[Header], Origin], None]
    """An event of that type, with these headers behind FreeSWITCH's own. No value is empty."""
    make: Callable[[str, list[Header], Origin], Event]
    """The same event, not fired."""
    log: Callable[[LogLevel, str, str, Origin], None]
    """(level, text, the call's UUID, by whom)."""
    variable: Callable[[bytes], bytes | None]
    """A global variable."""
