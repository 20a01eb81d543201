"""Calls: loopback channels, the dialplan they are routed by, and the applications they run.

    exchange.py      Exchange: makes calls, finds them, ends them all; wires the rest
    channel.py       Channel: one leg: its state, variables, digits, messages    headers.py  its events' headers
    states.py        the states of a channel          causes.py    why it ended
    profile.py       who calls whom                   keeping.py   what keeps it when it has ended
    machine.py       what a channel's thread does, state by state
    execution.py     running an application, with its events
    messages.py      SEND_MESSAGE events, which a channel obeys
    progress.py      early media, answer: from one leg to the other
    parking.py  transfer.py  bridging.py              what applications, commands and sessions have in common
    dialing.py       dial strings, and waiting for who is called
    sounds.py        how long what is played takes
    session.py       the port's Session
    table.py         all channels, and how many there were
    services.py      what channels use of the switch
    applications.py  the applications of the dialplan    dialplan/  reading it and finding an extension

A channel's lock is never held while another's is taken, nor while somebody is waited for; events are fired with it
held, so that a channel's events are in order and each shows the channel as it was.
"""
