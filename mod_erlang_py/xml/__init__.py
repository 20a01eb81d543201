"""XML look-ups of the switch, answered by Erlang processes.

fetches.py    who is bound, the look-ups under way, their answers
documents.py  the XML of an answer: read, checked, and made the document that the switch expects
"""
