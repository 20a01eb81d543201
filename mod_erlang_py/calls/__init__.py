"""Calls in the hands of Erlang processes.

dialplan.py  who is to have a call, as the dialplan writes it
asking.py    finds the process, and notices that it is gone
calls.py     the calls that are attached
"""
