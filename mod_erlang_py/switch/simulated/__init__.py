"""A stand-in for FreeSWITCH: enough of a switch to try the Erlang node out without one, and for tests.

It knows commands, events, settings and the log. It makes no calls; channels and a dialplan will be modules
beside these.

    switch.py       SimulatedSwitch: what the node is given; wires the rest
    core.py         the facts of one running switch: its name, addresses, uptime, version
    events.py       completing, delivering and receiving events      event_types.py  their names
    heartbeat.py    the HEARTBEAT thread: the only one, but for one a listener to the log
    variables.py    global variables                                 expand.py       ${...}
    loadable.py     the one loadable module, mod_erlang_py
    log.py          the console log                                  settings.py     autoload_configs/*.xml
    regex.py        /expressions/                                    origin.py       who fired or logged it
    commands/       the API commands, a small function each
"""

from mod_erlang_py.switch.simulated.switch import SimulatedSwitch

__all__ = ["SimulatedSwitch"]
