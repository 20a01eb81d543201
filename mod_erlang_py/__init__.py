"""FreeSWITCH as an Erlang node, in Python. `service.py` wires the parts; `switch/port.py` bounds the switch."""

__version__ = "0.2.0"
