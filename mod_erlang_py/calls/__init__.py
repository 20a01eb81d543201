"""Calls in the hands of Erlang processes.

applications.py  the dialplan applications `erlang` and `erlang_sendmsg`
dialplan.py      who is to have a call, as the dialplan writes it
words.py         cutting that into words
asking.py        finds the process, and notices that it is gone
waiting.py       how a call's thread waits for it
watching.py      handlers that go by their names, and noticing that they are gone
calls.py         the calls that are attached: attaching, handing on, ending
ends.py          by what it is noticed that a call has ended
groups.py        which member of a process group gets a call
loads.py         how many calls each process has
executes.py      applications whose end somebody waits for
parking.py       calls whose threads are parked in the application, and letting go of them
"""
