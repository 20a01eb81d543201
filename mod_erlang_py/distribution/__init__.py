"""The Erlang distribution protocol as bytes <-> events: no socket, no clock, no thread.

    flags.py              what two nodes can do for each other
    epmd.py               requests to the port mapper and its replies
    epmd_server.py        what a port mapper knows and answers
    handshake.py          from a fresh byte stream to an authenticated peer: one machine for either side
    handshake_events.py   what a handshake tells its owner, and is told by it
    connection.py         frames, ticks, and what a frame holds
    control.py            the control messages: a dataclass each
    forms.py              in what form each goes to a peer, by its flags

Manual: ERTS, "Distribution Protocol". A peer's bytes raise DistError, epmd's EpmdError, nothing else.
"""
