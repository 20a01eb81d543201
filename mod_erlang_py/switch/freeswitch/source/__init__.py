"""Where events come from: the EventSource of port.py.

python.py    class PythonSource: what is wanted and watched, taken from a queue that the switch fills in C
consumer.py  that queue, and what the switch is asked to put into it
received.py  an event as it lies in the switch's memory
waste.py     events that are done with
"""
