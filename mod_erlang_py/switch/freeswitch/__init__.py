"""The switch that this interpreter runs in, through mod_python3.

libfreeswitch is called by ctypes, which lets other Python threads run meanwhile; the SWIG bindings do not.

    ffi.py      its functions, called without the GIL or keeping it, checked when they are looked up
    prototypes.py, structs.py   their prototypes, and the structures and callbacks they take
    switch.py   class FreeSwitch, the Switch of switch/port
    module.py   the module `mod_erlang_py`, registered from Python
    names.py    keeps its names when another module had them too; reload.py  starts it again after `reload`
    left.py     calling it where it may come back into Python
    core.py     commands, and whether the switch is ending
    completion.py  what TAB offers in fs_cli
    events.py   events: fired, and read where they lie; event_json.py   what they are read from
    source/     where events come from
    log.py      the switch's log, written to by Python's logging, and read
    session.py  calls
    xml.py      answering the switch's XML look-ups
    regex.py    the switch's regular expressions
"""

from .switch import FreeSwitch

__all__ = ["FreeSwitch"]
