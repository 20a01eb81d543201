"""Who wants which events, and the way to them: one mechanism for whoever receives events.

interest.py        which events somebody wants
filters.py         header filters
subscription.py    a target, and what it is to get
subscriptions.py   all of them: adding, changing, opening, ending; who gets an event
event_handlers.py  the subscription that each node may have by register_event_handler
pump.py            takes events from the switch, and hands them out
encoding.py        events of the switch as terms
counts.py          what was sent, and what was lost
"""
