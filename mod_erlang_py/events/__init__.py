"""Who wants which events, and the way to them: one mechanism for whoever receives events.

interest.py        which events somebody wants
demand.py          which events all of them want
filters.py         header filters
budget.py          how long the regular expressions in filters may take
shape.py           events as maps, or with some of their headers
subscription.py    a target, and what it is to get
subscriptions.py   all of them: adding, changing, opening, ending; who gets an event
flow.py            holding back what is to be acknowledged
event_handlers.py  the subscription that each node may have by register_event_handler
own_subscriptions.py those by subscribe, any number for each process
pump.py            takes events from the switch, and hands them out
encoding.py        events of the switch as terms
counts.py          what was sent, and what was lost
"""
