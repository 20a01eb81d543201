"""Bytes <-> Erlang terms: the external term format (ERTS, "External Term Format").

terms.py   the Python values that stand for Erlang terms
guard.py   is it one whole, legal, affordable term? Asked before anything is built from a peer's bytes
small.py   reads what most messages are, in one go
long_text.py  the texts that are lists
codec.py   decode and encode
event.py   the fast encoder of events; event_map.py: of events as maps
json.py    JSON <-> terms
show.py    terms as text
memory.py  how much of it a term takes
"""

from mod_erlang_py.etf.codec import VERSION, decode, decode_bare, decode_head, decode_message, encode, encode_bare
from mod_erlang_py.etf.guard import LIMITS, Limits, scan
from mod_erlang_py.etf.memory import memory
from mod_erlang_py.etf.terms import (
    Atom,
    Binary,
    Function,
    List,
    Pid,
    Port,
    Reference,
    Term,
    atom_text,
    encode_atom,
    text,
)

__all__ = [
    "LIMITS",
    "VERSION",
    "Atom",
    "Binary",
    "Function",
    "Limits",
    "List",
    "Pid",
    "Port",
    "Reference",
    "Term",
    "atom_text",
    "decode",
    "decode_bare",
    "decode_head",
    "decode_message",
    "encode",
    "encode_atom",
    "encode_bare",
    "memory",
    "scan",
    "text",
]
