"""How much memory a decoded term takes: on the wire an empty list is a byte, in Python 72."""

from __future__ import annotations

from erlang import OtpErlangPid, OtpErlangReference

from mod_erlang_py.etf.terms import Atom, Binary, Function, List, Port, Term

ELEMENT = 80
"""Bytes of an element, with its place in what it is in."""
OBJECT = 250
"""More bytes of what erlang-py has an object with a dictionary for."""
IDENTIFIER = 800
"""More bytes of a pid, or another with its node."""


def memory(term: Term) -> int:
    """About how many bytes. Does not recurse."""
    total = 0
    stack: list[Term] = [term]
    while stack:
        one = stack.pop()
        total += ELEMENT
        kind = type(one)
        if kind is bytes:
            total += len(one)
        elif kind is tuple or kind is list:
            stack += one
        elif kind is Atom:
            total += OBJECT
        elif kind is Binary:
            total += OBJECT + len(one.value)
        elif kind is dict:
            stack += one.keys()
            stack += one.values()
        elif kind is List:
            total += OBJECT
            stack += one.value
        elif kind is int:
            total += one.bit_length() // 8
        elif kind is Function:
            total += OBJECT + len(one.value)
        elif isinstance(one, OtpErlangPid | OtpErlangReference | Port):
            total += IDENTIFIER
    return total
