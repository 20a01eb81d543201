"""The dialplan's applications. Each is a function of (channel, data, calls) that runs on the channel's thread.

The modules register theirs when they are imported, which happens here:

    line       answer pre_answer ring_ready hangup park sleep echo log
    variables  set unset export
    playing    playback
    digits     read play_and_get_digits
    routing    transfer bridge

Source: mod_dptools.c of FreeSWITCH 1.11.1.
"""

from mod_erlang_py.switch.simulated.calls.applications import digits, line, playing, routing, variables
from mod_erlang_py.switch.simulated.calls.applications.registry import Application, Calls, built_in

MODULES = (digits, line, playing, routing, variables)

__all__ = ["MODULES", "Application", "Calls", "built_in"]
