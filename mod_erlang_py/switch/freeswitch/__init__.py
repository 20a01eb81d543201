"""The switch that this interpreter runs in, through mod_python3.

libfreeswitch is called by ctypes, which lets other Python threads run meanwhile; the SWIG bindings do not.

    ffi.py      the C functions and structures that are used, checked when they are looked up
    switch.py   class FreeSwitch, the Switch of port.py
    module.py   the module `mod_erlang_py`, registered from Python
    completion.py  what TAB offers in fs_cli
    events.py   firing events
    event_source.py, event_json.py   receiving them
    log.py      the switch's log, written to by Python's logging, and read
    session.py  calls
    xml.py      answering the switch's XML look-ups
    regex.py    the switch's regular expressions
"""

from .switch import FreeSwitch

__all__ = ["FreeSwitch"]
