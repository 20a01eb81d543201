"""XML look-ups of the switch, answered by Erlang processes.

fetches.py    who is bound, the look-ups under way, their answers
answerers.py  whether one who is bound answers at all
expand.py     an answer's $${variables}, and X-PRE-PROCESS set
documents.py  the XML of an answer: read, checked, and made the document that the switch expects
limits.py     what its parser can bear
"""
