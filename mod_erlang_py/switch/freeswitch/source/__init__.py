"""Where events come from: the EventSource of switch/port, twice.

choice.py           which one it is

compiled.py         class CompiledSource, over
_compiled.c         what looks at events, and encodes them, where the switch dispatches them
_events.h           how it reads and encodes them
compiled_event.py   one of those events
proof.py            whether C finds the switch as it expects it

python.py           class PythonSource: what is wanted and watched, taken from a queue that the switch fills in C
consumer.py         that queue, and what the switch is asked to put into it
received.py         an event as it lies in the switch's memory
waste.py            events that are done with
"""
