"""What an Erlang process may ask: one module per message family, registered by (tag, arity).

registry.py       the table, and how a term finds its entry
arguments.py      texts, headers, names, UUIDs in them
targets.py        processes that are named in them
bounds.py         how much of what a request may have
rights.py         whether a node may ask for it
context.py        what a request may use, and what it may answer
dispatch.py       from a payload to a job; the one place where an error becomes {error, Reason}

gen_server.py     calls and casts: requests in an envelope
rpc.py            rpc and erpc: requests as functions; functions.py says which functions there are
callers.py        who waits for an answer that goes back in an envelope

node.py           getpid, link, exit, {Ref, Pid}, {rex, _}
api.py            api, json_api, bgapi; background.py: a command that bgapi runs
events.py         register_event_handler, event, nixevent, setevent, noevents, filter, sendevent
subscriptions.py  subscribe, unsubscribe, ack
logs.py           register_log_handler, set_log_level, nolog
calls.py          handlecall, nohandle, sendmsg
session.py        session_event, session_nixevent, session_setevent, session_noevents
execute.py        execute: an application of a call, and what came of it
xml.py            bind, unbind, fetch_reply
version.py        version: what a client talks to
otp.py            what else OTP's own libraries send: gen_event, io and system messages
"""

from . import api, calls, events, execute, gen_server, logs, node, otp, session, subscriptions, version, xml
from .context import Context, as_text
from .dispatch import Dispatcher

__all__ = [
    "Context",
    "Dispatcher",
    "api",
    "as_text",
    "calls",
    "events",
    "execute",
    "gen_server",
    "logs",
    "node",
    "otp",
    "session",
    "subscriptions",
    "version",
    "xml",
]
