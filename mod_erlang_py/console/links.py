"""`erlang connect`, `erlang disconnect`; finding a link by the name that an operator typed."""

from __future__ import annotations

from collections.abc import Sequence

from mod_erlang_py.errors import NotConnected
from mod_erlang_py.node.link import Link
from mod_erlang_py.requests.context import Context

from .printout import Printout, failed, usage


def connect(context: Context, arguments: Sequence[str]) -> Printout:
    """A link to a node, made if there is none."""
    if len(arguments) != 1:
        return usage()
    name = arguments[0]
    if not all(name.partition("@")):
        return failed(f"-ERR {name} is no node: expected NAME@HOST\n")
    try:
        link = context.node.connect(name)
    except NotConnected as error:
        return failed(f"-ERR {error}\n")
    return Printout(f"+OK connected to {link.name}\n", {"node": link.name, "connected": True})


def disconnect(context: Context, arguments: Sequence[str]) -> Printout:
    """End the link to a node; nothing keeps either side from making another."""
    if len(arguments) != 1:
        return usage()
    link = find(context, arguments[0])
    if link is None:
        return failed(f"-ERR no connection to {arguments[0]}\n")
    link.end("disconnected by an operator")
    return Printout(f"+OK disconnected from {link.name}\n", {"node": link.name, "connected": False})


def find(context: Context, name: str) -> Link | None:
    """The link to a node of that name, in any case."""
    return next((link for link in context.node.links() if link.name.lower() == name.lower()), None)
