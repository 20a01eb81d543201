"""A stand-in for FreeSWITCH: enough of a switch to try the Erlang node out without one, and for tests.

It knows what the pages of docs/, the scripts and the tests of the node ask of a switch: some commands, events,
settings, the log, look-ups, and loopback calls that an XML dialplan routes. There is no sound, no codec and no network
in its calls. What it does, it does as FreeSWITCH: tests/switch asks both. It is not installed into one.

    switch.py       SimulatedSwitch: what the node is given; wires the rest
    core.py         the facts of one running switch: its name, addresses, uptime, version
    calls/          channels, applications, the dialplan; a thread for each channel
    events.py       completing, delivering and receiving events      event_types.py  their names
    heartbeat.py    the HEARTBEAT thread
    variables.py    variables, and ${name}                           loadable.py     the one module, mod_erlang_py
    directory.py    its users
    xml_bindings.py who answers look-ups before the files do         settings.py     autoload_configs/*.xml
    loose_xml.py    XML as FreeSWITCH's own parser takes it
    log.py          the console log; a thread for each listener      origin.py       who fired or logged it
    regex.py        /expressions/                                    words.py        texts
    commands/       the API commands, a small function each
"""

from mod_erlang_py.switch.simulated.switch import SimulatedSwitch

__all__ = ["SimulatedSwitch"]
