"""FreeSWITCH as an Erlang node, in Python.

entry.py       starts and stops it inside FreeSWITCH; __main__.py on the simulated switch
service.py     wires the parts
console/       fs_cli's `erlang …`
figures/       what the node is doing, in numbers
requests/      what an Erlang process may ask
calls/         calls in the hands of Erlang processes
xml/           look-ups answered by Erlang
logs.py        log lines to their handlers
events/        who wants which events, and the way to them
node/          threads and sockets
switch/        the switch: what is needed of one, the real one, the stand-in
distribution/  bytes and the distribution protocol's events
etf/           bytes and terms
config/        the settings
errors.py      every error
log_lines.py   what our own log lines are like; log_levels.py  their levels
code.py        what code this is; installed.py  whether it is what the files have by now

Which may import which: tests/test_imports.py. The ways through them: docs/how-it-works.md.
"""

__version__ = "0.2.0"
